/* SPDX-License-Identifier: Apache-2.0 */
/* rule_fixture - see rule_fixture.h. */
#include "tests/lib/rule_fixture.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "rules/series_notation.h"
#include "rules/store_source.h"

struct rule_fixture rf;

static int open_or_fail(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	if (rf.break_queries)
		return err_set(e, ERR_IO, 0, "the disk is gone");
	return rf.real.open(ctx, m, n, mint, maxt, a, out, e);
}

void rf_setup(void)
{
	struct store_opts so = {.dir = rf.dir,
		.ooo_window_ms = INT64_MAX,
		.max_series = 10000,
		.min_free = 1,
		.commit_ms = 1};
	struct err e;

	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	snprintf(rf.dir, sizeof rf.dir, "/tmp/belfry-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rf.dir));
	snprintf(rf.file, sizeof rf.file, "%s/rules.yml", rf.dir);
	arena_init(&rf.arena, (size_t)256 << 20);
	ck_assert_msg(store_open(&rf.store, &so, &e) == 0, "%s", e.msg);
	rf.source = rf.real = store_source(rf.store);
	rf.source.open = open_or_fail;
	rf.env = (struct rule_env){.store = rf.store,
		.source = &rf.source,
		.interval_ms = MIN,
		.max_samples = 1000000,
		.max_memory = (size_t)64 << 20,
		.wait_all = true,
		.lock = &rf.lock};
	(void)pthread_mutex_init(&rf.lock, NULL);
	rf.break_queries = false;
	rf.g = NULL;
	rf.rs = NULL;
	rf.batch = NULL;
	rf.state = NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void rf_teardown(void)
{
	alert_batch_free(rf.batch);
	rule_group_free(rf.g);
	rule_set_free(rf.rs);
	if (rf.state != NULL)
		state_free(rf.state);
	store_close(rf.store);
	arena_fini(&rf.arena);
	ck_assert_int_eq(nftw(rf.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct rule_set *rf_load(const char *rules)
{
	struct str path = str_c(rf.file);
	struct diag *d = diag_new(&rf.arena);
	FILE *f = fopen(rf.file, "w");
	struct rule_set *set;
	struct buf out;

	fprintf(f, "groups:\n- name: g\n%s", rules);
	fclose(f);
	set = rule_set_load(&path, 1, false, d, &rf.arena);
	buf_init(&out, 1 << 20);
	diag_print(d, &out);
	ck_assert_msg(set != NULL, "%s", out.p);
	buf_fini(&out);
	return set;
}

void rf_begin(const char *rules)
{
	rf.rs = rf_load(rules);
	rf.g = rule_group_new(&rf.rs->groups[0], &rf.env);
}

void rf_feed(const char *series, int from, const char *values)
{
	struct batch *b = batch_new(BATCH_IMPORT);
	struct series_value *v;
	struct labels ls;
	struct err e;
	size_t n;

	ck_assert_int_eq(series_labels_parse(&rf.arena, str_c(series), &ls, &e), 0);
	ck_assert_int_eq(series_values_parse(&rf.arena, str_c(values), &v, &n, &e), 0);
	batch_series_labels(b, ls, labels_hash(ls));
	for (size_t i = 0; i < n; i++) {
		if (v[i].missing)
			continue;
		if (v[i].h != NULL)
			batch_hist(b, (from + (int64_t)i) * MIN, v[i].h, 0);
		else
			batch_float(b, (from + (int64_t)i) * MIN, v[i].v, 0);
	}
	ck_assert_msg(store_submit_wait(rf.store, b, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(batch_result(b)->first, REFUSED_NONE);
	batch_free(b);
}

void rf_eval_untold(int minute)
{
	alert_batch_free(rf.batch);
	rf.batch = NULL;
	rule_group_eval(rf.g, &rf.env, (int64_t)minute * MIN, &rf.batch);
}

void rf_eval(int minute)
{
	rf_eval_untold(minute);
	rule_group_told(rf.g, &rf.env);
}

const struct alert_event *rf_event(void)
{
	ck_assert_ptr_nonnull(rf.batch);
	ck_assert_uint_eq(rf.batch->n, 1);
	return &rf.batch->events[0];
}

void rf_transition(int minute, enum alert_state from, enum alert_state to)
{
	rf_eval(minute);
	ck_assert_msg(rf_event()->from == from && rf_event()->to == to, "minute %d: %d -> %d",
		minute, rf_event()->from, rf_event()->to);
	ck_assert_msg(rf.batch->changed == (from != to || rf_event()->save), "minute %d", minute);
}

const char *rf_ask(const char *expr, double minute)
{
	static char text[64];
	struct pq_result res;
	const struct pq_expr *x;
	struct err e;

	x = pq_parse(&rf.arena, str_c(expr), false, &e);
	ck_assert_msg(x != NULL, "%s", e.msg);
	ck_assert_msg(
		rule_query(&rf.env, &rf.arena, x, (int64_t)(minute * MIN), MIN, &res, &e) == 0,
		"%s", e.msg);
	ck_assert_uint_le(res.n, 1);
	text[0] = '\0';
	if (res.n == 1)
		snprintf(text, sizeof text, "%g", res.series[0].v[0]);
	return text;
}

void rf_open_state(void)
{
	struct err e;

	ck_assert_msg(state_open(&rf.state, rf.dir, &e) == 0, "%s", e.msg);
}

void rf_store(void)
{
	struct err e;

	if (rf.batch != NULL && rf.batch->changed)
		ck_assert_msg(alert_store_save(state_db(rf.state), rf.batch, &e) == 0, "%s", e.msg);
}

struct restoring {
	int64_t hold_until_ms;
	size_t lost;
};

static void on_alert(struct str rule_key, const struct alert_event *ev, void *arg)
{
	struct restoring *x = arg;
	bool found = false;

	for (size_t i = 0; i < rf.g->def->n && !found; i++)
		found = rule_restore(&rf.g->rules[i], rule_key, ev, x->hold_until_ms);
	x->lost += !found;
}

static void on_seen(const struct alert_seen *s, void *arg)
{
	struct restoring *x = arg;
	bool found = false;

	for (size_t i = 0; i < rf.g->def->n && !found; i++)
		found = rule_restore_seen(&rf.g->rules[i], s);
	x->lost += !found;
}

void rf_restart(int64_t hold_until_ms)
{
	struct restoring x = {hold_until_ms, 0};
	struct err e;

	rule_group_free(rf.g);
	rf.g = rule_group_new(&rf.rs->groups[0], &rf.env);
	ck_assert_int_eq(alert_store_load(state_db(rf.state), on_alert, &x, &e), 0);
	ck_assert_int_eq(alert_store_load_seen(state_db(rf.state), on_seen, &x, &e), 0);
	ck_assert_uint_eq(x.lost, 0);
}
