/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_lint - scrapes further apart than queries look back, receivers and time intervals that
 * nothing leads to, inhibition that hides nothing or everything. Routes: config_lint_route.c.
 */
#include "agent/config_lint.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/config_lint_private.h"
#include "agent/config_receiver.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"
#include "exporters/time_interval.h"
#include "rules/rule_lint.h"

#define MESSAGE_BYTES 512
#define DAY_MS        INT64_C(86400000)
#define DAYS_AHEAD    10592 /* 29 years: every date meets every day of the week */

void config_lint_problem(struct config_linter *l, struct diag_pos at, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	l->n++;
	diag_warn(l->d, at, "lint: %s", text);
}

bool config_lint_same_matcher(const struct matcher *a, const struct matcher *b)
{
	return a->op == b->op && str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

/* --- scrapes --- */

static void check_scrapes(struct config_linter *l)
{
	const struct conf_root *r = l->root;

	for (size_t i = 0; i < l->c->scrape.n_jobs; i++) {
		const struct scrape_job *j = &l->c->scrape.jobs[i];
		struct buf every, back;

		if (j->interval_ms < l->c->query_lookback_ms)
			continue;
		buf_init(&every, 64);
		buf_init(&back, 64);
		dur_print(&every, j->interval_ms);
		dur_print(&back, l->c->query_lookback_ms);
		config_lint_problem(l,
			i < r->n_scrape ? config_pos(r->scrape[i].node, "scrape_interval")
					: (struct diag_pos){0},
			"job \"" STR_FMT "\" is scraped every " STR_FMT
			", queries look back " STR_FMT ": its series have gaps",
			STR_ARG(j->job_name), STR_ARG(buf_view(&every)), STR_ARG(buf_view(&back)));
		buf_fini(&every);
		buf_fini(&back);
	}
}

/* --- receivers --- */

static bool routed_to(/* NOLINT(misc-no-recursion) */
	const struct route_config *r, struct str name)
{
	if (str_eq(r->receiver, name))
		return true;
	for (size_t i = 0; i < r->n_routes; i++) {
		if (routed_to(&r->routes[i], name))
			return true;
	}
	return false;
}

static bool stands_in(const struct notify_config *n, struct str name)
{
	for (size_t i = 0; i < n->n_receivers; i++) {
		const struct receiver_config *r = &n->receivers[i];

		if (str_eq(r->fallback, name))
			return true;
		for (size_t k = 0; k < r->n_escalate; k++) {
			if (str_eq(r->escalate[k].to, name))
				return true;
		}
	}
	return false;
}

static void check_receivers(struct config_linter *l)
{
	const struct notify_config *n = &l->c->notify;

	for (size_t i = 0; i < l->root->n_receivers; i++) {
		const struct conf_receiver *r = &l->root->receivers[i];

		if (!routed_to(&n->root, r->name) && !stands_in(n, r->name))
			config_lint_problem(l, config_pos(r->node, "name"),
				"receiver \"" STR_FMT "\" is told by no route", STR_ARG(r->name));
	}
}

/* --- inhibition --- */

static bool stands_among(const struct matcher *m, const struct matcher *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (config_lint_same_matcher(m, &v[i]))
			return true;
	}
	return false;
}

static bool same_sides(const struct conf_inhibit *r)
{
	for (size_t i = 0; i < r->n_source; i++) {
		if (!stands_among(&r->source[i], r->target, r->n_target))
			return false;
	}
	for (size_t i = 0; i < r->n_target; i++) {
		if (!stands_among(&r->target[i], r->source, r->n_source))
			return false;
	}
	return true;
}

static bool is_equal_label(const struct conf_inhibit *r, struct str name)
{
	for (size_t i = 0; i < r->n_equal; i++) {
		if (str_eq(r->equal[i], name))
			return true;
	}
	return false;
}

/* A label that must be equal on both sides, and cannot be; NULL: none. */
static const struct matcher *never_equal(const struct conf_inhibit *r)
{
	for (size_t i = 0; i < r->n_source; i++) {
		for (size_t k = 0; k < r->n_target; k++) {
			const struct matcher *a = &r->source[i], *b = &r->target[k];

			if (!str_eq(a->name, b->name) || !is_equal_label(r, a->name))
				continue;
			if (a->op == MATCH_EQ && !matcher_matches(b, a->value))
				return a;
			if (b->op == MATCH_EQ && !matcher_matches(a, b->value))
				return b;
		}
	}
	return NULL;
}

