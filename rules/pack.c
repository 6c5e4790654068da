/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack - reads a pack's two files; see pack.h. The rule file's expressions are looked at for marks
 * only: whatever else may be wrong with them is told when the rendered file is loaded.
 */
#include "rules/pack.h"

#include "base/limits.h"
#include "base/num.h"
#include "pack_assets.h"
#include "rules/pack_internal.h"

struct reader {
	struct arena *a;
	struct diag *d;
};

static const struct str top_keys[] = {
	{"title", 5}, {"doc", 3}, {"uses", 4}, {"params", 6}, {"inhibit_rules", 13}};
static const struct str param_keys[] = {
	{"name", 4}, {"default", 7}, {"min", 3}, {"max", 3}, {"doc", 3}};

static void check_keys(
	const struct reader *r, const struct yaml_node *map, const struct str *keys, size_t n)
{
	for (size_t i = 0; i < map->n; i++) {
		bool known = false;

		for (size_t j = 0; j < n; j++)
			known = known || str_eq(map->pairs[i].key->scalar, keys[j]);
		if (!known)
			diag_error(r->d, map->pairs[i].key->pos,
				"unknown key \"" STR_FMT "\" in a pack",
				STR_ARG(map->pairs[i].key->scalar));
	}
}

static struct str text(const struct reader *r, const struct yaml_node *map, struct str key)
{
	const struct yaml_node *v = yaml_get(map, key);

	if (v == NULL)
		return STR("");
	if (v->kind != YAML_SCALAR)
		diag_error(r->d, v->pos, STR_FMT " must be a text", STR_ARG(key));
	return v->scalar;
}

static double number(const struct reader *r, const struct yaml_node *map, struct str key)
{
	const struct yaml_node *v = yaml_get(map, key);
	double out = 0;

	if (v != NULL && (v->kind != YAML_SCALAR || !str_to_f64(v->scalar, &out)))
		diag_error(r->d, v->pos, STR_FMT " must be a number", STR_ARG(key));
	return out;
}

static const struct yaml_node *list(
	const struct reader *r, const struct yaml_node *map, struct str key)
{
	const struct yaml_node *v = yaml_get(map, key);

	if (v == NULL || v->kind == YAML_NULL)
		return NULL;
	if (v->kind == YAML_SEQ)
		return v;
	diag_error(r->d, v->pos, STR_FMT " must be a list", STR_ARG(key));
	return NULL;
}

static void read_params(const struct reader *r, const struct yaml_node *seq, struct pack *p)
{
	struct pack_param *v = seq != NULL ? ARENA_ARRAY(r->a, seq->n, struct pack_param) : NULL;

	for (size_t i = 0; v != NULL && i < seq->n; i++) {
		const struct yaml_node *n = seq->items[i];

		if (n->kind != YAML_MAP || yaml_get(n, STR("name")) == NULL ||
			yaml_get(n, STR("default")) == NULL) {
			diag_error(r->d, n->pos, "a parameter needs a name and a default");
			continue;
		}
		check_keys(r, n, param_keys, ARRAY_LEN(param_keys));
		v[p->n_params++] = (struct pack_param){.name = text(r, n, STR("name")),
			.doc = text(r, n, STR("doc")),
			.def = number(r, n, STR("default")),
			.min = number(r, n, STR("min")),
			.max = number(r, n, STR("max"))};
	}
	p->params = v;
}

static void read_uses(const struct reader *r, const struct yaml_node *seq, struct pack *p)
{
	struct str *v = seq != NULL ? ARENA_ARRAY(r->a, seq->n, struct str) : NULL;

	for (size_t i = 0; v != NULL && i < seq->n; i++)
		v[p->n_uses++] = seq->items[i]->scalar;
	p->uses = v;
}

static const struct yaml_node *document(const struct reader *r, const struct diag_file *f)
{
	const struct yaml_node *const *docs;
	size_t n = 0;

	docs = yaml_parse(r->a, f, r->d, &n);
	if (docs == NULL)
		return NULL;
	if (n == 1 && docs[0]->kind == YAML_MAP)
		return docs[0];
	diag_error(r->d, (struct diag_pos){.file = f}, "one YAML map is expected");
	return NULL;
}

