/* SPDX-License-Identifier: Apache-2.0 */
/* notify_template_data - a message as the values that notification templates see. */
#include "base/num.h"
#include "exporters/notify_template_private.h"

static const struct label none; /* an empty label set is {}, not null */

static struct tv kv(struct labels ls)
{
	return tv_kv((struct labels){ls.v != NULL ? ls.v : &none, ls.n});
}

static int64_t to_ns(int64_t ms)
{
	int64_t ns;

	if (ms == 0 || __builtin_mul_overflow(ms, INT64_C(1000000), &ns))
		return TV_TIME_ZERO;
	return ns;
}

static struct tv graph_link(
	const struct message *m, const struct message_alert *al, struct arena *a)
{
	struct tv v = tv_str(STR(""));
	struct buf b;

	buf_init(&b, 8192);
	message_graph_url(m, al, &b);
	if (!b.failed && b.n > 0)
		v = tv_str(arena_str(a, buf_view(&b)));
	buf_fini(&b);
	return v;
}

#define ALERT_FIELDS 7u

static struct tv alert(const struct message *m, const struct message_alert *al, struct arena *a)
{
	static const struct str names[ALERT_FIELDS] = {{"Status", 6}, {"Labels", 6},
		{"Annotations", 11}, {"StartsAt", 8}, {"EndsAt", 6}, {"GeneratorURL", 12},
		{"Fingerprint", 11}};
	struct tv *v = ARENA_ARRAY(a, ALERT_FIELDS, struct tv);
	struct tv_field *f = ARENA_ARRAY(a, ALERT_FIELDS, struct tv_field);

	if (v == NULL || f == NULL)
		return (struct tv){.kind = TV_NONE};
	v[0] = tv_str(al->firing ? STR("firing") : STR("resolved"));
	v[1] = kv(al->labels);
	v[2] = kv(al->annotations);
	v[3] = tv_time(to_ns(al->starts_at_ms));
	v[4] = tv_time(al->firing ? TV_TIME_ZERO : to_ns(al->ends_at_ms));
	v[5] = graph_link(m, al, a);
	v[6] = tv_str(arena_printf(a, "%016llx", (unsigned long long)al->fingerprint));
	for (size_t i = 0; i < ALERT_FIELDS; i++)
		f[i] = (struct tv_field){names[i], &v[i]};
	return tv_struct(a, "template.Alert", f, ALERT_FIELDS);
}

struct str notify_template_receiver(struct arena *a, struct str s)
{
	struct str out = s;
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\0' && strchr("\\.+*?()|[]{}^$", s.p[i]) != NULL)
			buf_ch(&b, '\\');
		buf_ch(&b, s.p[i]);
	}
	if (!b.failed && b.n != s.n)
		out = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

#define DATA_FIELDS 9u

struct tv notify_template_data(const struct message *m, struct arena *a)
{
	static const struct str names[DATA_FIELDS] = {{"Receiver", 8}, {"Status", 6}, {"Alerts", 6},
		{"NotificationReason", 18}, {"GroupLabels", 11}, {"CommonLabels", 12},
		{"CommonAnnotations", 17}, {"RouteLabels", 11}, {"ExternalURL", 11}};
	struct tv *alerts = ARENA_ARRAY(a, m->n, struct tv);
	struct tv *v = ARENA_ARRAY(a, DATA_FIELDS, struct tv);
	struct tv_field *f = ARENA_ARRAY(a, DATA_FIELDS, struct tv_field);

	if (alerts == NULL || v == NULL || f == NULL)
		return (struct tv){.kind = TV_NONE};
	for (size_t i = 0; i < m->n; i++)
		alerts[i] = alert(m, &m->alerts[i], a);
	v[0] = tv_str(notify_template_receiver(a, m->receiver));
	v[1] = tv_str(m->firing ? STR("firing") : STR("resolved"));
	v[2] = tv_named_list(TV_ALERTS, alerts, m->n);
	v[3] = tv_str(str_c(message_reason_text(m->reason)));
	v[4] = kv(m->group_labels);
	v[5] = kv(m->common_labels);
	v[6] = kv(m->common_annotations);
	v[7] = kv(m->route_labels);
	v[8] = tv_str(m->external_url);
	for (size_t i = 0; i < DATA_FIELDS; i++)
		f[i] = (struct tv_field){names[i], &v[i]};
	return tv_struct(a, "*template.Data", f, DATA_FIELDS);
}
