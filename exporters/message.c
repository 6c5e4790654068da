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
#include "base/limits.h"
#include "base/num.h"
#include "exporters/clean.h"

#define EXPR_GUESSED_MAX 4096u /* bytes of an expression that is read for its unit */
#define SUBJECT_PART     160u  /* bytes of one label in a subject */
#define SUMMARY_MAX      1000u
#define OWN_VALUE_MAX    120u
#define OWN_LABELS       12u
#define SPREAD_MIN       5u    /* alerts before it is told how they spread */
#define SPREAD_ALERTS    2000u /* of which it is counted */
#define SPREAD_SHOWN     3u

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

/* Groups hold alerts of few rules: the guess is made once for each. */
static void find_units(struct message_alert *v, size_t n)
{
	struct {
		struct str expr;
		struct unit unit;
	} known[4] = {{{NULL, 0}, {UNIT_NONE, false}}};
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < used && !str_eq(known[k].expr, v[i].expr))
			k++;
		if (k == used) {
			if (v[i].expr.n == 0 || v[i].expr.n > EXPR_GUESSED_MAX)
				continue;
			if (used < ARRAY_LEN(known))
				used++;
			else if (i >= LIMIT_MESSAGE_ALERTS)
				continue; /* a group of everything: those that are shown have theirs
					   */
			else
				k = used - 1;
			known[k].expr = v[i].expr;
			known[k].unit = unit_of_expr(v[i].expr);
		}
		v[i].unit = known[k].unit;
	}
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
	find_units(alerts, n);
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
		clean_text(out, name, SUBJECT_PART, CLEAN_ONE_LINE);
	else
		buf_printf(out, "%zu alerts", m->n);
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		struct str v = labels_get(m->common_labels, str_c(where[i]));

		if (v.n == 0)
			continue;
		buf_c(out, first ? " · " : ", ");
		clean_text(out, v, SUBJECT_PART, CLEAN_ONE_LINE);
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

void message_span(struct buf *out, int64_t ms)
{
	int64_t min = (MAX_OF(ms, 0) + 30000) / 60000, hours = (min + 30) / 60;

	if (ms < 120000)
		buf_printf(out, "%llds", (long long)(MAX_OF(ms, 0) / 1000));
	else if (min < 100)
		buf_printf(out, "%lldm", (long long)min);
	else if (hours < 48)
		buf_printf(out, "%lldh", (long long)hours);
	else
		buf_printf(out, "%lldd", (long long)((hours + 12) / 24));
}

/* Never nothing: what a message says of an alert must not be an empty line. */
void message_summary(const struct message_alert *al, struct buf *out)
{
	const struct str said[] = {labels_get(al->annotations, STR("summary")),
		labels_get(al->annotations, STR("description")),
		labels_get(al->annotations, STR("message")), al->expr, al->rule,
		labels_get(al->labels, STR("alertname")), STR("an alert without a name")};
	struct buf b;

	if (!al->firing)
		buf_c(out, "was: "); /* its numbers are those of the last evaluation that fired */
	buf_init(&b, (size_t)SUMMARY_MAX + 16);
	for (size_t i = 0; i < ARRAY_LEN(said) && str_trim(buf_view(&b)).n == 0; i++) {
		buf_reset(&b);
		clean_text(&b, said[i], SUMMARY_MAX, CLEAN_LINES);
	}
	buf_str(out, buf_view(&b));
	buf_fini(&b);
}

void message_value(const struct message_alert *al, double v, struct buf *out)
{
	if (isnan(v))
		buf_c(out, "no value");
	else
		unit_print(out, v, al->unit);
}

/* The extreme since it fired, when it says more than the value now. */
static void peak(const struct message_alert *al, double now, const char *word, struct buf *out)
{
	if (isnan(al->worst) || al->worst == now)
		return;
	buf_printf(out, ", %s ", word);
	message_value(al, al->worst, out);
}

void message_values(const struct message *m, const struct message_alert *al, struct buf *out)
{
	double now = isnan(al->current) && al->firing ? al->value : al->current;

	if (!al->firing) {
		buf_c(out, "fired for ");
		message_duration(out, al->ends_at_ms - al->starts_at_ms);
		peak(al, now, "worst", out);
		buf_c(out, ", now ");
		message_value(al, now, out);
		return;
	}
	if (!isnan(now)) {
		buf_c(out, "now ");
		message_value(al, now, out);
		if (al->op[0] != '\0') {
			buf_printf(out, " (alert at %s ", al->op);
			message_value(al, al->threshold, out);
			buf_ch(out, ')');
		}
		peak(al, now, al->op[0] == '<' ? "lowest" : "peak", out);
	}
	if (m->now_ms - al->starts_at_ms < 1000 && !isnan(now))
		return; /* it began just now */
	buf_c(out, isnan(now) ? "for " : ", for ");
	message_duration(out, m->now_ms - al->starts_at_ms);
}

void message_own_labels(const struct message *m, const struct message_alert *al, struct buf *out)
{
	size_t shown = 0, left = 0;

	for (size_t i = 0; i < al->labels.n; i++) {
		const struct label *l = &al->labels.v[i];

		if (labels_get(m->common_labels, l->name).n > 0)
			continue;
		if (shown == OWN_LABELS) {
			left++;
			continue;
		}
		if (shown++ > 0)
			buf_c(out, ", ");
		clean_text(out, l->name, OWN_VALUE_MAX, CLEAN_ONE_LINE);
		buf_ch(out, '=');
		clean_text(out, l->value, OWN_VALUE_MAX, CLEAN_ONE_LINE);
	}
	if (left > 0)
		buf_printf(out, ", +%zu more", left);
}

