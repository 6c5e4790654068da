/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - from a file to a checked configuration; see config.h.
 *
 * Three passes: YAML into a tree, the tree into the schema's structs (agent/config_decode.c), the
 * structs into what the parts take (agent/config_scrape.c, agent/config_notify.c and here). All of
 * them run even when one found errors, so that all errors are told at once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/config_load.h"
#include "base/assert.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/num.h"

#define RECEIVERS_MAX 10000u

/* ---- web, statsd, storage ---- */

static void check_listen(struct loader *l)
{
	const struct conf_web *w = &l->p->root.web;
	const struct yaml_node *node = yaml_get(w->node, STR("listen"));

	if (w->n_listen == 0)
		diag_error(l->diag, config_pos(w->node, "listen"), "web.listen needs an address");
	for (size_t i = 0; i < w->n_listen; i++) {
		struct str s = w->listen[i];
		struct diag_pos at = config_pos(w->node, "listen");
		const char *wrong = NULL;

		if (node != NULL && node->kind == YAML_SEQ && node->n == w->n_listen)
			at = node->items[i]->pos;
		if (!str_starts(s, STR("unix:")))
			wrong = config_check_host_port(s, true);
		else if (s.n < 7 || s.p[5] != '/' || s.n > 5 + 107)
			wrong = "a socket is written as unix:/path, at most 107 bytes";
		if (wrong != NULL)
			diag_error(l->diag, at, "listen: %s", wrong);
		else if (!config_is_loopback(s) && !w->insecure)
			diag_error(l->diag, at,
				"listen: " STR_FMT
				" can be reached from other machines, and there is "
				"no authentication; set web.insecure: true if that is meant",
				STR_ARG(s));
	}
}

static void finish_web(struct loader *l)
{
	const struct conf_web *w = &l->p->root.web;
	struct config *c = &l->p->pub;
	const char *wrong = w->external_url.n > 0 ? config_check_url(w->external_url) : NULL;

	check_listen(l);
	if (wrong == NULL && (str_find(w->external_url, '?') < w->external_url.n ||
				     str_find(w->external_url, '#') < w->external_url.n))
		wrong = "a base URL has no query and no fragment";
	if (wrong != NULL)
		diag_error(l->diag, config_pos(w->node, "external_url"), "external_url: %s", wrong);
	c->web_listen = w->listen;
	c->n_web_listen = w->n_listen;
	c->external_url = w->external_url;
	c->web_insecure = w->insecure;
}

static void finish_watchdog(struct loader *l)
{
	const struct conf_watchdog *w = &l->p->root.watchdog;
	const char *wrong = w->pub.url.n > 0 ? config_check_url(w->pub.url) : NULL;

	if (wrong != NULL)
		diag_error(l->diag, config_pos(w->node, "webhook_url"), "webhook_url: %s", wrong);
	l->p->pub.watchdog = w->pub;
}

static bool suffix_is_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c == '_' || c == ':' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9')))
			return false;
	}
	return s.n <= 64;
}

static void finish_statsd(struct loader *l)
{
	const struct conf_statsd *s = &l->p->root.statsd;
	const struct yaml_node *node = yaml_get(s->node, STR("listen"));
	struct statsd_opts *o = &l->p->pub.statsd;

	for (size_t i = 0; i < s->n_listen; i++) {
		struct str a = s->listen[i];
		struct diag_pos at = config_pos(s->node, "listen");
		const char *wrong = NULL;

		if (node != NULL && node->kind == YAML_SEQ && node->n == s->n_listen)
			at = node->items[i]->pos;
		if (str_starts(a, STR("tcp://")) || str_starts(a, STR("unixgram://")))
			wrong = "only udp:// is supported by this version";
		else if (!str_starts(a, STR("udp://")))
			wrong = "write for example udp://127.0.0.1:8125";
		else
			wrong = config_check_host_port(str_sub(a, 6, a.n), true);
		if (wrong != NULL)
			diag_error(l->diag, at, "listen: %s", wrong);
	}
	if (!suffix_is_valid(s->counter_suffix))
		diag_error(l->diag, config_pos(s->node, "counter_suffix"),
			"counter_suffix: only letters, digits, _ and : may stand in a metric's "
			"name");
	*o = (struct statsd_opts){s->listen, s->n_listen, s->flush_interval_ms, s->counter_suffix,
		s->idle_timeout_ms};
}

