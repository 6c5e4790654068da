/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_packs - the `packs:` of belfry.yml: each becomes a rule file in memory, with its
 * parameters put in. A pack that another one brings along is taken once, with the settings of its
 * own entry where it has one. Built-in packs go by name; a pack of one's own is named by the path
 * of its rule file.
 */
#include <stdlib.h>

#include "agent/config_load.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/pack.h"
#include "rules/rules.h"

struct used {
	const struct pack *pack;
	struct pack_use use;
	struct diag_pos at;
};

struct uses {
	struct used v[LIMIT_PACKS];
	size_t n;
};

static bool is_path(struct str name)
{
	return str_find(name, '/') < name.n || str_ends(name, STR(".yml")) ||
	       str_ends(name, STR(".yaml"));
}

static const struct diag_file *read_text(struct loader *l, struct str path, struct diag_pos at)
{
	struct arena *a = diag_arena(l->diag);
	struct diag_file *f = ARENA_NEW(a, struct diag_file);
	struct err e = {0};

	if (f == NULL)
		return NULL;
	f->path = arena_str(a, path); /* ends with a NUL */
	if (f->path.p == NULL || memchr(path.p, '\0', path.n) != NULL ||
		fd_read_file(f->path.p, LIMIT_YAML_BYTES, a, &f->text, &e) != 0) {
		diag_error(l->diag, at, "use: %s", e.msg);
		return NULL;
	}
	return f;
}

static const struct pack *own_pack(struct loader *l, struct str name, struct diag_pos at)
{
	struct str path = config_path(l, name), dot = path;
	const struct diag_file *rules, *meta;

	if (l->no_files)
		return NULL;
	while (dot.n > 0 && dot.p[dot.n - 1] != '.' && dot.p[dot.n - 1] != '/')
		dot.n--;
	if (dot.n == 0 || dot.p[dot.n - 1] != '.') {
		diag_error(l->diag, at,
			"use: a pack of your own is named by its rule file, which ends with .yml");
		return NULL;
	}
	rules = read_text(l, path, at);
	meta = rules != NULL
		       ? read_text(l, arena_printf(l->arena, "%.*spack", (int)dot.n, dot.p), at)
		       : NULL;
	return meta != NULL ? pack_parse(l->arena, rules, meta, l->diag) : NULL;
}

static void no_such_pack(struct loader *l, struct str name, struct diag_pos at)
{
	struct str names[LIMIT_PACKS], near;
	size_t n = MIN_OF(pack_count(), (size_t)LIMIT_PACKS);
	struct buf b;

	for (size_t i = 0; i < n; i++)
		names[i] = pack_name(i);
	near = diag_nearest(name, names, n);
	buf_init(&b, 400);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s" STR_FMT, i > 0 ? ", " : "", STR_ARG(names[i]));
	if (near.n > 0)
		diag_error(l->diag, at,
			"there is no pack \"" STR_FMT "\", did you mean \"" STR_FMT "\"?",
			STR_ARG(name), STR_ARG(near));
	else
		diag_error(l->diag, at, "there is no pack \"" STR_FMT "\"; there are: %s",
			STR_ARG(name), b.failed || b.p == NULL ? "" : b.p);
	buf_fini(&b);
}

static const struct pack *find_pack(struct loader *l, struct str name, struct diag_pos at)
{
	size_t errors = diag_errors(l->diag);
	const struct pack *p;

	if (is_path(name))
		return own_pack(l, name, at);
	p = pack_builtin(l->arena, name, l->diag);
	if (p == NULL && diag_errors(l->diag) == errors)
		no_such_pack(l, name, at);
	return p;
}

static bool is_used(const struct uses *u, struct str name)
{
	for (size_t i = 0; i < u->n; i++) {
		if (str_eq(u->v[i].pack->name, name))
			return true;
	}
	return false;
}

static struct str runbooks_base(struct loader *l, const struct conf_pack *c)
{
	struct str url = l->p->root.web.external_url;

