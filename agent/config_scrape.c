/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_scrape - checks jobs and fills in what they inherit from global; rule file patterns.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/config_load.h"
#include "base/limits.h"
#include "base/num.h"

static void check_targets(struct loader *l, const struct conf_static *s)
{
	const struct yaml_node *list = yaml_get(s->node, STR("targets"));

	if (list == NULL || list->kind != YAML_SEQ || list->n != s->pub.n_targets)
		return; /* told while reading */
	for (size_t i = 0; i < s->pub.n_targets; i++) {
		struct str target = s->pub.targets[i];
		const char *wrong = target.n == 0 ? "an address is empty"
						  : config_check_host_port(target, false);

		if (wrong == NULL && target.p[0] == ':')
			wrong = "the host is missing; write host:port";
		if (wrong != NULL)
			diag_error(l->diag, list->items[i]->pos, "targets: %s", wrong);
	}
}

static void check_auth(struct loader *l, const struct conf_scrape *s)
{
	const struct yaml_node *n = s->node;
	int given = config_given(n, "basic_auth") + config_given(n, "authorization") +
		    (config_given(n, "bearer_token") || config_given(n, "bearer_token_file"));

	if (given > 1)
		diag_error(l->diag, n->pos,
			"at most one of basic_auth, authorization and bearer_token may be given");
	if (config_given(n, "basic_auth") && s->basic.username.n == 0)
		diag_error(l->diag, config_pos(n, "basic_auth"), "basic_auth needs \"username\"");
	if (config_given(n, "authorization") && !str_eq_nocase(s->auth.type, STR("Bearer")))
		diag_error(l->diag, config_pos(s->auth.node, "type"),
			"authorization of type \"" STR_FMT "\" is not supported by this version; "
			"only Bearer is",
			STR_ARG(s->auth.type));
	if ((s->tls.cert_file.n > 0) != (s->tls.key_file.n > 0))
		diag_error(l->diag, s->tls.node->pos,
			"tls_config: cert_file and key_file are given together or not at all");
}

/* Interval and timeout as Prometheus fills them in. */
static void check_times(struct loader *l, struct conf_scrape *s)
{
	const struct conf_global *g = &l->p->root.global;
	struct scrape_job *j = &s->pub;

	if (j->interval_ms == 0)
		j->interval_ms = g->scrape_interval_ms;
	if (j->timeout_ms > j->interval_ms)
		diag_error(l->diag, config_pos(s->node, "scrape_timeout"),
			"scrape_timeout is longer than the scrape interval");
	if (j->timeout_ms == 0)
		j->timeout_ms = MIN_OF(g->scrape_timeout_ms, j->interval_ms);
}

static void inherit_limits(struct loader *l, struct conf_scrape *s)
{
	const struct conf_global *g = &l->p->root.global;
	struct scrape_job *j = &s->pub;

	if (!config_given(s->node, "body_size_limit"))
		j->body_size_limit = g->body_size_limit;
	if (!config_given(s->node, "sample_limit"))
		j->sample_limit = g->sample_limit;
	if (!config_given(s->node, "label_limit"))
		j->label_limit = g->label_limit;
	if (!config_given(s->node, "label_name_length_limit"))
		j->label_name_length_limit = g->label_name_length_limit;
	if (!config_given(s->node, "label_value_length_limit"))
		j->label_value_length_limit = g->label_value_length_limit;
}

static void finish_job(struct loader *l, struct conf_scrape *s)
{
	struct scrape_job *j = &s->pub;
	struct scrape_static *v = ARENA_ARRAY(l->arena, s->n_statics, struct scrape_static);

	check_times(l, s);
	check_auth(l, s);
	inherit_limits(l, s);
	if (j->metrics_path.n == 0 || j->metrics_path.p[0] != '/')
		diag_error(l->diag, config_pos(s->node, "metrics_path"),
			"metrics_path must start with a slash");
	for (size_t i = 0; v != NULL && i < s->n_statics; i++) {
		check_targets(l, &s->statics[i]);
		v[i] = s->statics[i].pub;
	}
	j->statics = v;
	j->n_statics = v != NULL ? s->n_statics : 0;
	j->basic_user = s->basic.username;
	j->basic_password = s->basic.password;
	if (s->auth.credentials.n > 0)
		j->bearer = s->auth.credentials;
	j->ca_file = s->tls.ca_file;
	j->cert_file = s->tls.cert_file;
	j->key_file = s->tls.key_file;
	j->server_name = s->tls.server_name;
	j->insecure_skip_verify = s->tls.insecure_skip_verify;
}

static int by_name(const void *a, const void *b)
{
	const struct conf_scrape *x = *(const struct conf_scrape *const *)a;
	const struct conf_scrape *y = *(const struct conf_scrape *const *)b;
	int c = str_cmp(x->pub.job_name, y->pub.job_name);

	return c != 0 ? c : x < y ? -1 : x > y;
}

