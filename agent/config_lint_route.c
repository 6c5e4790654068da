/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_lint_route - routes that no alert comes to: their matchers, with those above them, cannot
 * all be true, or a route before them takes all that they match. Depth is bounded by
 * LIMIT_YAML_DEPTH.
 */
#include "agent/config_lint_private.h"

#define MATCHERS_TEXT 400u

struct path { /* a route and those above it */
	const struct conf_route *r;
	const struct path *up;
};

/* Of m's label: the value an alert must have here, or NULL. */
static const struct matcher *fixed(const struct path *p, struct str name)
{
	for (; p != NULL; p = p->up) {
		for (size_t i = 0; i < p->r->n_matchers; i++) {
			const struct matcher *m = &p->r->matchers[i];

			if (m->op == MATCH_EQ && str_eq(m->name, name))
				return m;
		}
	}
	return NULL;
}

/* Every alert that comes to the path's end matches m. */
static bool implied(const struct path *p, const struct matcher *m)
{
	const struct matcher *eq = fixed(p, m->name);

	if (eq != NULL)
		return matcher_matches(m, eq->value);
	for (; p != NULL; p = p->up) {
		for (size_t i = 0; i < p->r->n_matchers; i++) {
			if (config_lint_same_matcher(m, &p->r->matchers[i]))
				return true;
		}
	}
	return false;
}

/* What each matcher of the route asks for can be so with those beside and above it. */
static const struct matcher *contradiction(const struct path *p, const struct matcher **other)
{
	for (size_t i = 0; i < p->r->n_matchers; i++) {
		const struct matcher *m = &p->r->matchers[i];

		for (const struct path *q = p; q != NULL; q = q->up) {
			for (size_t k = 0; k < q->r->n_matchers; k++) {
				*other = &q->r->matchers[k];
				if (!str_eq((*other)->name, m->name))
					continue;
				if (m->op == MATCH_EQ && !matcher_matches(*other, m->value))
					return m;
				if ((*other)->op == MATCH_EQ &&
					!matcher_matches(m, (*other)->value))
					return m;
			}
		}
	}
	return NULL;
}

static void put_matchers(struct buf *b, const struct matcher *v, size_t n)
{
	buf_ch(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_c(b, i > 0 ? ", " : "");
		matcher_print(b, &v[i]);
	}
	buf_ch(b, '}');
}

static void tell_shadow(
	struct config_linter *l, const struct conf_route *r, const struct conf_route *before)
{
	struct buf mine, theirs;

	buf_init(&mine, 65536);
	buf_init(&theirs, 65536);
	put_matchers(&mine, r->matchers, r->n_matchers);
	put_matchers(&theirs, before->matchers, before->n_matchers);
	config_lint_problem(l, r->node->pos,
		"no alert comes to the route " STR_FMT ": " STR_FMT
		" in line %u takes them all, without continue",
		STR_ARG(str_sub(buf_view(&mine), 0, MATCHERS_TEXT / 2)),
		STR_ARG(str_sub(buf_view(&theirs), 0, MATCHERS_TEXT / 2)), before->node->pos.line);
	buf_fini(&mine);
	buf_fini(&theirs);
}

static void tell_contradiction(struct config_linter *l, const struct conf_route *r,
	const struct matcher *a, const struct matcher *b)
{
	struct buf text;

	buf_init(&text, 65536);
	matcher_print(&text, a);
	buf_c(&text, " and ");
	matcher_print(&text, b);
	config_lint_problem(l, r->node->pos,
		"no alert comes to this route: " STR_FMT " cannot both be true",
		STR_ARG(str_sub(buf_view(&text), 0, MATCHERS_TEXT)));
	buf_fini(&text);
}

static bool takes_all(const struct conf_route *before, const struct path *p)
{
	for (size_t i = 0; i < before->n_matchers; i++) {
		if (!implied(p, &before->matchers[i]))
			return false;
	}
	return !before->continue_;
}

static void check_children(/* NOLINT(misc-no-recursion) */
	struct config_linter *l, const struct path *up)
{
	for (size_t i = 0; i < up->r->n_routes; i++) {
		struct path p = {&up->r->routes[i], up};
		const struct matcher *a, *b;
		size_t k = 0;

		a = contradiction(&p, &b);
		if (a != NULL) {
			tell_contradiction(l, p.r, a, b);
			continue; /* what is below it, and behind, need not be told */
		}
		while (k < i && !takes_all(&up->r->routes[k], &p))
			k++;
		if (k < i)
			tell_shadow(l, p.r, &up->r->routes[k]);
		else
			check_children(l, &p);
	}
}

void config_lint_routes(struct config_linter *l)
{
	const struct path root = {&l->root->route, NULL};

	check_children(l, &root);
}
