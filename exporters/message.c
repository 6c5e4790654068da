/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - the words and numbers all receivers share: what is wrong, where, since when, how bad.
 */
#include "exporters/message.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dur.h"
#include "base/f64.h"
#include "base/num.h"

static unsigned severity_rank(struct labels ls)
{
	struct str s = labels_get(ls, STR("severity"));

	if (str_eq_nocase(s, STR("critical")) || str_eq_nocase(s, STR("page")))
		return 0;
	if (str_eq_nocase(s, STR("error")))
		return 1;
	if (str_eq_nocase(s, STR("warning")))
		return 2;
	return 3;
}

static int by_urgency(const void *a, const void *b)
{
	const struct message_alert *x = a, *y = b;
	unsigned rx, ry;

	if (x->firing != y->firing)
		return x->firing ? -1 : 1;
	rx = severity_rank(x->labels);
	ry = severity_rank(y->labels);
	if (rx != ry)
		return rx < ry ? -1 : 1;
	return labels_cmp(x->labels, y->labels);
}

/* Pairs that every alert has, equal. */
static struct labels common(
	const struct message_alert *v, size_t n, bool annotations, struct arena *a)
{
	struct labels first = annotations ? v[0].annotations : v[0].labels;
	struct label *out = ARENA_ARRAY(a, first.n, struct label);
	size_t kept = 0;

	for (size_t i = 0; out != NULL && i < first.n; i++) {
		bool all = true;

		for (size_t k = 1; all && k < n; k++)
			all = str_eq(labels_get(annotations ? v[k].annotations : v[k].labels,
					     first.v[i].name),
				first.v[i].value);
		if (all)
			out[kept++] = first.v[i];
	}
	return (struct labels){out, kept};
}

void message_finish(struct message *m, struct message_alert *alerts, size_t n, struct arena *a)
{
	m->alerts = alerts;
	m->n = n;
	m->n_firing = 0;
	if (n == 0)
		return;
	qsort(alerts, n, sizeof *alerts, by_urgency);
	for (size_t i = 0; i < n; i++)
		m->n_firing += alerts[i].firing;
	m->n_resolved = n - m->n_firing;
	m->firing = m->n_firing > 0;
	m->common_labels = common(alerts, n, false, a);
	m->common_annotations = common(alerts, n, true, a);
}

const char *message_reason_text(enum message_reason r)
{
	switch (r) {
	case REASON_FIRST: return "first notification";
	case REASON_NEW_ALERTS: return "new alerts added";
	case REASON_SOME_RESOLVED: return "some alerts resolved";
	case REASON_ALL_RESOLVED: return "all alerts resolved";
	case REASON_REPEAT: return "repeat interval elapsed";
	}
	return "none";
}

void message_subject(const struct message *m, struct buf *out)
{
	static const char *const where[] = {
		"service", "job", "instance", "namespace", "cluster", "env"};
	struct str name = labels_get(m->common_labels, STR("alertname"));
	bool first = true;

	if (name.n == 0)
		name = labels_get(m->group_labels, STR("alertname"));
	if (name.n > 0)
		buf_str(out, name);
	else
		buf_printf(out, "%zu alerts", m->n);
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		struct str v = labels_get(m->common_labels, str_c(where[i]));

		if (v.n == 0)
			continue;
		buf_c(out, first ? " · " : ", ");
		buf_str(out, v);
		first = false;
		if (i < 2)
			break; /* service or job says enough */
	}
}

void message_number(struct buf *out, double v)
{
	double size = fabs(v);
	char tmp[64];

	if (!isfinite(v) || v == 0 || size >= 1e15 || size < 1e-6) {
		f64_print(out, v);
		return;
	}
	if (v == floor(v)) {
		f64_print_plain(out, v);
		return;
	}
	/* four significant digits without an exponent */
	int digits = 3 - (int)floor(log10(size));

	(void)snprintf(tmp, sizeof tmp, "%.*f", MAX_OF(digits, 0), v);
	if (strchr(tmp, '.') != NULL) {
		size_t n = strlen(tmp);

		while (tmp[n - 1] == '0')
			tmp[--n] = '\0';
		if (tmp[n - 1] == '.')
			tmp[n - 1] = '\0';
	}
	buf_c(out, tmp);
}

