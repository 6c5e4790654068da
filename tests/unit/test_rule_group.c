/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule groups over virtual time, on a real store: the states of alerts, what is told and what is
 * written, and what survives errors, reloads and restarts.
 */
#include <check.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "rules/rule_group.h"
#include "rules/series_notation.h"
#include "rules/store_source.h"
#include "storage/state.h"
#include "storage/store.h"

#define MIN 60000

static char dir[64], file[96];
static struct store *store;
static struct select_source real, source;
static bool break_queries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule_env env;
static struct rule_set *rs;
static struct rule_group *g;
static struct alert_batch *batch; /* of the last evaluation */
static struct arena arena;
static struct state *state;

static int open_or_fail(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	if (break_queries)
		return err_set(e, ERR_IO, 0, "the disk is gone");
	return real.open(ctx, m, n, mint, maxt, a, out, e);
}

static void setup(void)
{
	struct store_opts so = {.dir = dir,
		.ooo_window_ms = INT64_MAX,
		.max_series = 10000,
		.min_free = 1,
		.commit_ms = 1};
	struct err e;

	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	snprintf(dir, sizeof dir, "/tmp/belfry-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/rules.yml", dir);
	arena_init(&arena, (size_t)256 << 20);
	ck_assert_msg(store_open(&store, &so, &e) == 0, "%s", e.msg);
	source = real = store_source(store);
	source.open = open_or_fail;
	env = (struct rule_env){.store = store,
		.source = &source,
		.interval_ms = MIN,
		.max_samples = 1000000,
		.max_memory = (size_t)64 << 20,
		.wait_all = true,
		.lock = &lock};
	break_queries = false;
	g = NULL;
	rs = NULL;
	batch = NULL;
	state = NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	alert_batch_free(batch);
	rule_group_free(g);
	rule_set_free(rs);
	if (state != NULL)
		state_free(state);
	store_close(store);
	arena_fini(&arena);
	ck_assert_int_eq(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The rules of one group called g. */
static struct rule_set *load(const char *rules)
{
	struct str path = str_c(file);
	struct diag *d = diag_new(&arena);
	FILE *f = fopen(file, "w");
	struct rule_set *set;
	struct buf out;

	fprintf(f, "groups:\n- name: g\n%s", rules);
	fclose(f);
	set = rule_set_load(&path, 1, false, d, &arena);
	buf_init(&out, 1 << 20);
	diag_print(d, &out);
	ck_assert_msg(set != NULL, "%s", out.p);
	buf_fini(&out);
	return set;
}

static void begin(const char *rules)
{
	rs = load(rules);
	g = rule_group_new(&rs->groups[0], &env);
}

/* Values of a series from minute `from` on, one a minute. */
static void feed(const char *series, int from, const char *values)
{
	struct batch *b = batch_new(BATCH_IMPORT);
	struct series_value *v;
	struct labels ls;
	struct err e;
	size_t n;

	ck_assert_int_eq(series_labels_parse(&arena, str_c(series), &ls, &e), 0);
	ck_assert_int_eq(series_values_parse(&arena, str_c(values), &v, &n, &e), 0);
	batch_series_labels(b, ls, labels_hash(ls));
	for (size_t i = 0; i < n; i++) {
		if (v[i].missing)
			continue;
		if (v[i].h != NULL)
			batch_hist(b, (from + (int64_t)i) * MIN, v[i].h, 0);
		else
			batch_float(b, (from + (int64_t)i) * MIN, v[i].v, 0);
	}
	ck_assert_msg(store_submit_wait(store, b, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(batch_result(b)->first, REFUSED_NONE);
	batch_free(b);
}

/* Evaluate at a minute; the events stay in `batch`. */
static void eval_untold(int minute)
{
	alert_batch_free(batch);
	batch = NULL;
	rule_group_eval(g, &env, (int64_t)minute * MIN, &batch);
}

static void eval(int minute)
{
	eval_untold(minute);
	rule_group_told(g, &env);
}

static const struct alert_event *event(void)
{
	ck_assert_ptr_nonnull(batch);
	ck_assert_uint_eq(batch->n, 1);
	return &batch->events[0];
}

static void transition(int minute, enum alert_state from, enum alert_state to)
{
	eval(minute);
	ck_assert_msg(event()->from == from && event()->to == to, "minute %d: %d -> %d", minute,
		event()->from, event()->to);
	ck_assert_msg(batch->changed == (from != to || event()->save), "minute %d", minute);
}

/* What an expression gives at a minute: "" or its only value. */
static const char *ask(const char *expr, double minute)
{
	static char text[64];
	struct pq_result res;
	const struct pq_expr *x;
	struct err e;

	x = pq_parse(&arena, str_c(expr), false, &e);
	ck_assert_msg(x != NULL, "%s", e.msg);
	ck_assert_msg(rule_query(&env, &arena, x, (int64_t)(minute * MIN), MIN, &res, &e) == 0,
		"%s", e.msg);
	ck_assert_uint_le(res.n, 1);
	text[0] = '\0';
	if (res.n == 1)
		snprintf(text, sizeof text, "%g", res.series[0].v[0]);
	return text;
}

#define DOWN "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 2m\n"

START_TEST(an_alert_waits_fires_and_resolves)
{
	begin(DOWN "    labels: {severity: page}\n"
		   "    annotations: {summary: '{{ $labels.job }} {{ $value }}', belfry_x: y, z: "
		   "''}\n");
	feed("up{job=\"a\"}", 0, "1 0x4 1 1 1");
	eval(0);
	ck_assert_ptr_null(batch);
	transition(1, ALERT_INACTIVE, ALERT_PENDING);
	ck_assert_int_eq(event()->active_at_ms, MIN);
	ck_assert_int_eq(event()->fired_at_ms, 0);
	ck_assert(str_eq(labels_get(event()->labels, STR("alertname")), STR("Down")));
	ck_assert(str_eq(labels_get(event()->labels, STR("severity")), STR("page")));
	ck_assert_uint_eq(event()->labels.n, 3);
	ck_assert_uint_eq(event()->annotations.n, 2); /* ours are not sent, empty ones are */
	ck_assert(str_eq(event()->annotations.v[0].value, STR("a 0")));
	transition(2, ALERT_PENDING, ALERT_PENDING);
	transition(3, ALERT_PENDING, ALERT_FIRING);
	ck_assert_int_eq(event()->active_at_ms, MIN);
	ck_assert_int_eq(event()->fired_at_ms, 3 * MIN);
	transition(4, ALERT_FIRING, ALERT_FIRING);
	transition(6, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert_int_eq(event()->resolved_at_ms, 6 * MIN);
	ck_assert_int_eq(event()->fired_at_ms, 3 * MIN);
	eval(7);
	ck_assert_ptr_null(batch);
}
END_TEST

START_TEST(pending_that_ends_never_fires)
{
	begin(DOWN);
	feed("up", 0, "0 0 1 0 0");
	transition(0, ALERT_INACTIVE, ALERT_PENDING);
	transition(1, ALERT_PENDING, ALERT_PENDING);
	transition(2, ALERT_PENDING, ALERT_INACTIVE);
	transition(3, ALERT_INACTIVE, ALERT_PENDING);
	ck_assert_int_eq(event()->active_at_ms, 3 * MIN);
}
END_TEST

START_TEST(without_for_an_alert_fires_at_once)
{
	begin("  rules:\n  - alert: Down\n    expr: up == 0\n");
	feed("up", 0, "0 1");
	transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert_int_eq(event()->fired_at_ms, 0);
	transition(1, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(keep_firing_for_holds_an_alert_until_it_was_quiet_long_enough)
{
	begin("  rules:\n  - alert: Down\n    expr: up == 0\n    keep_firing_for: 3m\n");
	feed("up", 0, "0 1 1 0 1 1 1 1 1");
	transition(0, ALERT_INACTIVE, ALERT_FIRING);
	transition(1, ALERT_FIRING, ALERT_FIRING);
	ck_assert(event()->keep_firing && event()->save);
	ck_assert_int_eq(event()->keep_firing_since_ms, MIN);
	transition(2, ALERT_FIRING, ALERT_FIRING);
	ck_assert(!event()->save);
	transition(3, ALERT_FIRING, ALERT_FIRING); /* it is back: the wait begins anew */
	ck_assert(!event()->keep_firing && event()->save);
	transition(4, ALERT_FIRING, ALERT_FIRING);
	ck_assert_int_eq(event()->keep_firing_since_ms, 4 * MIN);
	transition(6, ALERT_FIRING, ALERT_FIRING);
	transition(7, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert_int_eq(event()->resolved_at_ms, 7 * MIN);
}
END_TEST

START_TEST(an_error_keeps_every_alert_as_it_is)
{
	begin("  limit: 1\n" DOWN);
	feed("up{job=\"a\"}", 0, "0 0 0 0 0 0 0");
	transition(0, ALERT_INACTIVE, ALERT_PENDING);
	transition(2, ALERT_PENDING, ALERT_FIRING);
	break_queries = true;
	transition(3, ALERT_FIRING, ALERT_FIRING);
	ck_assert(g->rules[0].failed);
	ck_assert_ptr_nonnull(strstr(g->rules[0].error, "the disk is gone"));
	break_queries = false;
	transition(4, ALERT_FIRING, ALERT_FIRING);
	ck_assert(!g->rules[0].failed);
	feed("up{job=\"b\"}", 5, "0"); /* one too many for the limit */
	transition(5, ALERT_FIRING, ALERT_FIRING);
	ck_assert(g->rules[0].failed);
	ck_assert_str_eq(g->rules[0].error, "exceeded limit of 1 with 2 alerts");
}
END_TEST

START_TEST(two_alerts_with_the_same_labels_are_an_error)
{
	begin("  rules:\n  - alert: Down\n    expr: up == 0\n    labels: {job: ''}\n");
	feed("up{job=\"a\"}", 0, "0");
	feed("up{job=\"b\"}", 0, "0");
	eval(0);
	ck_assert_ptr_null(batch);
	ck_assert(g->rules[0].failed);
	ck_assert_ptr_nonnull(strstr(g->rules[0].error, "same labelset"));
}
END_TEST

START_TEST(a_template_that_fails_tells_its_error_as_text)
{
	begin("  rules:\n  - alert: A\n    expr: vector(1)\n"
	      "    annotations: {s: '{{ query \"none\" | first }}', t: 'fine'}\n");
	transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert(str_starts(
		labels_get(event()->annotations, STR("s")), STR("<error expanding template: ")));
	ck_assert(str_eq(labels_get(event()->annotations, STR("t")), STR("fine")));
}
END_TEST

START_TEST(templates_query_the_store_at_the_evaluations_time)
{
	begin("  rules:\n  - alert: A\n    expr: vector(1)\n"
	      "    annotations: {s: '{{ range query \"sort(x)\" }}{{ .Labels.i }}={{ .Value }} "
	      "{{ end }}{{ query \"scalar(x{i=\\\"1\\\"})\" | first | value }} "
	      "{{ with query \"h\" }}{{ . | first | value }}{{ end }}'}\n");
	feed("x{i=\"1\"}", 0, "5 6 7");
	feed("x{i=\"2\"}", 0, "1 1 1");
	feed("h", 0, "{{count:3 sum:4 buckets:[3]}}x2");
	eval(1);
	ck_assert_msg(str_eq(labels_get(event()->annotations, STR("s")),
			      STR("2=1 1=6 6 {count:3, sum:4, (0.5,1]:3}")),
		"%.*s", (int)event()->annotations.v[0].value.n, event()->annotations.v[0].value.p);
}
END_TEST

START_TEST(current_and_worst_values_follow_the_compared_side)
{
	begin("  rules:\n  - alert: Hot\n    expr: temp > 80\n");
	feed("temp{room=\"a\"}", 0, "85 95 90 20 20 stale");
	transition(0, ALERT_INACTIVE, ALERT_FIRING);
	ck_assert(event()->value == 85 && event()->current == 85 && event()->worst == 85);
	ck_assert(event()->threshold == 80);
	ck_assert_str_eq(event()->op, ">");
	eval(1);
	eval(2);
	ck_assert(event()->value == 90 && event()->current == 90 && event()->worst == 95);
	transition(3, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert(event()->value == 90); /* the last one that fired */
	ck_assert(event()->current == 20);
	ck_assert(event()->worst == 95);
}
END_TEST

START_TEST(a_vanished_series_resolves_without_a_current_value)
{
	begin("  rules:\n  - alert: Low\n    expr: temp < 10\n");
	feed("temp", 0, "5 2 stale");
	transition(0, ALERT_INACTIVE, ALERT_FIRING);
	eval(1);
	ck_assert(event()->worst == 2);
	transition(2, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert(isnan(event()->current));
}
END_TEST

START_TEST(what_was_not_told_is_said_again)
{
	begin("  rules:\n  - alert: Down\n    expr: up == 0\n");
	feed("up", 0, "0 0 1 1 1");
	eval_untold(0);
	ck_assert(event()->from == ALERT_INACTIVE && event()->to == ALERT_FIRING);
	eval_untold(1);
	ck_assert(event()->from == ALERT_INACTIVE && event()->to == ALERT_FIRING);
	ck_assert(batch->changed);
	rule_group_told(g, &env);
	eval_untold(2);
	ck_assert(event()->from == ALERT_FIRING && event()->to == ALERT_INACTIVE);
	eval_untold(3);
	ck_assert(event()->from == ALERT_FIRING && event()->to == ALERT_INACTIVE);
	ck_assert_int_eq(event()->resolved_at_ms, 2 * MIN);
	rule_group_told(g, &env);
	eval(4);
	ck_assert_ptr_null(batch);
}
END_TEST

/* --- what is written --- */

START_TEST(alerts_are_series_while_they_last)
{
	begin(DOWN);
	feed("up", 0, "0 0 0 0 1 1");
	eval(0);
	ck_assert_str_eq(ask("ALERTS{alertname=\"Down\",alertstate=\"pending\"}", 0), "1");
	ck_assert_str_eq(ask("ALERTS_FOR_STATE{alertname=\"Down\"}", 0), "0");
	eval(1);
	eval(2);
	ck_assert_str_eq(ask("ALERTS{alertstate=\"firing\"}", 2), "1");
	ck_assert_str_eq(ask("ALERTS{alertstate=\"pending\"}", 2), ""); /* stale at once */
	eval(4);
	ck_assert_str_eq(ask("ALERTS", 4), "");
	ck_assert_str_eq(ask("ALERTS_FOR_STATE", 4), "");
	ck_assert_str_eq(ask("ALERTS", 3.5), "1");
}
END_TEST

START_TEST(a_rule_sees_what_rules_before_it_wrote_at_the_same_slot)
{
	begin("  labels: {from: group}\n  rules:\n"
	      "  - {record: a, expr: sum(x), labels: {l: v}}\n"
	      "  - {record: b, expr: a * 2}\n"
	      "  - {record: c, expr: b + on() a}\n"
	      "  - {alert: Big, expr: c > 20}\n"
	      "  - {record: d, expr: 'count(ALERTS)'}\n");
	feed("x{i=\"1\"}", 0, "3 4");
	feed("x{i=\"2\"}", 0, "3 4");
	eval(0);
	ck_assert_str_eq(ask("a{l=\"v\",from=\"group\"}", 0), "6");
	ck_assert_str_eq(ask("b", 0), "12");
	ck_assert_str_eq(ask("c", 0), "18");
	ck_assert_ptr_null(batch);
	eval(1);
	ck_assert_str_eq(ask("c", 1), "24");
	ck_assert_int_eq(event()->to, ALERT_FIRING);
	ck_assert_str_eq(ask("d", 1), "1");
	for (size_t i = 0; i < g->def->n; i++)
		ck_assert_msg(!g->rules[i].failed, "%s", g->rules[i].error);
}
END_TEST

START_TEST(a_series_that_is_not_recorded_again_ends_at_once)
{
	begin("  rules:\n  - {record: a, expr: x > 1}\n");
	feed("x{i=\"1\"}", 0, "5 0 5");
	feed("x{i=\"2\"}", 0, "5 5 5");
	eval(0);
	ck_assert_str_eq(ask("count(a)", 0), "2");
	eval(1);
	ck_assert_str_eq(ask("a", 1), "5");
	ck_assert_str_eq(ask("a{i=\"1\"}", 1), "");
	eval(2);
	ck_assert_str_eq(ask("count(a)", 2), "2");
}
END_TEST

START_TEST(a_series_may_go_to_a_rule_before)
{
	begin("  rules:\n  - {record: a, expr: x > 5}\n  - {record: a, expr: x <= 5}\n");
	feed("x", 0, "1 9");
	eval(0);
	ck_assert_str_eq(ask("a", 0), "1");
	eval(1); /* the second rule's mark does not end what the first one wrote */
	ck_assert_msg(!g->rules[1].failed, "%s", g->rules[1].error);
	ck_assert_str_eq(ask("a", 1), "9");
}
END_TEST

START_TEST(two_rules_that_write_the_same_series_are_told)
{
	begin("  rules:\n  - {record: a, expr: x}\n  - {record: a, expr: x + 1}\n");
	feed("x", 0, "1");
	eval(0);
	ck_assert(!g->rules[0].failed);
	ck_assert(g->rules[1].failed);
	ck_assert_ptr_nonnull(strstr(g->rules[1].error, "another value stands at this time"));
	ck_assert_str_eq(ask("a", 0), "1");
}
END_TEST

START_TEST(a_failed_recording_writes_nothing_and_ends_nothing)
{
	begin("  rules:\n  - {record: a, expr: x}\n");
	feed("x", 0, "1 2 3");
	eval(0);
	break_queries = true;
	eval(1);
	break_queries = false;
	ck_assert(g->rules[0].failed);
	ck_assert_str_eq(ask("a", 1), "1");
	eval(2);
	ck_assert_str_eq(ask("a", 2), "3");
}
END_TEST

START_TEST(recorded_series_must_differ_and_keep_the_limit)
{
	begin("  limit: 1\n  rules:\n"
	      "  - {record: a, expr: x}\n"
	      "  - {record: b, expr: x, labels: {i: same}}\n"
	      "  - {record: c, expr: '3'}\n");
	feed("x{i=\"1\"}", 0, "1");
	feed("x{i=\"2\"}", 0, "1");
	eval(0);
	ck_assert_str_eq(g->rules[0].error, "exceeded limit of 1 with 2 series");
	ck_assert_ptr_nonnull(strstr(g->rules[1].error, "same labelset"));
	ck_assert(!g->rules[2].failed);
	ck_assert_str_eq(ask("c", 0), "3");
	ck_assert_str_eq(ask("count(a) or count(b)", 0), "");
}
END_TEST

START_TEST(a_query_offset_moves_what_is_read_and_written)
{
	begin("  query_offset: 1m\n  rules:\n  - {record: a, expr: x}\n"
	      "  - {alert: A, expr: a > 1, annotations: {n: '{{ now }}'}}\n");
	feed("x", 0, "1 2 3");
	eval(2);
	ck_assert_int_eq(event()->active_at_ms, 2 * MIN); /* of the slot */
	ck_assert(str_eq(labels_get(event()->annotations, STR("n")), STR("120")));
	ck_assert_str_eq(ask("timestamp(ALERTS)", 2), "60");
	ck_assert_str_eq(ask("a", 1), "2");
	ck_assert_str_eq(ask("timestamp(a)", 2), "60");
}
END_TEST

START_TEST(native_histograms_are_recorded_as_such)
{
	begin("  rules:\n  - {record: a, expr: sum(h)}\n  - {record: b, expr: histogram_count(a)}\n"
	      "  - {alert: A, expr: a, annotations: {v: '{{ $value }}'}}\n");
	feed("h{i=\"1\"}", 0, "{{count:3 sum:4 buckets:[1 2]}}");
	feed("h{i=\"2\"}", 0, "{{count:2 sum:4 buckets:[1 1]}}");
	eval(0);
	ck_assert_str_eq(ask("b", 0), "5");
	ck_assert_int_eq(event()->to, ALERT_FIRING);
	ck_assert(event()->value == 5);
	ck_assert(str_eq(labels_get(event()->annotations, STR("v")),
		STR("{count:5, sum:8, (0.5,1]:2, (1,2]:3}")));
}
END_TEST

/* --- restarts and reloads --- */

static int64_t restore_hold_ms;

static void restore(struct str rule_key, const struct alert_event *ev, void *arg)
{
	size_t *n = arg;

	for (size_t i = 0; i < g->def->n; i++)
		*n += rule_restore(&g->rules[i], rule_key, ev, restore_hold_ms);
}

START_TEST(a_restart_goes_on_where_the_stored_state_ends)
{
	struct err e;
	int64_t slot;
	size_t n = 0;

	begin(DOWN "    keep_firing_for: 5m\n");
	feed("up{job=\"a\"}", 0, "0 0 0 1 1 1 1 1 1 1");
	feed("up{job=\"b\"}", 0, "1 1 0 0 0 0 0 0 0 0");
	ck_assert_msg(state_open(&state, dir, &e) == 0, "%s", e.msg);
	for (int m = 0; m <= 3; m++) {
		eval(m);
		if (batch != NULL && batch->changed)
			ck_assert_msg(
				alert_store_save(state_db(state), batch, &e) == 0, "%s", e.msg);
	}
	ck_assert_int_eq(alert_store_slot(state_db(state), g->def->key, &slot, &e), 0);
	ck_assert_int_eq(slot, 3 * MIN);
	rule_group_free(g);
	g = rule_group_new(&rs->groups[0], &env);
	ck_assert_int_eq(alert_store_load(state_db(state), restore, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(g->rules[0].n_firing, 1);
	ck_assert_uint_eq(g->rules[0].n_pending, 1);
	eval(4);
	ck_assert_uint_eq(batch->n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct alert_event *ev = &batch->events[i];
		bool a = str_eq(labels_get(ev->labels, STR("job")), STR("a"));

		ck_assert_int_eq(ev->from, a ? ALERT_FIRING : ALERT_PENDING);
		ck_assert_int_eq(ev->to, ALERT_FIRING);
		ck_assert_int_eq(ev->active_at_ms, a ? 0 : 2 * MIN);
		ck_assert_int_eq(ev->keep_firing_since_ms, a ? 3 * MIN : 0);
	}
	ck_assert_int_eq(alert_store_save(state_db(state), batch, &e), 0);
	eval(8); /* five minutes quiet: a is over */
	ck_assert_int_eq(alert_store_save(state_db(state), batch, &e), 0);
	rule_group_free(g);
	g = rule_group_new(&rs->groups[0], &env);
	n = 0;
	ck_assert_int_eq(alert_store_load(state_db(state), restore, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(after_a_restart_what_was_written_of_alerts_ends_too)
{
	struct err e;
	size_t n = 0;

	begin("  rules:\n  - {alert: Down, expr: up == 0}\n");
	feed("up", 0, "0 1");
	ck_assert_msg(state_open(&state, dir, &e) == 0, "%s", e.msg);
	eval(0);
	ck_assert_int_eq(alert_store_save(state_db(state), batch, &e), 0);
	rule_group_free(g);
	g = rule_group_new(&rs->groups[0], &env);
	ck_assert_int_eq(alert_store_load(state_db(state), restore, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	transition(1, ALERT_FIRING, ALERT_INACTIVE);
	ck_assert_str_eq(ask("ALERTS", 1), "");
	ck_assert_str_eq(ask("ALERTS_FOR_STATE", 1), "");
}
END_TEST

START_TEST(after_an_outage_an_alert_waits_for_fresh_samples_before_it_ends)
{
	struct err e;
	size_t n = 0;

	begin("  rules:\n  - {alert: Down, expr: up == 0}\n");
	feed("up", 0, "0 _ _ _ _ _ _ _ _ _ _ _ 1");
	ck_assert_msg(state_open(&state, dir, &e) == 0, "%s", e.msg);
	eval(0);
	ck_assert_int_eq(alert_store_save(state_db(state), batch, &e), 0);
	rule_group_free(g);
	g = rule_group_new(&rs->groups[0], &env);
	restore_hold_ms = 14 * MIN;
	ck_assert_int_eq(alert_store_load(state_db(state), restore, &n, &e), 0);
	restore_hold_ms = 0;
	ck_assert_uint_eq(n, 1);
	transition(10, ALERT_FIRING, ALERT_FIRING); /* no sample within the lookback */
	transition(12, ALERT_FIRING, ALERT_FIRING); /* up again, but others may still be silent */
	transition(14, ALERT_FIRING, ALERT_INACTIVE);
}
END_TEST

START_TEST(a_stored_alert_of_another_rule_is_not_taken)
{
	struct alert_event ev = {.to = ALERT_FIRING};

	begin(DOWN);
	ck_assert(!rule_restore(&g->rules[0], STR("other;rule;key"), &ev, 0));
	ck_assert_uint_eq(g->rules[0].alerts.n, 0);
}
END_TEST

START_TEST(a_reload_keeps_alerts_of_rules_that_stay)
{
	struct rule_set *next;
	struct rule_group *old;

	begin("  rules:\n  - {alert: Stays, expr: up == 0}\n  - {alert: Goes, expr: up == 0}\n");
	feed("up", 0, "0 0 0 0 0 0");
	eval(0);
	ck_assert_uint_eq(batch->n, 2);
	next = load("  rules:\n  - {record: new, expr: up}\n"
		    "  - {alert: Stays, expr: up==0, for: 3m, annotations: {s: t}}\n");
	old = g;
	g = rule_group_new(&next->groups[0], &env);
	rule_group_adopt(g, old);
	alert_batch_free(batch);
	rule_group_end(old, &env, MIN, &batch);
	ck_assert(event()->from == ALERT_FIRING && event()->to == ALERT_INACTIVE);
	ck_assert(str_eq(event()->rule->name, STR("Goes")));
	ck_assert_str_eq(ask("ALERTS{alertname=\"Goes\"}", 1), "");
	rule_group_free(old);
	rule_set_free(rs);
	rs = next;
	transition(1, ALERT_FIRING, ALERT_PENDING); /* `for` is longer now */
	ck_assert_int_eq(event()->active_at_ms, 0);
	transition(3, ALERT_PENDING, ALERT_FIRING);
}
END_TEST

START_TEST(rules_that_stand_twice_keep_their_alerts_over_a_reload)
{
	static const char twice[] = "  rules:\n  - {alert: A, expr: up == 0}\n"
				    "  - {alert: A, expr: up == 0}\n";
	struct rule_group *old;
	struct rule_set *next;

	begin(twice);
	feed("up", 0, "0 0 0");
	eval(0);
	ck_assert_uint_eq(batch->n, 2);
	next = load(twice);
	old = g;
	g = rule_group_new(&next->groups[0], &env);
	rule_group_adopt(g, old);
	alert_batch_free(batch);
	rule_group_end(old, &env, MIN, &batch);
	ck_assert_ptr_null(batch);
	rule_group_free(old);
	rule_set_free(rs);
	rs = next;
	eval(1);
	ck_assert_uint_eq(batch->n, 2);
	ck_assert(!batch->changed);
}
END_TEST

START_TEST(an_end_that_was_not_told_and_a_new_start_are_one_alert)
{
	begin("  rules:\n  - {alert: A, expr: up == 0}\n");
	feed("up", 0, "0 1 0");
	eval(0);
	eval_untold(1);
	ck_assert_int_eq(event()->to, ALERT_INACTIVE);
	eval_untold(2);
	ck_assert(event()->from == ALERT_FIRING && event()->to == ALERT_FIRING);
	ck_assert(batch->changed && event()->save); /* it has a new start */
	ck_assert_int_eq(event()->active_at_ms, 2 * MIN);
	rule_group_told(g, &env);
}
END_TEST

START_TEST(a_group_that_ends_resolves_its_alerts_and_series)
{
	begin("  rules:\n  - {record: a, expr: up}\n  - {alert: Down, expr: up == 0}\n");
	feed("up", 0, "0 0 0");
	eval(0);
	alert_batch_free(batch);
	rule_group_end(g, &env, MIN, &batch);
	ck_assert(event()->from == ALERT_FIRING && event()->to == ALERT_INACTIVE);
	ck_assert_int_eq(event()->resolved_at_ms, MIN);
	ck_assert_str_eq(ask("a", 1), "");
	ck_assert_str_eq(ask("ALERTS", 1), "");
	rule_group_told(g, &env);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rule_group");
	TCase *tc = tcase_create("rule_group");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_alert_waits_fires_and_resolves);
	tcase_add_test(tc, pending_that_ends_never_fires);
	tcase_add_test(tc, without_for_an_alert_fires_at_once);
	tcase_add_test(tc, keep_firing_for_holds_an_alert_until_it_was_quiet_long_enough);
	tcase_add_test(tc, an_error_keeps_every_alert_as_it_is);
	tcase_add_test(tc, two_alerts_with_the_same_labels_are_an_error);
	tcase_add_test(tc, a_template_that_fails_tells_its_error_as_text);
	tcase_add_test(tc, templates_query_the_store_at_the_evaluations_time);
	tcase_add_test(tc, current_and_worst_values_follow_the_compared_side);
	tcase_add_test(tc, a_vanished_series_resolves_without_a_current_value);
	tcase_add_test(tc, what_was_not_told_is_said_again);
	tcase_add_test(tc, alerts_are_series_while_they_last);
	tcase_add_test(tc, a_rule_sees_what_rules_before_it_wrote_at_the_same_slot);
	tcase_add_test(tc, a_series_that_is_not_recorded_again_ends_at_once);
	tcase_add_test(tc, a_series_may_go_to_a_rule_before);
	tcase_add_test(tc, two_rules_that_write_the_same_series_are_told);
	tcase_add_test(tc, a_failed_recording_writes_nothing_and_ends_nothing);
	tcase_add_test(tc, recorded_series_must_differ_and_keep_the_limit);
	tcase_add_test(tc, a_query_offset_moves_what_is_read_and_written);
	tcase_add_test(tc, native_histograms_are_recorded_as_such);
	tcase_add_test(tc, a_restart_goes_on_where_the_stored_state_ends);
	tcase_add_test(tc, after_a_restart_what_was_written_of_alerts_ends_too);
	tcase_add_test(tc, after_an_outage_an_alert_waits_for_fresh_samples_before_it_ends);
	tcase_add_test(tc, a_stored_alert_of_another_rule_is_not_taken);
	tcase_add_test(tc, a_reload_keeps_alerts_of_rules_that_stay);
	tcase_add_test(tc, rules_that_stand_twice_keep_their_alerts_over_a_reload);
	tcase_add_test(tc, an_end_that_was_not_told_and_a_new_start_are_one_alert);
	tcase_add_test(tc, a_group_that_ends_resolves_its_alerts_and_series);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
