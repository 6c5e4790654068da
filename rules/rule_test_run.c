/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_test_run - runs one rule test: a real store in a temporary directory, fed up to each
 * evaluation's time before the groups are evaluated at it, as time would pass.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/rule_group.h"
#include "rules/rule_test.h"
#include "rules/store_source.h"
#include "storage/store.h"

struct run {
	const struct rule_test_file *f;
	const struct rule_test *t;
	struct arena *a;
	struct rule_test_result *res;
	char dir[64];
	struct store *store;
	struct select_source source;
	pthread_mutex_t lock;
	struct rule_env env;
	struct rule_group **groups; /* in the order of evaluation */
	size_t n_groups;
	size_t *fed; /* samples of each input series that are stored */
};

/* --- the store --- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int open_store(struct run *r, struct err *e)
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct store_opts o = {.dir = r->dir,
		.ooo_window_ms = INT64_MAX,
		.max_series = LIMIT_MAX_SERIES,
		.min_free = 1,
		.commit_ms = 1};

	(void)snprintf(r->dir, sizeof r->dir, "%s/belfry-test-XXXXXX", tmp);
	if (mkdtemp(r->dir) == NULL) {
		r->dir[0] = '\0';
		return err_set(e, ERR_IO, 0, "cannot make a temporary directory in %s", tmp);
	}
	return store_open(&r->store, &o, e);
}

static void close_store(struct run *r)
{
	if (r->store != NULL)
		store_close(r->store);
	if (r->dir[0] != '\0')
		(void)nftw(r->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int feed_series(struct run *r, struct batch *b, size_t i, int64_t until_ms, struct err *e)
{
	const struct rule_test_series *s = &r->t->series[i];
	bool named = false;

	for (; r->fed[i] < s->n; r->fed[i]++) {
		const struct series_value *v = &s->v[r->fed[i]];
		int64_t at;

		if (i64_mul((int64_t)r->fed[i], r->t->interval_ms, &at) ||
			i64_add(at, r->t->start_ms, &at) || at > until_ms)
			break;
		if (v->missing)
			continue;
		if (!named)
			batch_series_labels(b, s->labels, labels_hash(s->labels));
		named = true;
		if (v->h != NULL && hist_check(v->h, e) != 0)
			return err_wrap(e, "histogram %zu of an input series", r->fed[i] + 1);
		if (v->h != NULL)
			batch_hist(b, at, v->h, 0);
		else
			batch_float(b, at, v->v, 0);
	}
	return 0;
}

/* Store the input up to a time. */
static int feed(struct run *r, int64_t until_ms, struct err *e)
{
	struct batch *b = batch_new(BATCH_IMPORT);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->t->n_series; i++)
		rc = feed_series(r, b, i, until_ms, e);
	if (rc == 0 && batch_failed(b))
		rc = err_set(e, ERR_LIMIT, 0, "too many samples");
	else if (rc == 0 && batch_rows(b) > 0)
		rc = store_submit_wait(r->store, b, e);
	if (rc == 0 && batch_rows(b) > 0 && batch_result(b)->first != REFUSED_NONE)
		rc = err_set(e, ERR_INPUT, 0, "%s", batch_result(b)->first_msg);
	batch_free(b);
	return rc;
}

/* --- groups --- */

static size_t place(const struct rule_test_file *f, const struct rule_group *g)
{
	for (size_t i = 0; i < f->n_order; i++) {
		if (str_eq(f->order[i], g->def->name))
			return i;
	}
	return 0; /* upstream: what is not named comes with the first */
}

/* In the order of group_eval_order; the files' order where that says nothing. */
static void order_groups(struct run *r)
{
	for (size_t i = 1; i < r->n_groups; i++) {
		struct rule_group *g = r->groups[i];
		size_t k = i;

		for (; k > 0 && place(r->f, r->groups[k - 1]) > place(r->f, g); k--)
			r->groups[k] = r->groups[k - 1];
		r->groups[k] = g;
	}
}

static int make_groups(struct run *r, const struct rule_set *rs, struct err *e)
{
	r->env = (struct rule_env){.store = r->store,
		.source = &r->source,
		.external_labels = r->t->external_labels,
		.external_url = r->t->external_url,
		.interval_ms = r->f->interval_ms,
		.max_samples = LIMIT_QUERY_SAMPLES,
		.max_memory = LIMIT_QUERY_MEMORY,
		.wait_all = true,
		.own_notes = true,
		.lock = &r->lock};
	r->groups = ARENA_ARRAY(r->a, rs->n, struct rule_group *);
	r->fed = ARENA_ARRAY(r->a, r->t->n_series, size_t);
	if (r->groups == NULL || r->fed == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	for (size_t i = 0; i < rs->n; i++)
		r->groups[r->n_groups++] = rule_group_new(&rs->groups[i], &r->env);
	order_groups(r);
	return 0;
}

/* --- evaluating --- */

static void fail(struct run *r, unsigned line, int64_t after_ms, const char *what, struct str name,
	const char *why)
{
	struct buf b;

	buf_init(&b, LIMIT_EXPR_BYTES + 1000);
	buf_printf(&b, "%s ", what);
	buf_str(&b, name);
	buf_c(&b, " at ");
	dur_print(&b, after_ms);
	buf_printf(&b, ": %s", why);
	rule_test_fail(r->res, r->a, line, buf_view(&b), STR_NULL, STR_NULL);
	buf_fini(&b);
}

/* False when a rule failed: the test ends there. */
static bool eval_groups(struct run *r, int64_t after_ms)
{
	bool ok = true;

	for (size_t i = 0; i < r->n_groups; i++) {
		struct rule_group *g = r->groups[i];
		struct alert_batch *b = NULL;

		rule_group_eval(g, &r->env, r->t->start_ms + after_ms, &b);
		rule_group_told(g, &r->env);
		alert_batch_free(b);
		for (size_t k = 0; k < g->def->n; k++) {
			if (!g->rules[k].failed)
				continue;
			fail(r, 0, after_ms, "rule", g->def->rules[k].name, g->rules[k].error);
			ok = false;
		}
	}
	return ok;
}

static size_t count_alerts(const struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_groups; i++) {
		for (size_t k = 0; k < r->groups[i]->def->n; k++)
			n += r->groups[i]->rules[k].alerts.n;
	}
	return n;
}

