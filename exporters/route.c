/* SPDX-License-Identifier: Apache-2.0 */
/* route - flattening and walking the routing tree; see route.h. */
#include "exporters/route.h"

#include "base/limits.h"

#define ROUTE_DEPTH LIMIT_YAML_DEPTH /* the tree comes from a YAML file of bounded depth */

/* NOLINTNEXTLINE(misc-no-recursion): at most ROUTE_DEPTH levels */
static size_t count_nodes(const struct route_config *r, unsigned depth)
{
	size_t n = 1;

	if (depth > ROUTE_DEPTH)
		return 0;
	for (size_t i = 0; i < r->n_routes; i++)
		n += count_nodes(&r->routes[i], depth + 1);
	return n;
}

static const struct receiver_config *find_receiver(const struct notify_config *cfg, struct str name)
{
	for (size_t i = 0; i < cfg->n_receivers; i++) {
		if (str_eq(cfg->receivers[i].name, name))
			return &cfg->receivers[i];
	}
	return NULL;
}

static struct str node_key(const struct route_table *t, struct arena *a, struct str parent,
	const struct route_config *r)
{
	struct str key = STR_NULL;
	struct buf b;
	unsigned twin = 1;

	buf_init(&b, (size_t)1 << 20);
	buf_str(&b, parent);
	if (parent.n > 0)
		buf_ch(&b, '/');
	buf_ch(&b, '{');
	for (size_t i = 0; i < r->n_matchers; i++) {
		if (i > 0)
			buf_ch(&b, ',');
		matcher_print(&b, &r->matchers[i]);
	}
	buf_ch(&b, '}');
	key = arena_str(a, buf_view(&b));
	while (route_find(t, key) < t->n) {
		twin++;
		key = arena_printf(a, "%s#%u", b.p, twin);
	}
	buf_fini(&b);
	return key;
}

struct flatten {
	struct route_table *t;
	struct arena *a;
	const struct notify_config *cfg;
};

/* NOLINTNEXTLINE(misc-no-recursion): at most ROUTE_DEPTH levels */
static void add_node(
	struct flatten *f, const struct route_config *r, struct str parent, unsigned depth)
{
	struct route_table *t = f->t;
	size_t me;
	struct str key;

	if (depth > ROUTE_DEPTH)
		return;
	key = node_key(t, f->a, parent, r);
	me = t->n++;
	t->v[me] = (struct route_node){
		.cfg = r, .key = key, .receiver = find_receiver(f->cfg, r->receiver)};
	for (size_t i = 0; i < r->n_routes; i++)
		add_node(f, &r->routes[i], key, depth + 1);
	t->v[me].end = t->n;
}

void route_table_init(struct route_table *t, struct arena *a, const struct notify_config *cfg)
{
	struct flatten f = {t, a, cfg};

	*t = (struct route_table){0};
	if (cfg->root.receiver.n == 0)
		return;
	t->v = ARENA_ARRAY(a, count_nodes(&cfg->root, 0), struct route_node);
	if (t->v != NULL)
		add_node(&f, &cfg->root, STR_NULL, 0);
}

/* Nodes of the subtree at i that ls reaches. The node itself is known to match. */
/* NOLINTNEXTLINE(misc-no-recursion): at most ROUTE_DEPTH levels */
static size_t walk(const struct route_table *t, size_t i, struct labels ls, size_t *out, size_t max)
{
	size_t n = 0;
	bool any = false;

	for (size_t c = i + 1; c < t->v[i].end; c = t->v[c].end) {
		const struct route_config *r = t->v[c].cfg;

		if (!matchers_match(r->matchers, r->n_matchers, ls))
			continue;
		any = true;
		n += walk(t, c, ls, out + n, max - n);
		if (!r->continue_)
			break;
	}
	if (!any && n < max)
		out[n++] = i;
	return n;
}

size_t route_match(const struct route_table *t, struct labels ls, size_t *out, size_t max)
{
	if (t->n == 0 || max == 0)
		return 0;
	return walk(t, 0, ls, out, max);
}

struct labels route_group_labels(const struct route_config *cfg, struct labels ls, struct arena *a)
{
	struct label *v;
	size_t n = 0;

	if (cfg->group_by_all)
		return ls;
	v = ARENA_ARRAY(a, cfg->n_group_by, struct label);
	if (v == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < ls.n; i++) {
		for (size_t g = 0; g < cfg->n_group_by; g++) {
			if (str_eq(ls.v[i].name, cfg->group_by[g])) {
				v[n++] = ls.v[i];
				break;
			}
		}
	}
	return (struct labels){v, n};
}

size_t route_find(const struct route_table *t, struct str key)
{
	for (size_t i = 0; i < t->n; i++) {
		if (str_eq(t->v[i].key, key))
			return i;
	}
	return t->n;
}
