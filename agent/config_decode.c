/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_decode - YAML into the structs of the schema: the one walk that knows keys, types,
 * defaults, environment variables and secret files.
 *
 * It never stops at an error: everything wrong with a file is told at once. Messages show the
 * text as it stands in the file, never what a variable expanded to, and never a secret's value.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/config_load.h"
#include "base/fd.h"
#include "base/num.h"

#define SECRET_FILE_MAX 65536u /* bytes of a file that holds one secret */

struct diag_pos config_pos(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *v = yaml_get(map, str_c(key));

	if (v == NULL)
		return map != NULL ? map->pos : (struct diag_pos){0};
	return v->pos;
}

bool config_given(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *v = yaml_get(map, str_c(key));

	return v != NULL && v->kind != YAML_NULL;
}

struct str config_path(struct loader *l, struct str path)
{
	if (path.n == 0 || path.p[0] == '/')
		return path;
	return arena_printf(
		l->arena, "%.*s%.*s", (int)l->folder.n, l->folder.p, (int)path.n, path.p);
}

struct str config_pattern(struct loader *l, struct str pattern)
{
	struct str folder = pattern.n > 0 && pattern.p[0] == '/' ? STR("") : l->folder, out;
	struct buf b;

	buf_init(&b, 16384);
	for (size_t i = 0; i < folder.n; i++) {
		if (strchr("*?[\\", folder.p[i]) != NULL)
			buf_ch(&b, '\\');
		buf_ch(&b, folder.p[i]);
	}
	buf_str(&b, pattern);
	out = b.failed ? STR_NULL : arena_str(l->arena, buf_view(&b));
	buf_fini(&b);
	return out;
}

static bool is_number(const struct config_key *k)
{
	return k->type == CT_DUR || k->type == CT_WINDOW || k->type == CT_SIZE ||
	       k->type == CT_UINT;
}

static void check_range(struct loader *l, const struct config_key *k, const struct yaml_node *node,
	const void *place)
{
	struct config_key bound = *k;
	int64_t v = *(const int64_t *)place, low = k->min, high = k->max;
	struct buf b;

	if (k->max == 0 || (v >= low && v <= high))
		return;
	bound.max = 0;
	buf_init(&b, 200);
	config_print_value(&bound, &low, &b);
	buf_c(&b, " to ");
	config_print_value(&bound, &high, &b);
	diag_error(l->diag, node->pos, "%s must be %s", k->name, b.p != NULL ? b.p : "");
	buf_fini(&b);
}

static void decode_scalar(
	struct loader *l, const struct config_key *k, const struct yaml_node *node, void *place)
{
	struct str text;
	struct err e = {0};
	bool expanded;

	if (!config_scalar(l, k->name, node, &text))
		return;
	if (node->kind == YAML_NULL)
		return; /* as if it were not there */
	expanded = text.p != node->scalar.p;
	if (k->type == CT_BOOL && node->quoted && !expanded) {
		diag_error(l->diag, node->pos, "%s: write true or false without quotes", k->name);
		return;
	}
	if (!config_scalar_set(k, text, place, &e)) {
		if (expanded || (k->flags & CF_SECRET))
			diag_error(l->diag, node->pos,
				"%s: what the variable holds is not a valid value", k->name);
		else
			diag_error(l->diag, node->pos, "%s: %s", k->name, e.msg);
		return;
	}
	if (is_number(k))
		check_range(l, k, node, place);
	if (k->flags & CF_PATH)
		*(struct str *)place = config_path(l, *(struct str *)place);
	if ((k->flags & CF_SECRET) && !expanded && text.n > 0)
		l->p->inline_secrets = true;
}

/* ---- lists and maps of strings ---- */

static bool is_list(struct loader *l, const char *what, const struct yaml_node *node)
{
	if (node->kind == YAML_SEQ)
		return true;
	diag_error(l->diag, node->pos, "%s must be a list, not a %s", what,
		node->kind == YAML_MAP ? "map" : "single value");
	return false;
}

static bool is_map(struct loader *l, const char *what, const struct yaml_node *node)
{
	if (node->kind == YAML_MAP)
		return true;
	diag_error(l->diag, node->pos, "%s must be a map of keys and values, not a %s", what,
		node->kind == YAML_SEQ ? "list" : "single value");
	return false;
}

