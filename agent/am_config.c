/* SPDX-License-Identifier: Apache-2.0 */
/*
 * am_config - the configuration of notifications as Alertmanager would write it, for
 * `config.original` of /api/v2/status: amtool reads it with a validator of its own and answers
 * `config routes` from it.
 *
 * Everything inherited is written out. Receivers hold what Alertmanager 0.25 knows of them, so that
 * old and new clients read it; a receiver of another kind keeps its name alone. Nothing secret is
 * in it, and addresses, which may hold tokens, are not either.
 */
#include "agent/am.h"
#include "base/dur.h"
#include "exporters/time_interval.h"

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_c(out, "  ");
}

/* JSON's strings are YAML's. */
static void quoted(struct buf *out, struct str s)
{
	buf_ch(out, '"');
	jsonw_escape(out, s);
	buf_ch(out, '"');
}

static void texts(struct buf *out, const struct str *v, size_t n)
{
	buf_ch(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_c(out, i > 0 ? ", " : "");
		quoted(out, v[i]);
	}
	buf_c(out, "]\n");
}

/* The classic grammar, which all versions read: it knows \n, \" and \\. */
static void matcher_text(struct buf *out, const struct matcher *m)
{
	static const char *const ops[] = {"=", "!=", "=~", "!~"};

	if (label_name_is_legacy(m->name))
		buf_str(out, m->name);
	else
		labels_print_value(out, m->name);
	buf_c(out, ops[m->op]);
	labels_print_value(out, m->value);
}

static void matchers(struct buf *out, const struct matcher *m, size_t n)
{
	struct buf one;

	buf_ch(out, '[');
	for (size_t i = 0; i < n; i++) {
		buf_init(&one, 1u << 20);
		matcher_text(&one, &m[i]);
		buf_c(out, i > 0 ? ", " : "");
		quoted(out, buf_view(&one));
		buf_fini(&one);
	}
	buf_c(out, "]\n");
}

static void duration(struct buf *out, unsigned depth, const char *key, int64_t ms)
{
	indent(out, depth);
	buf_printf(out, "%s: ", key);
	dur_print(out, ms);
	buf_ch(out, '\n');
}

