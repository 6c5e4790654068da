/* SPDX-License-Identifier: Apache-2.0 */
/* config_lint - scrapes further apart than queries look back, receivers and routes that never get
 * an alert. */
#include "agent/config_lint.h"

#include "base/dur.h"
#include "base/num.h"
#include "rules/rule_lint.h"

struct config_linter {
	const struct config *c;
	struct buf *out;
	size_t n;
};

static void problem(struct config_linter *l)
{
	l->n++;
	buf_str(l->out, l->c->path);
	buf_c(l->out, ": lint: ");
}

static void duration(struct config_linter *l, int64_t ms)
{
	dur_print(l->out, ms);
}

/* --- scrapes --- */

static void check_scrapes(struct config_linter *l)
{
	for (size_t i = 0; i < l->c->scrape.n_jobs; i++) {
		const struct scrape_job *j = &l->c->scrape.jobs[i];

		if (j->interval_ms < l->c->query_lookback_ms)
			continue;
		problem(l);
		buf_printf(l->out, "job \"" STR_FMT "\" is scraped every ", STR_ARG(j->job_name));
		duration(l, j->interval_ms);
		buf_c(l->out, ", queries look back ");
		duration(l, l->c->query_lookback_ms);
		buf_c(l->out, ": its series have gaps\n");
	}
}

/* --- routes --- */

static bool same_matcher(const struct matcher *a, const struct matcher *b)
{
	return a->op == b->op && str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

/* Whatever matches b matches a: each of a's matchers stands in b, too. */
static bool covers(const struct route_config *a, const struct route_config *b)
{
	for (size_t i = 0; i < a->n_matchers; i++) {
		bool found = false;

		for (size_t k = 0; k < b->n_matchers && !found; k++)
			found = same_matcher(&a->matchers[i], &b->matchers[k]);
		if (!found)
			return false;
	}
	return true;
}

static void matchers(struct config_linter *l, const struct route_config *r)
{
	buf_ch(l->out, '{');
	for (size_t i = 0; i < r->n_matchers; i++) {
		buf_c(l->out, i > 0 ? ", " : "");
		matcher_print(l->out, &r->matchers[i]);
	}
	buf_ch(l->out, '}');
}

/* Depth is bounded by LIMIT_YAML_DEPTH. */
static void check_route(/* NOLINT(misc-no-recursion) */
	struct config_linter *l, const struct route_config *r)
{
	for (size_t i = 0; i < r->n_routes; i++) {
		for (size_t k = 0; k < i; k++) {
			if (r->routes[k].continue_ || !covers(&r->routes[k], &r->routes[i]))
				continue;
			problem(l);
			buf_c(l->out, "no alert comes to the route ");
			matchers(l, &r->routes[i]);
			buf_c(l->out, ": ");
			matchers(l, &r->routes[k]);
			buf_c(l->out, " before it takes them all, without continue\n");
			break;
		}
		check_route(l, &r->routes[i]);
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

	for (size_t i = 0; i < n->n_receivers; i++) {
		struct str name = n->receivers[i].name;

		if (routed_to(&n->root, name) || stands_in(n, name))
			continue;
		problem(l);
		buf_printf(l->out, "receiver \"" STR_FMT "\" is told by no route\n", STR_ARG(name));
	}
}

size_t config_lint(const struct config *c, const struct rule_set *rules, struct diag *d,
	struct arena *scratch, struct buf *out)
{
	struct config_linter l = {.c = c, .out = out};
	struct lint rl = {.d = d, .a = scratch, .no_hints = true};

	check_scrapes(&l);
	if (c->notify.root.receiver.n > 0)
		check_route(&l, &c->notify.root);
	check_receivers(&l);
	if (rules != NULL)
		rule_lint(&rl, rules);
	return l.n + rl.problems;
}