	if (c->runbooks.n > 0 || url.n == 0)
		return c->runbooks;
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	return arena_printf(l->arena, "%.*s/runbooks", (int)url.n, url.p);
}

static void add_named(struct loader *l, struct uses *u, const struct conf_pack *c)
{
	struct diag_pos at = config_pos(c->node, "use");
	const char *wrong = c->runbooks.n > 0 ? config_check_url(c->runbooks) : NULL;
	const struct pack *p;

	if (wrong != NULL)
		diag_error(l->diag, config_pos(c->node, "runbooks"), "runbooks: %s", wrong);
	if (u->n == LIMIT_PACKS) {
		diag_error(l->diag, at, "more than %u packs", LIMIT_PACKS);
		return;
	}
	p = c->use.n > 0 ? find_pack(l, c->use, at) : NULL;
	if (p == NULL)
		return;
	if (is_used(u, p->name)) {
		diag_error(l->diag, at, "pack " STR_FMT " is used twice", STR_ARG(p->name));
		return;
	}
	u->v[u->n++] = (struct used){.pack = p,
		.use = {.set = c->set,
			.n_set = c->n_set,
			.set_node = yaml_get(c->node, STR("set")),
			.disable = c->disable,
			.n_disable = c->n_disable,
			.disable_node = yaml_get(c->node, STR("disable")),
			.runbooks = runbooks_base(l, c)},
		.at = at};
}

/* A setting may also belong to a pack that comes along: each takes what it knows, and what no one
 * knows is an error of the pack that was named. */
static bool known_along(struct loader *l, const struct pack *p, struct str name)
{
	for (size_t i = 0; i < p->n_uses; i++) {
		const struct pack *q = pack_builtin(l->arena, p->uses[i], l->diag);

		for (size_t j = 0; q != NULL && j < q->n_params; j++) {
			if (str_eq(q->params[j].name, name))
				return true;
		}
	}
	return false;
}

static void own_settings_only(struct loader *l, struct used *u)
{
	struct label *v = ARENA_ARRAY(l->arena, u->use.n_set, struct label);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < u->use.n_set; i++) {
		if (!known_along(l, u->pack, u->use.set[i].name))
			v[n++] = u->use.set[i];
	}
	u->use.set = v;
	u->use.n_set = n;
}

static void add_along(struct loader *l, struct uses *u)
{
	size_t named = u->n;

	for (size_t i = 0; i < named; i++) {
		for (size_t j = 0; j < u->v[i].pack->n_uses; j++) {
			struct str name = u->v[i].pack->uses[j];
			struct used along = u->v[i];

			if (is_used(u, name) || u->n == LIMIT_PACKS)
				continue;
			along.pack = find_pack(l, name, along.at);
			along.use.ignore_foreign = true;
			if (along.pack != NULL)
				u->v[u->n++] = along;
		}
	}
	for (size_t i = 0; i < named; i++) {
		if (u->v[i].pack->n_uses > 0)
			own_settings_only(l, &u->v[i]);
	}
}

void config_finish_packs(struct loader *l)
{
	const struct conf_root *r = &l->p->root;
	struct rule_text_file *files;
	struct uses u = {.n = 0};

	for (size_t i = 0; i < r->n_packs; i++)
		add_named(l, &u, &r->packs[i]);
	add_along(l, &u);
	files = ARENA_ARRAY(l->arena, u.n, struct rule_text_file);
	l->pack_inhibits = ARENA_ARRAY(l->arena, u.n, const struct yaml_node *);
	if (files == NULL || l->pack_inhibits == NULL)
		return;
	for (size_t i = 0; i < u.n; i++) {
		const struct pack *p = u.v[i].pack;

		files[i].path = arena_printf(l->arena, "pack:%.*s", (int)p->name.n, p->name.p);
		files[i].text = pack_render(l->arena, p, &u.v[i].use, l->diag);
		if (p->inhibit_rules != NULL)
			l->pack_inhibits[l->n_pack_inhibits++] = p->inhibit_rules;
	}
	l->p->pub.packs = files;
	l->p->pub.n_packs = u.n;
}