static void interval_names(struct buf *out, unsigned depth, const char *key,
	const struct named_interval *const *v, size_t n)
{
	if (n == 0)
		return;
	indent(out, depth);
	buf_printf(out, "%s: [", key);
	for (size_t i = 0; i < n; i++) {
		buf_c(out, i > 0 ? ", " : "");
		quoted(out, v[i]->name);
	}
	buf_c(out, "]\n");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void route(struct buf *out, const struct route_config *r, unsigned depth, bool top)
{
	static const struct str all[] = {{"...", 3}};

	buf_c(out, "receiver: ");
	quoted(out, r->receiver);
	buf_ch(out, '\n');
	indent(out, depth);
	buf_c(out, "group_by: ");
	texts(out, r->group_by_all ? all : r->group_by, r->group_by_all ? 1 : r->n_group_by);
	if (!top) {
		indent(out, depth);
		buf_c(out, "matchers: ");
		matchers(out, r->matchers, r->n_matchers);
		indent(out, depth);
		buf_printf(out, "continue: %s\n", r->continue_ ? "true" : "false");
	}
	duration(out, depth, "group_wait", r->group_wait_ms);
	/* Alertmanager takes no zero here */
	duration(out, depth, "group_interval", r->group_interval_ms > 0 ? r->group_interval_ms : 1);
	duration(out, depth, "repeat_interval",
		r->repeat_interval_ms > 0 ? r->repeat_interval_ms : 1);
	if (!top) {
		interval_names(out, depth, "mute_time_intervals", r->mute, r->n_mute);
		interval_names(out, depth, "active_time_intervals", r->active, r->n_active);
	}
	if (r->n_routes == 0)
		return;
	indent(out, depth);
	buf_c(out, "routes:\n");
	for (size_t i = 0; i < r->n_routes; i++) {
		indent(out, depth);
		buf_c(out, "- ");
		route(out, &r->routes[i], depth + 1, false);
	}
}

/* ---- receivers ---- */

/* Keys of a kind in Alertmanager and what stands for its secrets; NULL: unknown to 0.25. */
static const char *const kinds[INTEGRATION_KINDS][2] = {
	[INT_SLACK] = {"slack_configs", "api_url: <secret>"},
	[INT_EMAIL] = {"email_configs", ""},
	[INT_WEBHOOK] = {"webhook_configs", "url: http://redacted.invalid/"},
	[INT_PAGERDUTY] = {"pagerduty_configs", "routing_key: <secret>"},
	[INT_OPSGENIE] = {"opsgenie_configs", "api_key: <secret>"},
	[INT_DISCORD] = {"discord_configs", "webhook_url: <secret>"},
	[INT_PUSHOVER] = {"pushover_configs", ""},
};

static void pair(struct buf *out, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(out, ", %s: ", key);
	quoted(out, value);
}

static void integration(struct buf *out, const struct integration *in)
{
	buf_printf(out, "  - {send_resolved: %s", in->send_resolved ? "true" : "false");
	if (in->kind == INT_EMAIL) {
		const struct email_config *c = in->conf;

		pair(out, "to", c->to);
		pair(out, "from", c->from);
		pair(out, "smarthost", c->smarthost);
		buf_printf(out, ", require_tls: %s", c->require_tls ? "true" : "false");
	} else if (in->kind == INT_PUSHOVER) {
		buf_c(out, ", user_key: <secret>, token: <secret>");
	} else {
		buf_printf(out, ", %s", kinds[in->kind][1]);
	}
	if (in->kind == INT_SLACK)
		pair(out, "channel", ((const struct slack_config *)in->conf)->channel);
	if (in->kind == INT_WEBHOOK)
		buf_printf(out, ", max_alerts: %llu",
			(unsigned long long)((const struct webhook_config *)in->conf)->max_alerts);
	buf_c(out, "}\n");
}

static void receiver(struct buf *out, const struct receiver_config *r)
{
	buf_c(out, "- name: ");
	quoted(out, r->name);
	buf_ch(out, '\n');
	for (unsigned k = 0; k < INTEGRATION_KINDS; k++) {
		bool any = false;

		for (size_t i = 0; i < r->n && kinds[k][0] != NULL; i++) {
			if ((unsigned)r->v[i].kind != k)
				continue;
			if (!any)
				buf_printf(out, "  %s:\n", kinds[k][0]);
			any = true;
			integration(out, &r->v[i]);
		}
	}
}

/* ---- inhibition ---- */

static void inhibit_rule(struct buf *out, const struct inhibit_rule *r)
{
	buf_c(out, "- source_matchers: ");
	matchers(out, r->source, r->n_source);
	buf_c(out, "  target_matchers: ");
	matchers(out, r->target, r->n_target);
	buf_c(out, "  equal: ");
	texts(out, r->equal, r->n_equal);
}

/* ---- time intervals ---- */

static void clock_range(struct buf *out, const struct interval_range *r)
{
	buf_printf(out, "{start_time: '%02d:%02d', end_time: '%02d:%02d'}", r->begin / 60,
		r->begin % 60, r->end / 60, r->end % 60);
}

static void weekday_range(struct buf *out, const struct interval_range *r)
{
	static const char *const days[] = {
		"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

	buf_printf(out, "'%s:%s'", days[r->begin], days[r->end]);
}

static void number_range(struct buf *out, const struct interval_range *r)
{
	buf_printf(out, "'%d:%d'", r->begin, r->end);
}

static void ranges(struct buf *out, const char *key, const struct interval_ranges *r,
	void (*print)(struct buf *out, const struct interval_range *r))
{
	if (!r->given)
		return;
	buf_printf(out, "    %s: [", key);
	for (size_t i = 0; i < r->n; i++) {
		buf_c(out, i > 0 ? ", " : "");
		print(out, &r->v[i]);
	}
	buf_c(out, "]\n");
}

static void time_interval(struct buf *out, const struct time_interval *t)
{
	/* the zone stands first: an entry without anything else is one too */
	buf_c(out, "  - location: ");
	quoted(out, t->location.n > 0 ? t->location : STR("UTC"));
	buf_ch(out, '\n');
	ranges(out, "times", &t->times, clock_range);
	ranges(out, "weekdays", &t->weekdays, weekday_range);
	ranges(out, "days_of_month", &t->days_of_month, number_range);
	ranges(out, "months", &t->months, number_range);
	ranges(out, "years", &t->years, number_range);
}

static void named_interval(struct buf *out, const struct named_interval *n)
{
	buf_c(out, "- name: ");
	quoted(out, n->name);
	buf_printf(out, "\n  time_intervals:%s\n", n->n == 0 ? " []" : "");
	for (size_t i = 0; i < n->n; i++)
		time_interval(out, &n->v[i]);
}

void am_config_print(const struct notify_config *c, struct buf *out)
{
	buf_c(out, "global:\n");
	duration(out, 1, "resolve_timeout",
		c->resolve_timeout_ms > 0 ? c->resolve_timeout_ms : 300000);
	buf_c(out, "route:\n  ");
	if (c->root.receiver.n == 0) {
		/* nobody is told: Alertmanager has no word for it */
		buf_c(out, "receiver: none\nreceivers:\n- name: none\n");
		return;
	}
	route(out, &c->root, 1, true);
	buf_c(out, "receivers:\n");
	for (size_t i = 0; i < c->n_receivers; i++)
		receiver(out, &c->receivers[i]);
	if (c->n_inhibit_rules > 0)
		buf_c(out, "inhibit_rules:\n");
	for (size_t i = 0; i < c->n_inhibit_rules; i++)
		inhibit_rule(out, &c->inhibit_rules[i]);
	if (c->n_intervals > 0)
		buf_c(out, "time_intervals:\n");
	for (size_t i = 0; i < c->n_intervals; i++)
		named_interval(out, &c->intervals[i]);
}