/* --- many alerts --- */

/* How far beyond its threshold: 1 is at it. Comparable within a rule, and roughly between rules. */
static double badness(const struct message_alert *al)
{
	double now = isnan(al->current) ? al->value : al->current;
	double v = al->firing || isnan(al->worst) ? now : al->worst;

	if (isnan(v) || isnan(al->threshold))
		return 1;
	if (al->op[0] == '<')
		return v > 0 ? al->threshold / v : 1 + al->threshold - v;
	return al->threshold > 0 ? v / al->threshold : 1 + v - al->threshold;
}

static bool is_worse(const struct message_alert *a, const struct message_alert *b)
{
	double x = badness(a), y = badness(b);

	if (a->firing != b->firing)
		return a->firing;
	return x > y; /* else the order of the message: severity, labels */
}

size_t message_worst(const struct message *m, const struct message_alert **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		size_t at = n;

		while (at > 0 && is_worse(&m->alerts[i], out[at - 1]))
			at--;
		if (at == max)
			continue;
		if (n < max)
			n++;
		for (size_t k = n - 1; k > at; k--)
			out[k] = out[k - 1];
		out[at] = &m->alerts[i];
	}
	return n;
}

struct tally {
	struct str value;
	size_t n;
};

static int by_value(const void *a, const void *b)
{
	return str_cmp(((const struct tally *)a)->value, ((const struct tally *)b)->value);
}

static int by_count(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;

	return x->n != y->n ? (x->n > y->n ? -1 : 1) : str_cmp(x->value, y->value);
}

/* The values of one label over n alerts, the most frequent first; how many there are. */
static size_t count_values(const struct message *m, size_t n, struct str name, struct tally *v)
{
	size_t kept = 0, values = 0;

	for (size_t i = 0; i < n; i++) {
		struct str s = labels_get(m->alerts[i].labels, name);

		if (s.n > 0)
			v[kept++] = (struct tally){s, 1};
	}
	qsort(v, kept, sizeof *v, by_value);
	for (size_t i = 0; i < kept; i++) {
		if (values > 0 && str_eq(v[values - 1].value, v[i].value))
			v[values - 1].n++;
		else
			v[values++] = v[i];
	}
	qsort(v, values, sizeof *v, by_count);
	return values;
}

static void print_spread(
	struct str name, const struct tally *v, size_t values, size_t n, struct buf *out)
{
	clean_text(out, name, OWN_VALUE_MAX, CLEAN_ONE_LINE);
	buf_c(out, ": ");
	for (size_t i = 0; i < values && i < SPREAD_SHOWN; i++) {
		if (i == 0)
			buf_printf(out, "%zu of %zu on ", v[i].n, n);
		else
			buf_printf(out, ", %zu on ", v[i].n);
		clean_text(out, v[i].value, 80, CLEAN_ONE_LINE);
	}
	if (values > SPREAD_SHOWN)
		buf_printf(out, ", %zu more", values - SPREAD_SHOWN);
}

void message_spread(const struct message *m, struct buf *out)
{
	size_t n = MIN_OF(m->firing ? m->n_firing : m->n, (size_t)SPREAD_ALERTS);
	double most = 0;
	struct labels first = m->n > 0 ? m->alerts[0].labels : (struct labels){NULL, 0};
	struct str best = STR_NULL;
	struct tally *v;

	if (n < SPREAD_MIN)
		return;
	v = calloc(n, sizeof *v);
	if (v == NULL)
		return; /* a line less */
	for (size_t i = 0; i < first.n; i++) {
		double surprise;
		size_t values;

		if (labels_get(m->common_labels, first.v[i].name).n > 0)
			continue;
		values = count_values(m, n, first.v[i].name, v);
		/* values that gather many alerts; one each says nothing */
		if (values < 2 || values > n / 2)
			continue;
		/* 1 when all values have the same share; the more values, the more specific */
		surprise = (double)v[0].n * (double)values / (double)n + (double)values * 1e-6;
		if (surprise > most) {
			best = first.v[i].name;
			most = surprise;
		}
	}
	if (best.n > 0)
		print_spread(best, v, count_values(m, n, best, v), n, out);
	free(v);
}

/* s when it is an http(s) link that no format takes apart, else empty. */
static struct str harmless_link(struct str s)
{
	if ((!str_starts(s, STR("http://")) && !str_starts(s, STR("https://"))) || s.n > 2000)
		return (struct str){"", 0};
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == '"' || c == '|')
			return (struct str){"", 0};
	}
	return s;
}

struct str message_link(
	const struct message *m, const struct message_alert *al, const char *annotation)
{
	return harmless_link(labels_get(
		al != NULL ? al->annotations : m->common_annotations, str_c(annotation)));
}

void message_graph_url(const struct message *m, const struct message_alert *al, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	struct str base = m->external_url;

	buf_str(out, harmless_link(al->generator_url));
	if (base.n == 0 || al->generator_url.n > 0 || al->expr.n == 0)
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