static void finish_storage(struct loader *l)
{
	const struct conf_storage *s = &l->p->root.storage;
	struct str dir = arena_str(l->arena, s->path);

	if (s->path.n == 0 || memchr(s->path.p, '\0', s->path.n) != NULL)
		diag_error(l->diag, config_pos(s->node, "path"), "storage.path must name a folder");
	l->p->pub.storage = (struct store_opts){.dir = dir.p,
		.retention_ms = s->retention_ms,
		.retention_size = s->retention_size,
		.ooo_window_ms = s->ooo_window_ms,
		.durability_power = str_eq(s->durability, STR("power")),
		.max_series = s->max_series,
		.min_free = s->min_free,
		.commit_ms = 100};
}

static void finish(struct loader *l)
{
	const struct conf_root *r = &l->p->root;
	struct config *c = &l->p->pub;
	struct config_place own;

	finish_web(l);
	finish_statsd(l);
	finish_storage(l);
	config_finish_scrape(l);
	config_finish_rule_files(l);
	config_finish_packs(l);
	finish_watchdog(l);
	config_finish_peers(l);
	config_alertmanager_begin(l, &own);
	config_global_addresses(l);
	config_load_templates(l);
	if (r->n_receivers <= RECEIVERS_MAX)
		config_finish_notify(l);
	else
		diag_error(l->diag, config_pos(r->node, "receivers"), "more than %u receivers",
			RECEIVERS_MAX);
	config_alertmanager_end(l, &own);
	c->scrape_interval_ms = r->global.scrape_interval_ms;
	c->scrape_timeout_ms = r->global.scrape_timeout_ms;
	c->evaluation_interval_ms = r->global.evaluation_interval_ms;
	c->scrape.slot_unit_ms = MIN_OF(c->scrape_interval_ms, c->evaluation_interval_ms);
	c->rule_query_offset_ms = r->global.query_offset_ms;
	c->external_labels = r->global.external_labels;
	c->remote_write_receiver = r->remote_write_receiver.enabled;
	c->self_enabled = r->self.enabled;
	c->host_enabled = false;
	c->query_experimental = r->query.experimental;
	c->query_timeout_ms = r->query.timeout_ms;
	c->query_max_samples = r->query.max_samples;
	c->query_max_memory = r->query.max_memory;
	c->query_max_concurrency = (unsigned)r->query.max_concurrency; /* at most 1024: range */
	c->query_lookback_ms = r->query.lookback_ms;
}

/* ---- loading ---- */

static void apply_flags(struct loader *l, const struct config_flags *flags)
{
	struct conf_root *r = &l->p->root;

	if (flags == NULL)
		return;
	if (flags->storage_path != NULL)
		r->storage.path = arena_str(l->arena, str_c(flags->storage_path));
	if (flags->web_listen != NULL) {
		struct str *one = ARENA_NEW(l->arena, struct str);

		if (one != NULL)
			*one = arena_str(l->arena, str_c(flags->web_listen));
		r->web.listen = one;
		r->web.n_listen = one != NULL;
	}
}

const struct diag_file *config_keep_file(struct diag *d, struct str path, struct str text)
{
	struct arena *a = diag_arena(d);
	struct diag_file *f = a != NULL ? ARENA_NEW(a, struct diag_file) : NULL;

	if (f == NULL)
		return NULL;
	f->path = arena_str(a, path);
	f->text = arena_str(a, text);
	if (f->path.p != NULL && f->text.p != NULL)
		return f;
	diag_error(d, (struct diag_pos){0}, STR_FMT ": out of memory", STR_ARG(path));
	return NULL;
}