struct strs {
	const struct str *v;
	size_t n;
};
struct pairs {
	const struct label *v;
	size_t n;
};

static void decode_strs(struct loader *l, const struct config_key *k, const struct yaml_node *node,
	struct strs *out)
{
	const struct yaml_node *const one[1] = {node};
	bool scalar = (k->flags & CF_ONE_OR_MANY) && node->kind == YAML_SCALAR;
	const struct yaml_node *const *items = scalar ? one : node->items;
	size_t n = scalar ? 1 : node->n, kept = 0;
	struct str *v;

	if (!scalar && !is_list(l, k->name, node))
		return;
	v = ARENA_ARRAY(l->arena, n, struct str);
	for (size_t i = 0; v != NULL && i < n; i++) {
		if (items[i]->kind == YAML_NULL)
			diag_error(l->diag, items[i]->pos, "empty entry in %s", k->name);
		else if (config_scalar(l, k->name, items[i], &v[kept]))
			kept++;
	}
	*out = (struct strs){v, kept};
}

static void decode_labels(struct loader *l, const struct config_key *k,
	const struct yaml_node *node, struct labels *out)
{
	struct label *v;
	size_t n = 0;

	if (!is_map(l, k->name, node))
		return;
	v = ARENA_ARRAY(l->arena, node->n, struct label);
	for (size_t i = 0; v != NULL && i < node->n; i++) {
		const struct yaml_pair *p = &node->pairs[i];

		if (p->key->scalar.n == 0)
			diag_error(l->diag, p->key->pos, "empty label name");
		else if (config_scalar(l, k->name, p->value, &v[n].value))
			v[n++].name = p->key->scalar;
	}
	if (v != NULL)
		(void)labels_sort(v, &n); /* keys of a map are distinct */
	*out = (struct labels){v, n};
}

static void decode_pairs(struct loader *l, const struct config_key *k, const struct yaml_node *node,
	struct pairs *out)
{
	size_t n = 0, max = 0;
	struct label *v;

	if (!is_map(l, k->name, node))
		return;
	for (size_t i = 0; i < node->n; i++)
		max += node->pairs[i].value->kind == YAML_SEQ ? node->pairs[i].value->n : 1;
	v = ARENA_ARRAY(l->arena, max, struct label);
	for (size_t i = 0; v != NULL && i < node->n; i++) {
		const struct yaml_pair *p = &node->pairs[i];
		struct strs values = {0};
		struct config_key one = {.name = k->name};

		if (k->type == CT_PARAMS) {
			decode_strs(l, &one, p->value, &values);
			for (size_t j = 0; j < values.n; j++)
				v[n++] = (struct label){p->key->scalar, values.v[j]};
		} else if (config_scalar(l, k->name, p->value, &v[n].value)) {
			v[n++].name = p->key->scalar;
		}
	}
	*out = (struct pairs){v, n};
}

/* ---- sections ---- */

