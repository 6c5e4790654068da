/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_matchers - the three ways matchers are written: a map of values, a map of expressions, a
 * list of lines; compiled, and ended with the configuration.
 */
#include "agent/config_load.h"
#include "base/matcher_parse.h"
#include "base/num.h"

struct matcher_list {
	struct matcher *v;
	size_t n, cap;
};

static void add_matchers(struct loader *l, struct matcher_list *list, struct matcher *m, size_t n)
{
	size_t need = list->n + n;

	if (n == 0)
		return; /* "{}" */
	if (need > list->cap) {
		size_t cap = MAX_OF(need, list->cap * 2);
		struct matcher *v = ARENA_ARRAY(l->arena, cap, struct matcher);

		if (v == NULL) {
			for (size_t i = 0; i < n; i++)
				matcher_fini(&m[i]);
			return;
		}
		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof *v);
		list->v = v;
		list->cap = cap;
	}
	memcpy(list->v + list->n, m, n * sizeof *m);
	list->n = need;
}

static void matcher_line(
	struct loader *l, const char *key, const struct yaml_node *node, struct matcher_list *list)
{
	struct matcher *m;
	struct str text;
	struct err e = {0};
	size_t n;

	if (node->kind == YAML_NULL) {
		diag_error(l->diag, node->pos, "empty entry in %s", key);
		return;
	}
	if (node->kind == YAML_MAP) {
		diag_error(l->diag, node->pos,
			"%s must be a list of texts such as 'severity=\"critical\"', not a map",
			key);
		return;
	}
	if (!config_scalar(l, key, node, &text))
		return;
	if (matchers_parse(l->arena, text, &m, &n, &e) == 0)
		add_matchers(l, list, m, n);
	else
		diag_error(l->diag,
			text.p == node->scalar.p ? yaml_scalar_pos(node, e.off, 1) : node->pos,
			"%s: %s", key, e.msg);
}

static void matcher_map(struct loader *l, const char *key, enum matcher_op op,
	const struct yaml_node *node, struct matcher_list *list)
{
	if (node == NULL)
		return;
	if (node->kind != YAML_MAP) {
		diag_error(l->diag, node->pos, "%s must be a map of labels and values", key);
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *p = &node->pairs[i];
		struct matcher m;
		struct str value;
		struct err e = {0};

		if (p->key->scalar.n == 0)
			diag_error(l->diag, p->key->pos, "%s: empty label name", key);
		else if (op == MATCH_RE && p->value->kind == YAML_NULL)
			diag_error(l->diag, p->key->pos, "%s: \"" STR_FMT "\" has no expression",
				key, STR_ARG(p->key->scalar));
		else if (!config_scalar(l, key, p->value, &value))
			continue;
		else if (matcher_init(&m, op, p->key->scalar, value, &e) != 0)
			diag_error(l->diag, p->value->pos, "%s: %s", key, e.msg);
		else
			add_matchers(l, list, &m, 1);
	}
}

void config_matchers_read(struct loader *l, const struct config_matcher_keys *k,
	const struct yaml_node *const nodes[3], const struct matcher **out, size_t *n)
{
	const struct yaml_node *lines = nodes[2];
	struct matcher_list list = {NULL, 0, 0};
	struct config_matchers *keep;

	*out = NULL;
	*n = 0;
	matcher_map(l, k->match, MATCH_EQ, nodes[0], &list);
	matcher_map(l, k->match_re, MATCH_RE, nodes[1], &list);
	if (lines != NULL && lines->kind == YAML_SEQ) {
		for (size_t i = 0; i < lines->n; i++)
			matcher_line(l, k->matchers, lines->items[i], &list);
	} else if (lines != NULL) {
		matcher_line(l, k->matchers, lines, &list);
	}
	if (list.n == 0)
		return;
	keep = ARENA_NEW(l->arena, struct config_matchers);
	if (keep == NULL) {
		for (size_t i = 0; i < list.n; i++)
			matcher_fini(&list.v[i]);
		return;
	}
	*keep = (struct config_matchers){list.v, list.n, l->p->matchers};
	l->p->matchers = keep;
	*out = list.v;
	*n = list.n;
}