const struct yaml_node *config_parse(struct loader *l)
{
	const struct yaml_node *const *docs;
	size_t n;

	docs = yaml_parse(l->arena, l->file, l->diag, &n);
	if (docs == NULL) {
		config_hide_secrets_in_text(l);
		return NULL;
	}
	if (n == 0 || docs[0]->kind == YAML_NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		config_hide_secrets(l, docs[i]);
	if (n > 1)
		diag_error(l->diag, docs[1]->pos,
			"a configuration is one document; here starts another");
	if (docs[0]->kind == YAML_MAP)
		return docs[0];
	diag_error(l->diag, docs[0]->pos, "a configuration is a map of keys and values");
	return NULL;
}

static struct config *load_text(struct str path, struct str text, const struct config_flags *flags,
	struct diag *d, bool no_files)
{
	struct loader l = {.diag = d, .no_files = no_files, .check = flags != NULL && flags->check};
	const struct yaml_node *root = NULL;
	size_t errors = diag_errors(d), slash = path.n;

	l.p = calloc(1, sizeof *l.p);
	if (l.p == NULL) {
		diag_error(d, (struct diag_pos){0}, "out of memory");
		return NULL;
	}
	arena_init(&l.p->pub.arena, LIMIT_CONFIG_BYTES);
	l.arena = &l.p->pub.arena;
	while (slash > 0 && path.p[slash - 1] != '/')
		slash--;
	l.p->pub.path = arena_str(l.arena, path);
	l.folder = arena_str(l.arena, str_sub(path, 0, slash));
	l.file = config_keep_file(d, path, text);
	if (flags != NULL)
		l.alertmanager_minor = flags->alertmanager_minor;
	if (l.file != NULL && l.alertmanager_minor == 0)
		root = config_parse(&l);
	if (diag_errors(d) == errors || root != NULL) {
		config_decode(&l, &config_root, root, &l.p->root);
		if (l.alertmanager_minor != 0)
			l.p->root.alertmanager_config_file = l.p->pub.path;
		apply_flags(&l, flags);
		finish(&l);
	}
	if (l.arena->failed)
		diag_error(d, (struct diag_pos){l.file, 0, 0, 0},
			"too large: out of the memory a configuration may take");
	if (diag_errors(d) == errors && l.file != NULL)
		return &l.p->pub;
	config_free(&l.p->pub);
	return NULL;
}

struct config *config_load_text(
	struct str path, struct str text, const struct config_flags *flags, struct diag *d)
{
	return load_text(path, text, flags, d, true);
}

struct config *config_load(const char *path, const struct config_flags *flags, struct diag *d)
{
	struct arena a;
	struct config *c = NULL;
	struct str text = STR_NULL;
	struct stat st;
	struct err e = {0};

	arena_init(&a, LIMIT_YAML_BYTES + 65536u);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		diag_error(d, (struct diag_pos){0}, "%s: not a file", path);
	else if (fd_read_file(path, LIMIT_YAML_BYTES, &a, &text, &e) != 0)
		diag_error(d, (struct diag_pos){0}, "%s", e.msg);
	else
		c = load_text(str_c(path), text, flags, d, false);
	if (c != NULL && ((const struct config_private *)c)->inline_secrets &&
		stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		diag_warn(d, (struct diag_pos){0},
			"%s holds secrets and everybody may read it: chmod o-r, or give secrets by "
			"their _file keys",
			path);
	if (text.n > 0)
		explicit_bzero((char *)(uintptr_t)text.p, text.n);
	arena_fini(&a);
	return c;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void wipe(const struct config_section *s, void *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		char *place = (char *)out + k->off;

		if (k->type == CT_STR && (k->flags & CF_SECRET)) {
			struct str *v = (struct str *)(void *)place;

			if (v->n > 0)
				explicit_bzero((char *)(uintptr_t)v->p, v->n);
			v->n = 0;
		} else if (k->type == CT_MAP) {
			wipe(k->sub, place);
		} else if (k->type == CT_LIST) {
			struct {
				char *v;
				size_t n;
			} list;

			memcpy(&list, place, sizeof list);
			for (size_t j = 0; j < list.n; j++)
				wipe(k->sub, list.v + j * k->sub->size);
		}
	}
}

void config_free(struct config *c)
{
	struct config_private *p = (struct config_private *)c;

	if (p == NULL)
		return;
	for (struct config_matchers *m = p->matchers; m != NULL; m = m->next) {
		for (size_t i = 0; i < m->n; i++)
			matcher_fini(&m->m[i]);
	}
	wipe(&config_root, &p->root);
	arena_fini(&p->pub.arena);
	free(p);
}