static void check_inhibit(struct config_linter *l, const struct conf_inhibit *r)
{
	const struct matcher *never = never_equal(r);

	if (r->n_source == 0 && r->n_target == 0) {
		config_lint_problem(l, r->node->pos,
			"an inhibition rule without matchers inhibits nothing: say source_matchers "
			"and target_matchers");
	} else if (r->n_target == 0) {
		config_lint_problem(l, r->node->pos,
			"an inhibition rule without target_matchers: its sources hide every other "
			"alert%s",
			r->n_equal > 0 ? " with the same labels of equal" : "");
	} else if (r->n_source == 0) {
		config_lint_problem(l, r->node->pos,
			"an inhibition rule without source_matchers: any other alert hides its "
			"targets");
	} else if (same_sides(r)) {
		config_lint_problem(l, r->node->pos,
			"both sides match the same alerts, and these never inhibit each other: "
			"this rule does nothing");
	} else if (never != NULL) {
		config_lint_problem(l, config_pos(r->node, "equal"),
			"label \"" STR_FMT "\" must be equal on both sides and its matchers do not "
			"allow that: this rule does nothing",
			STR_ARG(never->name));
	}
}

/* --- time intervals --- */

/* Whether one of the days to come is in it, whatever the time of the day. */
static bool comes(const struct time_interval *ti)
{
	struct time_interval day = *ti;
	int64_t noon = i64_floor_div(clock_wall_ms(), DAY_MS) * DAY_MS + DAY_MS / 2;

	if (ti->times.given && ti->times.n == 0)
		return false;
	day.times = (struct interval_ranges){NULL, 0, false};
	day.tz = NULL;
	for (size_t i = 0; i < ti->years.n; i++) {
		if (ti->years.v[i].begin > 2050)
			return true; /* too far away to be looked at */
	}
	for (int64_t i = -1; i < DAYS_AHEAD; i++) {
		if (time_interval_contains(&day, noon + i * DAY_MS))
			return true;
	}
	return false;
}

static bool is_named(/* NOLINT(misc-no-recursion) */
	const struct conf_route *r, struct str name)
{
	for (size_t i = 0; i < r->n_mute; i++) {
		if (str_eq(r->mute[i], name))
			return true;
	}
	for (size_t i = 0; i < r->n_active; i++) {
		if (str_eq(r->active[i], name))
			return true;
	}
	for (size_t i = 0; i < r->n_routes; i++) {
		if (is_named(&r->routes[i], name))
			return true;
	}
	return false;
}

static void check_interval(
	struct config_linter *l, const struct yaml_node *node, const struct named_interval *iv)
{
	const struct yaml_node *list = yaml_get(node, STR("time_intervals"));

	if (!is_named(&l->root->route, iv->name))
		config_lint_problem(l, config_pos(node, "name"),
			"no route names time interval \"" STR_FMT "\"", STR_ARG(iv->name));
	for (size_t i = 0; i < iv->n; i++) {
		if (!comes(&iv->v[i]))
			config_lint_problem(l,
				list != NULL && list->kind == YAML_SEQ && i < list->n
					? list->items[i]->pos
					: node->pos,
				"this time never comes (again)");
	}
}

/* A configuration that loaded has one interval for each entry, in this order. */
static void check_intervals(struct config_linter *l)
{
	const struct yaml_node *const lists[] = {
		l->root->time_intervals, l->root->mute_time_intervals};
	const struct notify_config *n = &l->c->notify;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t k = 0; lists[i] != NULL && lists[i]->kind == YAML_SEQ &&
				   k < lists[i]->n && at < n->n_intervals;
			k++)
			check_interval(l, lists[i]->items[k], &n->intervals[at++]);
	}
}

size_t config_lint(
	const struct config *c, const struct rule_set *rules, struct diag *d, struct arena *scratch)
{
	const struct conf_root *root = &((const struct config_private *)c)->root;
	struct config_linter l = {.c = c, .root = root, .d = d};
	struct lint rl = {.d = d, .a = scratch, .no_hints = true, .all_rules = true};

	check_scrapes(&l);
	if (root->route.node != NULL)
		config_lint_routes(&l);
	check_receivers(&l);
	for (size_t i = 0; i < root->n_inhibit; i++)
		check_inhibit(&l, &root->inhibit[i]);
	check_intervals(&l);
	if (rules != NULL)
		rule_lint(&rl, rules);
	return l.n + rl.problems;
}