void message_duration(struct buf *out, int64_t ms)
{
	int64_t s = MAX_OF(ms, 0) / 1000;

	if (s >= 86400)
		buf_printf(
			out, "%lldd %lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
	else if (s >= 3600)
		buf_printf(out, "%lldh %lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s >= 60)
		buf_printf(out, "%lldm %llds", (long long)(s / 60), (long long)(s % 60));
	else
		buf_printf(out, "%llds", (long long)s);
}

void message_summary(const struct message_alert *al, struct buf *out)
{
	struct str s = labels_get(al->annotations, STR("summary"));

	if (s.n == 0)
		s = labels_get(al->annotations, STR("description"));
	if (s.n == 0)
		s = labels_get(al->annotations, STR("message"));
	if (!al->firing)
		buf_c(out, "was: "); /* its numbers are those of the last evaluation that fired */
	if (s.n > 0)
		buf_str(out, s);
	else
		buf_str(out, al->expr);
}

void message_values(const struct message *m, const struct message_alert *al, struct buf *out)
{
	double now = isnan(al->current) && al->firing ? al->value : al->current;

	if (al->firing) {
		buf_c(out, "now ");
		message_number(out, now);
		if (al->op[0] != '\0') {
			buf_printf(out, " (alert at %s ", al->op);
			message_number(out, al->threshold);
			buf_ch(out, ')');
		}
		if (!isnan(al->worst)) {
			buf_c(out, ", worst ");
			message_number(out, al->worst);
		}
		buf_c(out, ", for ");
		message_duration(out, m->now_ms - al->starts_at_ms);
		return;
	}
	buf_c(out, "fired for ");
	message_duration(out, al->ends_at_ms - al->starts_at_ms);
	if (!isnan(al->worst)) {
		buf_c(out, ", worst ");
		message_number(out, al->worst);
	}
	buf_c(out, ", now ");
	if (isnan(now))
		buf_c(out, "no value");
	else
		message_number(out, now);
}

void message_own_labels(const struct message *m, const struct message_alert *al, struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < al->labels.n; i++) {
		const struct label *l = &al->labels.v[i];

		if (labels_get(m->common_labels, l->name).n > 0)
			continue;
		if (!first)
			buf_c(out, ", ");
		first = false;
		buf_str(out, l->name);
		buf_ch(out, '=');
		buf_str(out, str_sub(l->value, 0, 200));
	}
}

struct str message_link(
	const struct message *m, const struct message_alert *al, const char *annotation)
{
	struct str s =
		labels_get(al != NULL ? al->annotations : m->common_annotations, str_c(annotation));

	if ((!str_starts(s, STR("http://")) && !str_starts(s, STR("https://"))) || s.n > 2000)
		return (struct str){"", 0};
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == '"' || c == '|')
			return (struct str){"", 0};
	}
	return s;
}

void message_graph_url(const struct message *m, const struct message_alert *al, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	struct str base = m->external_url;

	if (base.n == 0)
		return;
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	buf_str(out, base);
	buf_c(out, "/graph?g0.expr=");
	for (size_t i = 0; i < MIN_OF(al->expr.n, (size_t)700); i++) {
		unsigned char c = (unsigned char)al->expr.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '_' || c == '-' || c == '.' || c == '~') {
			buf_ch(out, (char)c);
		} else {
			buf_ch(out, '%');
			buf_ch(out, hex[c >> 4]);
			buf_ch(out, hex[c & 15]);
		}
	}
	buf_c(out, "&g0.tab=0");
}