static void check_alerts(struct run *r, const struct rule_test_alerts *c)
{
	struct rule_test_alert *v = ARENA_ARRAY(r->a, count_alerts(r), struct rule_test_alert);
	size_t n = 0;

	for (size_t i = 0; v != NULL && i < r->n_groups; i++) {
		for (size_t k = 0; k < r->groups[i]->def->n; k++) {
			const struct rule *rule = &r->groups[i]->rules[k];
			struct alert *al;
			size_t pos = 0;

			if (!rule->def->is_alert || !str_eq(rule->def->name, c->name))
				continue;
			while ((al = map_each(&rule->alerts, &pos)) != NULL) {
				if (al->state == ALERT_FIRING)
					v[n++] = (struct rule_test_alert){
						al->labels, al->annotations};
			}
		}
	}
	rule_test_compare_alerts(c, v, n, r->a, r->res);
}

/* Evaluations at start + k * interval; an alert test looks at the newest one at its time. */
static int eval_all(struct run *r, int64_t last_ms, struct err *e)
{
	int64_t step = r->f->interval_ms;

	for (int64_t t = 0; t <= last_ms; t += step) {
		if (feed(r, r->t->start_ms + t, e) != 0)
			return -1;
		if (!eval_groups(r, t))
			return 1;
		for (size_t i = 0; i < r->t->n_alerts; i++) {
			if (r->t->alerts[i].at_ms >= t && r->t->alerts[i].at_ms - t < step)
				check_alerts(r, &r->t->alerts[i]);
		}
	}
	return 0; /* as upstream, expressions see samples up to the last evaluation only */
}

static void check_query(struct run *r, const struct rule_test_query *c)
{
	struct rule_test_sample *v = NULL;
	const struct pq_expr *x;
	struct pq_result res;
	size_t n = 0;
	struct err e;

	x = pq_parse(r->a, c->expr, false, &e);
	if (x == NULL || rule_query(&r->env, r->a, x, r->t->start_ms + c->at_ms, r->f->interval_ms,
				 &res, &e) != 0) {
		fail(r, c->line, c->at_ms, "expression", c->expr, e.msg);
		return;
	}
	if (res.type != PQ_VECTOR && res.type != PQ_SCALAR) {
		fail(r, c->line, c->at_ms, "expression", c->expr,
			"it gives neither a vector nor a scalar");
		return;
	}
	v = ARENA_ARRAY(r->a, res.n + 1, struct rule_test_sample);
	for (size_t i = 0; v != NULL && res.type == PQ_VECTOR && i < res.n; i++) {
		const struct pq_series *s = &res.series[i];

		if (s->n > 0)
			v[n++] = (struct rule_test_sample){
				s->labels, s->v[0], s->h != NULL ? s->h[0] : NULL};
	}
	if (v != NULL && res.type == PQ_SCALAR)
		v[n++].v = res.scalar;
	rule_test_compare_samples(c, v, n, r->f->fuzzy, r->a, r->res);
}

static int64_t last_time(const struct rule_test *t)
{
	int64_t last = 0;

	for (size_t i = 0; i < t->n_alerts; i++)
		last = MAX_OF(last, t->alerts[i].at_ms);
	for (size_t i = 0; i < t->n_queries; i++)
		last = MAX_OF(last, t->queries[i].at_ms);
	return last;
}

int rule_test_run(const struct rule_test_file *f, const struct rule_test *t,
	const struct rule_set *rules, struct arena *a, struct rule_test_result *res, struct err *e)
{
	struct run r = {.f = f, .t = t, .a = a, .res = res};
	int64_t began = clock_real_ns();
	int rc;

	*res = (struct rule_test_result){0};
	(void)pthread_mutex_init(&r.lock, NULL);
	rc = open_store(&r, e);
	if (rc == 0) {
		r.source = store_source(r.store);
		rc = make_groups(&r, rules, e);
	}
	if (rc == 0)
		rc = eval_all(&r, last_time(t), e);
	for (size_t i = 0; rc == 0 && i < t->n_queries; i++)
		check_query(&r, &t->queries[i]);
	for (size_t i = 0; i < r.n_groups; i++)
		rule_group_free(r.groups[i]);
	close_store(&r);
	(void)pthread_mutex_destroy(&r.lock);
	res->seconds = (double)(clock_real_ns() - began) / 1e9;
	if (rc >= 0 && a->failed)
		rc = err_set(e, ERR_LIMIT, 0, "the test needs more than %zu bytes", a->limit);
	return rc < 0 ? -1 : 0;
}