/* Every mark names a parameter, at its default. */
static void check_marks(const struct reader *r, const struct pack *p, const struct yaml_node *rule)
{
	const struct yaml_node *expr = yaml_get(rule, STR("expr"));
	struct arena_mark m = arena_mark(r->a);
	struct err e;

	if (expr == NULL || expr->kind != YAML_SCALAR)
		return;
	if (pack_expr(r->a, p, expr->scalar, NULL, NULL, &e) != 0)
		diag_error(r->d, yaml_scalar_pos(expr, e.off, 1), "%s", e.msg);
	arena_release(r->a, m);
}

static void check_rules(const struct reader *r, const struct pack *p)
{
	const struct yaml_node *groups = list(r, p->rules, STR("groups"));

	for (size_t i = 0; groups != NULL && i < groups->n; i++) {
		const struct yaml_node *rules = groups->items[i]->kind == YAML_MAP
							? list(r, groups->items[i], STR("rules"))
							: NULL;

		for (size_t j = 0; rules != NULL && j < rules->n; j++) {
			if (rules->items[j]->kind == YAML_MAP)
				check_marks(r, p, rules->items[j]);
		}
	}
}

static struct str base_name(struct str path)
{
	size_t from = path.n, to;

	while (from > 0 && path.p[from - 1] != '/')
		from--;
	path = str_sub(path, from, path.n);
	to = str_find(path, '.');
	return str_sub(path, 0, to);
}

const struct pack *pack_parse(struct arena *a, const struct diag_file *rules,
	const struct diag_file *meta, struct diag *d)
{
	struct reader r = {a, d};
	size_t before = diag_errors(d);
	struct pack *p = ARENA_NEW(a, struct pack);
	const struct yaml_node *m = document(&r, meta);

	if (p == NULL || m == NULL)
		return NULL;
	p->name = base_name(rules->path);
	check_keys(&r, m, top_keys, ARRAY_LEN(top_keys));
	p->title = text(&r, m, STR("title"));
	p->doc = text(&r, m, STR("doc"));
	read_params(&r, list(&r, m, STR("params")), p);
	read_uses(&r, list(&r, m, STR("uses")), p);
	p->inhibit_rules = list(&r, m, STR("inhibit_rules"));
	p->rules = document(&r, rules);
	if (p->rules != NULL)
		check_rules(&r, p);
	return diag_errors(d) == before && !a->failed ? p : NULL;
}

/* --- built-in packs --- */

size_t pack_count(void)
{
	return pack_assets_n;
}

struct str pack_name(size_t i)
{
	return str_c(pack_assets[i].name);
}

static struct diag_file *asset(
	struct arena *a, struct str name, const char *ending, const unsigned char *bytes, size_t n)
{
	struct diag_file *f = ARENA_NEW(a, struct diag_file);

	if (f == NULL)
		return NULL;
	f->path = arena_printf(a, "pack:%.*s%s", (int)name.n, name.p, ending);
	f->text = str_n((const char *)bytes, n);
	return f;
}

const struct pack *pack_builtin(struct arena *a, struct str name, struct diag *d)
{
	for (size_t i = 0; i < pack_assets_n; i++) {
		const struct pack_asset *s = &pack_assets[i];
		const struct diag_file *rules, *meta;
		struct pack *p;

		if (!str_eq(name, str_c(s->name)))
			continue;
		rules = asset(diag_arena(d), name, "", s->rules, s->rules_len);
		meta = asset(diag_arena(d), name, ".pack", s->meta, s->meta_len);
		if (rules == NULL || meta == NULL)
			return NULL;
		p = (struct pack *)(uintptr_t)pack_parse(a, rules, meta, d);
		if (p != NULL)
			p->name = str_c(s->name);
		return p;
	}
	return NULL;
}