static void check_job_names(struct loader *l, const struct conf_root *r)
{
	const struct conf_scrape **v =
		ARENA_ARRAY(l->arena, r->n_scrape, const struct conf_scrape *);

	if (v == NULL)
		return;
	for (size_t i = 0; i < r->n_scrape; i++)
		v[i] = &r->scrape[i];
	qsort(v, r->n_scrape, sizeof(*v), by_name);
	for (size_t i = 1; i < r->n_scrape; i++) {
		if (v[i]->pub.job_name.n > 0 && str_eq(v[i - 1]->pub.job_name, v[i]->pub.job_name))
			diag_error(l->diag, config_pos(v[i]->node, "job_name"),
				"job_name \"" STR_FMT "\" stands twice; first in line %u",
				STR_ARG(v[i]->pub.job_name),
				config_pos(v[i - 1]->node, "job_name").line);
	}
}

void config_finish_scrape(struct loader *l)
{
	struct conf_root *r = &l->p->root;
	struct config *c = &l->p->pub;
	struct scrape_job *jobs = ARENA_ARRAY(l->arena, r->n_scrape, struct scrape_job);
	size_t targets = 0;

	if (!config_given(r->global.node, "scrape_timeout"))
		r->global.scrape_timeout_ms =
			MIN_OF(r->global.scrape_timeout_ms, r->global.scrape_interval_ms);
	if (r->global.scrape_timeout_ms > r->global.scrape_interval_ms)
		diag_error(l->diag, config_pos(r->global.node, "scrape_timeout"),
			"scrape_timeout is longer than the scrape interval");
	for (size_t i = 0; jobs != NULL && i < r->n_scrape; i++) {
		finish_job(l, &r->scrape[i]);
		jobs[i] = r->scrape[i].pub;
		for (size_t k = 0; k < jobs[i].n_statics; k++)
			targets += jobs[i].statics[k].n_targets;
	}
	if (targets > LIMIT_SCRAPE_TARGETS)
		diag_error(l->diag, config_pos(r->node, "scrape_configs"),
			"%zu targets; at most %u can be scraped", targets, LIMIT_SCRAPE_TARGETS);
	check_job_names(l, r);
	c->scrape.jobs = jobs;
	c->scrape.n_jobs = jobs != NULL ? r->n_scrape : 0;
	c->scrape.external_labels = r->global.external_labels;
}

/* ---- rule files ---- */

static bool has_wildcard(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("*?[", s.p[i]) != NULL)
			return true;
	}
	return false;
}

struct path_list {
	struct str *v;
	size_t n, cap;
};

static void add_path(struct loader *l, struct path_list *list, struct str path)
{
	if (list->n == list->cap) {
		size_t cap = list->cap == 0 ? 64 : list->cap * 2;
		struct str *v = ARENA_ARRAY(l->arena, cap, struct str);

		if (v == NULL)
			return;
		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof *v);
		list->v = v;
		list->cap = cap;
	}
	list->v[list->n++] = arena_str(l->arena, path);
}

static void one_pattern(
	struct loader *l, struct str pattern, struct diag_pos at, struct path_list *list)
{
	size_t slash = pattern.n;
	struct str path;
	struct stat st;
	glob_t g;

	while (slash > 0 && pattern.p[slash - 1] != '/')
		slash--;
	if (pattern.n == 0 || memchr(pattern.p, '\0', pattern.n) != NULL ||
		has_wildcard(str_sub(pattern, 0, slash))) {
		diag_error(
			l->diag, at, "rule_files: only the last part of a path may hold wildcards");
		return;
	}
	if (!has_wildcard(pattern)) {
		path = arena_str(l->arena, config_path(l, pattern));
		if (path.p == NULL)
			return;
		if (stat(path.p, &st) != 0)
			diag_error(l->diag, at, "rule_files: cannot read " STR_FMT ": %s",
				STR_ARG(path), err_strerror(errno));
		else
			add_path(l, list, path);
		return;
	}
	path = config_pattern(l, pattern);
	if (path.p == NULL || glob(path.p, 0, NULL, &g) != 0)
		return; /* nothing there: fine */
	for (size_t i = 0; i < g.gl_pathc; i++)
		add_path(l, list, str_c(g.gl_pathv[i]));
	globfree(&g);
}

static int path_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void config_finish_rule_files(struct loader *l)
{
	const struct conf_root *r = &l->p->root;
	const struct yaml_node *node = yaml_get(r->node, STR("rule_files"));
	struct path_list list = {NULL, 0, 0};
	size_t n = 0;

	for (size_t i = 0; i < r->n_rule_files && !l->no_files; i++) {
		bool placed = node != NULL && node->kind == YAML_SEQ && node->n == r->n_rule_files;

		one_pattern(l, r->rule_files[i],
			placed ? node->items[i]->pos : config_pos(r->node, "rule_files"), &list);
	}
	if (list.n > 0)
		qsort(list.v, list.n, sizeof *list.v, path_cmp);
	for (size_t i = 0; i < list.n; i++) {
		if (n == 0 || !str_eq(list.v[n - 1], list.v[i]))
			list.v[n++] = list.v[i];
	}
	l->p->pub.rule_files = list.v;
	l->p->pub.n_rule_files = n;
}