static void decode_unbuilt(struct loader *l, const struct config_section *s,
	const struct config_key *k, const struct yaml_pair *p)
{
	const struct yaml_node *node = p->value;
	bool empty = node->kind == YAML_NULL ||
		     (node->kind != YAML_SCALAR ? node->n == 0 : node->scalar.n == 0);

	if (empty || (k->def != NULL && node->kind == YAML_SCALAR &&
			     str_eq(node->scalar, str_c(k->def))))
		return;
	if (k->def != NULL)
		diag_error(l->diag, node->pos,
			"%s%s%s other than %s is not supported by this version", s->name,
			s->name[0] != '\0' ? "." : "", k->name, k->def);
	else
		diag_error(l->diag, p->key->pos, "%s is not supported by this version", k->name);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void decode_list(struct loader *l, const struct config_key *k, const struct yaml_node *node,
	struct strs *out)
{
	size_t n = 0;
	char *v;

	if (!is_list(l, k->name, node))
		return;
	v = arena_alloc(l->arena, node->n, k->sub->size);
	for (size_t i = 0; v != NULL && i < node->n; i++) {
		if (node->items[i]->kind == YAML_NULL)
			diag_error(l->diag, node->items[i]->pos, "empty entry in %s", k->name);
		else if (is_map(l, k->name, node->items[i]))
			config_decode(l, k->sub, node->items[i], v + k->sub->size * n++);
	}
	*out = (struct strs){(const void *)v, n};
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void decode_value(struct loader *l, const struct config_section *s,
	const struct config_key *k, const struct yaml_pair *p, void *out)
{
	const struct yaml_node *node = p->value;
	void *place = (char *)out + k->off;

	if (k->type == CT_UNBUILT) {
		decode_unbuilt(l, s, k, p);
		return;
	}
	if (node->kind == YAML_NULL)
		return; /* as if it were not there */
	switch (k->type) {
	case CT_STRS: decode_strs(l, k, node, place); break;
	case CT_LABELS: decode_labels(l, k, node, place); break;
	case CT_PAIRS:
	case CT_PARAMS: decode_pairs(l, k, node, place); break;
	case CT_NODE: *(const struct yaml_node **)place = node; break;
	case CT_MAP:
		if (is_map(l, k->name, node))
			config_decode(l, k->sub, node, place);
		break;
	case CT_LIST: decode_list(l, k, node, place); break;
	case CT_STR:
	case CT_BOOL:
	case CT_DUR:
	case CT_WINDOW:
	case CT_SIZE:
	case CT_UINT:
	case CT_ENUM: decode_scalar(l, k, node, place); break;
	case CT_MATCHERS:
	case CT_UNBUILT: break;
	}
}

/* A secret from a file: without the line end editors leave. Devices and pipes are not waited for.
 */
static void read_secret(
	struct loader *l, const struct config_key *k, const struct yaml_node *node, void *out)
{
	struct str path, text;
	struct stat st;
	struct err e = {0};

	if (!config_scalar(l, k->name, node, &path) || path.n == 0 || l->no_files)
		return;
	path = config_path(l, path);
	path = arena_str(l->arena, path); /* ends with a NUL */
	if (path.p == NULL || memchr(path.p, '\0', path.n) != NULL)
		return;
	if (stat(path.p, &st) == 0 && !S_ISREG(st.st_mode)) {
		diag_error(l->diag, node->pos, "%s_file: " STR_FMT " is not a file", k->name,
			STR_ARG(path));
		return;
	}
	if (fd_read_file(path.p, SECRET_FILE_MAX, l->arena, &text, &e) != 0) {
		if (l->check) /* checked elsewhere than where it will run */
			diag_warn(l->diag, node->pos, "%s_file: %s", k->name, e.msg);
		else
			diag_error(l->diag, node->pos, "%s_file: %s", k->name, e.msg);
		return;
	}
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	if (text.n == 0)
		diag_error(l->diag, node->pos, "%s_file: " STR_FMT " is empty", k->name,
			STR_ARG(path));
	*(struct str *)(void *)((char *)out + k->off) = text;
}

/* "x_file" of a secret x: true when it was one. */
static bool decode_twin(struct loader *l, const struct config_section *s,
	const struct yaml_node *map, const struct yaml_pair *p, void *out)
{
	struct str name = p->key->scalar, base;
	const struct config_key *k;

	if (!str_ends(name, STR("_file")))
		return false;
	base = str_sub(name, 0, name.n - 5);
	k = config_key_find(s, base);
	if (k == NULL || !(k->flags & (CF_SECRET | CF_FILE)) ||
		(k->type != CT_STR && k->type != CT_UNBUILT))
		return false;
	if (p->value->kind == YAML_NULL ||
		(p->value->kind == YAML_SCALAR && p->value->scalar.n == 0))
		return true;
	if (config_given(map, k->name))
		diag_error(l->diag, p->key->pos, "at most one of %s and %s_file may be given",
			k->name, k->name);
	else if (k->type == CT_UNBUILT)
		diag_error(
			l->diag, p->key->pos, "%s_file is not supported by this version", k->name);
	else
		read_secret(l, k, p->value, out);
	return true;
}

static bool says_something(const struct config_key *k, const struct yaml_node *node)
{
	bool as_default =
		k->def != NULL && node->kind == YAML_SCALAR && str_eq(node->scalar, str_c(k->def));

	return node->kind != YAML_NULL && !as_default &&
	       (node->kind == YAML_SCALAR ? node->scalar.n > 0 : node->n > 0);
}

/* Keys that are read but not acted on. */
static void tell_use(struct loader *l, const struct config_key *k, const struct yaml_pair *p)
{
	if (!(k->flags & (CF_CHECK_ONLY | CF_NO_EFFECT)) || !says_something(k, p->value))
		return;
	if (k->flags & CF_NO_EFFECT)
		diag_warn(l->diag, p->key->pos, "%s has no effect in belfry", k->name);
	else if (l->check)
		diag_warn(l->diag, p->key->pos, "%s is only checked: belfry cannot run with it",
			k->name);
	else
		diag_error(l->diag, p->key->pos, "%s is only checked: belfry cannot run with it",
			k->name);
}

static void unknown_key(struct loader *l, const struct config_section *s, const struct yaml_pair *p)
{
	struct str name = p->key->scalar, names[128], near;
	const char *where = config_key_elsewhere(name);
	const char *place = s->name[0] != '\0' ? s->name : "the file's top level";
	struct buf b;

	for (size_t i = 0; i < s->n && i < ARRAY_LEN(names); i++)
		names[i] = str_c(s->keys[i].name);
	near = diag_nearest(name, names, MIN_OF(s->n, ARRAY_LEN(names)));
	if (near.n > 0 && config_key_is_secret(near) && p->value->kind == YAML_SCALAR)
		diag_secret(l->diag, p->value->pos);
	if (near.n > 0) {
		diag_error(l->diag, p->key->pos,
			"unknown key \"" STR_FMT "\", did you mean \"" STR_FMT "\"?", STR_ARG(name),
			STR_ARG(near));
		return;
	}
	if (where != NULL && l->alertmanager && strcmp(where, s->name) == 0) {
		diag_error(l->diag, p->key->pos,
			"unknown key \"" STR_FMT "\": it is belfry.yml's, not Alertmanager's",
			STR_ARG(name));
		return;
	}
	if (where != NULL) {
		diag_error(l->diag, p->key->pos,
			"unknown key \"" STR_FMT "\" in %s; it belongs %s%s", STR_ARG(name), place,
			where[0] != '\0' ? "in " : "to the top level", where);
		return;
	}
	buf_init(&b, 400);
	for (size_t i = 0; i < s->n; i++) {
		if (s->keys[i].type != CT_UNBUILT)
			buf_printf(&b, "%s%s", b.n > 0 ? ", " : "", s->keys[i].name);
	}
	diag_error(l->diag, p->key->pos, "unknown key \"" STR_FMT "\" in %s; known here: %s",
		STR_ARG(name), place, b.failed || b.p == NULL ? "see the reference" : b.p);
	buf_fini(&b);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table without its lists */
static void set_defaults(struct loader *l, const struct config_section *s, void *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		void *place = (char *)out + k->off;
		struct err e;

		if (k->type == CT_MAP && k->sub != s)
			set_defaults(l, k->sub, place);
		if (k->def == NULL || k->type == CT_UNBUILT)
			continue;
		if (k->type == CT_STRS) {
			struct str *one = ARENA_NEW(l->arena, struct str);

			if (one != NULL)
				*one = str_c(k->def);
			*(struct strs *)place = (struct strs){one, one != NULL};
		} else {
			(void)config_scalar_set(k, str_c(k->def), place, &e); /* tested */
		}
	}
}

static void check_required(
	struct loader *l, const struct config_section *s, const struct yaml_node *node, void *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		struct buf twin;

		if (!(k->flags & CF_REQUIRED) ||
			((const struct str *)(void *)((char *)out + k->off))->n > 0)
			continue;
		buf_init(&twin, 100);
		buf_printf(&twin, "%s_file", k->name);
		if (!(k->flags & CF_SECRET) || !config_given(node, twin.p != NULL ? twin.p : ""))
			diag_error(l->diag, config_pos(node, k->name), "%s needs \"%s\"", s->name,
				k->name);
		buf_fini(&twin);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
void config_decode(
	struct loader *l, const struct config_section *s, const struct yaml_node *node, void *out)
{
	set_defaults(l, s, out);
	*(const struct yaml_node **)out = node;
	if (node == NULL)
		return;
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *p = &node->pairs[i];
		const struct config_key *k = config_key_find(s, p->key->scalar);

		if (l->alertmanager && l->alertmanager_minor != 0)
			config_alertmanager_key(l, s, p->key);
		if (k != NULL) {
			decode_value(l, s, k, p, out);
			tell_use(l, k, p);
		} else if (!decode_twin(l, s, node, p, out)) {
			unknown_key(l, s, p);
		}
	}
	check_required(l, s, node, out);
}
