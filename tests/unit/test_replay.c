/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays of rules: by range queries they give what slot after slot gives; rules see each other's
 * output as running rules do; what was recorded in their place is hidden.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "rules/replay.h"
#include "rules/series_notation.h"
#include "tests/lib/mem_source.h"
#include "tests/lib/suite.h"

#define MIN 60000

static struct arena arena;
static struct mem_source mem;
static struct select_source source;
static char path[64];
static struct rule_set *rs;
static struct buf said; /* every transition, a line each */

static void setup(void)
{
	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	arena_init(&arena, (size_t)256 << 20);
	mem_source_init(&mem, &arena);
	source = mem_source_select(&mem);
	snprintf(path, sizeof path, "/tmp/belfry-replay.XXXXXX");
	close(mkstemp(path));
	buf_init(&said, (size_t)16 << 20);
	rs = NULL;
}

static void teardown(void)
{
	rule_set_free(rs);
	buf_fini(&said);
	unlink(path);
	arena_fini(&arena);
}

static void load(const char *text)
{
	struct str paths[] = {str_c(path)};
	struct diag *d = diag_new(&arena);
	FILE *f = fopen(path, "w");
	struct buf out;

	fprintf(f, "%s", text);
	fclose(f);
	rule_set_free(rs);
	rs = rule_set_load(paths, 1, true, d, &arena);
	buf_init(&out, 1 << 20);
	diag_print(d, &out);
	ck_assert_msg(rs != NULL, "%s", out.p);
	buf_fini(&out);
}

static void feed(const char *series, const char *values)
{
	struct series_value *v;
	struct mem_series *s;
	struct labels ls;
	struct err e;
	size_t n;

	ck_assert_int_eq(series_labels_parse(&arena, str_c(series), &ls, &e), 0);
	ck_assert_int_eq(series_values_parse(&arena, str_c(values), &v, &n, &e), 0);
	s = mem_source_series(&mem, ls);
	for (size_t i = 0; i < n; i++) {
		if (!v[i].missing)
			mem_series_add(&mem, s, (int64_t)i * MIN, v[i].v, v[i].h, 0);
	}
}

static void on_batch(void *arg, const struct rule *rule, struct alert_batch *b)
{
	static const char *const state[] = {"inactive", "pending", "firing"};
	int64_t *last = arg;

	ck_assert_int_ge(b->slot_ms, *last);
	*last = b->slot_ms;
	(void)rule;
	for (size_t i = 0; i < b->n; i++) {
		const struct alert_event *ev = &b->events[i];

		if (ev->from == ev->to)
			continue;
		buf_printf(&said, "%lld %s ", (long long)b->slot_ms / 1000, state[ev->to]);
		labels_print(&said, ev->labels, false);
		buf_printf(&said, " %g %g", ev->value, isnan(ev->current) ? -1 : ev->current);
		for (size_t k = 0; k < ev->annotations.n; k++)
			buf_printf(&said, " " STR_FMT, STR_ARG(ev->annotations.v[k].value));
		buf_ch(&said, '\n');
	}
	alert_batch_free(b);
}

static struct replay *run(int from, int to, bool slots_only)
{
	int64_t last = INT64_MIN;
	struct replay_opts o = {.source = &source,
		.interval_ms = 15000,
		.start_ms = (int64_t)from * MIN,
		.end_ms = (int64_t)to * MIN,
		.max_memory = (size_t)64 << 20,
		.experimental = true,
		.compact = true,
		.slots_only = slots_only,
		.on_batch = on_batch,
		.arg = &last};
	struct replay *rp = replay_new(rs, &o);
	struct err e;

	buf_reset(&said);
	ck_assert_msg(replay_run(rp, &e) == 0, "%s", e.msg);
	return rp;
}

/* Every sample of these metrics as text. */
static char *samples(const struct replay *rp, const char *selector)
{
	const struct select_source *src = replay_source(rp);
	struct matcher *m;
	struct select_set *set;
	struct buf b;
	struct err e;
	size_t n;
	char *text;

	buf_init(&b, (size_t)64 << 20);
	ck_assert_int_eq(pq_parse_selector(&arena, str_c(selector), &m, &n, &e), 0);
	ck_assert_int_eq(src->open(src->ctx, m, n, 0, INT64_MAX / 2, &arena, &set, &e), 0);
	for (size_t i = 0; i < src->count(set); i++) {
		struct select_cols c;

		labels_print(&b, src->labels(set, i), true);
		ck_assert_int_eq(src->fetch(set, i, 0, INT64_MAX / 2, &c, &e), 0);
		for (size_t k = 0; k < c.n; k++)
			buf_printf(&b, " %lld:%016llx", (long long)c.t[k],
				(unsigned long long)(c.h != NULL && c.h[k] != NULL
							     ? f64_bits(c.h[k]->sum)
							     : f64_bits(c.v[k])));
		buf_ch(&b, '\n');
	}
	src->close(set);
	text = str_dup_c(buf_view(&b));
	buf_fini(&b);
	return text;
}

static void same_text(const char *a, const char *b)
{
	size_t line = 1, at = 0;

	for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++) {
		if (a[i] == '\n')
			at = i + 1;
		line += a[i] == '\n';
	}
	if (strcmp(a, b) != 0) {
		size_t i = at;

		while (a[i] == b[i])
			i++;
		ck_abort_msg("line %zu %.80s: ... %.200s\n ... %.200s", line, a + at, a + i, b + i);
	}
}

/* Both ways; the transitions stay in `said`. */
static void same_both_ways(int from, int to)
{
	char *by_slot, *slot_samples, *range_samples;
	struct replay *rp = run(from, to, true);

	slot_samples = samples(rp, "{__name__=~\".+\"}");
	by_slot = str_dup_c(buf_view(&said));
	replay_free(rp);
	rp = run(from, to, false);
	range_samples = samples(rp, "{__name__=~\".+\"}");
	same_text(slot_samples, range_samples);
	same_text(by_slot, said.p != NULL ? said.p : "");
	replay_free(rp);
	free(by_slot);
	free(slot_samples);
	free(range_samples);
}

static const char rules[] =
	"groups:\n"
	"- name: alerts\n"
	"  rules:\n"
	"  - {alert: Many, expr: 'job:x:rate5m > 0.5', for: 2m, keep_firing_for: 3m,\n"
	"     annotations: {s: '{{ $labels.job }} {{ $value }} {{ query \"count(x)\" | first | "
	"value }}'}}\n"
	"  - {alert: Seen, expr: 'ALERTS{alertname=\"Many\",alertstate=\"firing\"}', labels: "
	"{alertstate: ''}}\n"
	"  - {alert: Held, expr: 'y > 5', annotations: {belfry_clear_if: 'y < 2'}}\n"
	"  - {alert: Gone, expr: z, annotations: {belfry_absent_after: 10m}}\n"
	"  - {alert: Odd, expr: 'y + on() group_left() x > 0'}\n" /* fails while x is many */
	"  - {alert: Plain, expr: '1'}\n"
	"- name: records\n"
	"  interval: 20s\n"
	"  rules:\n"
	"  - {record: 'job:x:rate5m', expr: 'sum by (job) (rate(x[5m]))'}\n"
	"  - {record: 'job:x:avg', expr: 'avg_over_time(job:x:rate5m[15m])', labels: {l: v}}\n"
	"  - {record: gap, expr: 'y > 3'}\n"
	"  - {record: later_sum, expr: 'sum(before) or vector(0)'}\n" /* reads the next one's past
								       */
	"  - {record: before, expr: 'count(y) + later_sum'}\n"
	"  - {record: count, expr: 'count_over_time(gap[3m:30s] @ end())'}\n"
	"  - {record: split, expr: 'y > 4', labels: {side: a}}\n"
	"  - {record: split, expr: 'y <= 4', labels: {side: b}}\n"
	"  - {record: turn, expr: 'y > 4'}\n"
	"  - {record: turn, expr: 'y <= 4'}\n"
	"  - {record: twice, expr: 'x', labels: {i: same}}\n" /* two become one: an error */
	"  - {record: h, expr: 'sum(hist)'}\n"
	"  - {record: hc, expr: 'histogram_count(h)'}\n"
	"  - {record: all, expr: 'count({__name__=~\".+\"})'}\n"
	"- name: limited\n"
	"  limit: 1\n"
	"  query_offset: 30s\n"
	"  rules:\n"
	"  - {record: few, expr: 'x'}\n"
	"  - {record: one, expr: 'sum(y)'}\n";

static void feed_all(void)
{
	feed("x{job=\"a\",i=\"1\"}", "0+10x60 0+90x20 0+5x60");
	feed("x{job=\"a\",i=\"2\"}", "_x30 0+10x40 stale _x20 0+20x30");
	feed("x{job=\"b\",i=\"1\"}", "0+40x20 800+0x120");
	feed("y", "1 6 6 4 3 1 7x5 _x3 4 5 1 stale _x20 6 5 5x30 1x50");
	feed("z{host=\"a\"}", "1x70 stale _x20 1x50");
	feed("z{host=\"b\"}", "1x140");
	feed("hist", "{{schema:0 count:3 sum:4 buckets:[1 2]}}x20 {{schema:0 count:4 sum:5 "
		     "buckets:[2 2]}}x100");
}

START_TEST(ranges_give_what_slot_after_slot_gives)
{
	load(rules);
	feed_all();
	same_both_ways(0, 140);
	ck_assert_ptr_nonnull(strstr(said.p, "firing {alertname=\"Many\", job=\"a\"}"));
	ck_assert_ptr_nonnull(strstr(said.p, "firing {alertname=\"Seen\", job=\"a\"}"));
	ck_assert_ptr_nonnull(strstr(said.p, "firing {alertname=\"Held\"}"));
	ck_assert_ptr_nonnull(strstr(said.p, "firing {alertname=\"Gone\", host=\"a\"}"));
	ck_assert_ptr_nonnull(strstr(said.p, "firing {alertname=\"Plain\"}"));
}
END_TEST

START_TEST(failing_slots_fail_alone)
{
	const struct replay_rule *v;
	struct replay *rp;
	size_t n;

	load(rules);
	feed_all();
	rp = run(0, 140, false);
	v = replay_rules(rp, &n);
	ck_assert_uint_eq(n, rs->n_rules);
	ck_assert_uint_eq(v[0].failures, 0);
	ck_assert_uint_eq(v[0].evaluations, 560 + (n == 0)); /* every 15 s */
	ck_assert_msg(str_eq(v[4].def->name, STR("Odd")) && v[4].failures > 0 &&
			      v[4].failures < v[4].evaluations,
		"%llu of %llu", (unsigned long long)v[4].failures,
		(unsigned long long)v[4].evaluations);
	ck_assert_ptr_nonnull(strstr(v[16].error, "same labelset"));
	ck_assert_ptr_nonnull(strstr(v[20].error, "exceeded limit of 1"));
	replay_free(rp);
}
END_TEST

START_TEST(what_was_recorded_in_their_place_is_hidden)
{
	struct replay *rp;
	char *text;

	load("groups: [{name: g, interval: 1m, rules: [{record: r, expr: sum(x)}]}]");
	feed("x", "1x20");
	feed("r", "9x20");
	feed("r{other=\"1\"}", "9x20");
	rp = run(10, 12, false);
	text = samples(rp, "r");
	ck_assert_ptr_nonnull(strstr(text, "540000:4022000000000000 ")); /* 9 before */
	ck_assert_ptr_null(strstr(text, "600000:4022000000000000"));
	ck_assert_ptr_nonnull(strstr(text, ":3ff0000000000000")); /* 1 since */
	free(text);
	replay_free(rp);
}
END_TEST

START_TEST(rules_come_after_those_they_read)
{
	static const struct {
		size_t rule;
		bool by_slot;
	} want[] = {{2, false}, {1, false}, {0, false}, {3, true}};
	struct replay_plan p;

	load("groups:\n- name: g\n  rules:\n"
	     "  - {record: c, expr: x}\n  - {record: b, expr: x}\n- name: f\n  rules:\n"
	     "  - {record: a, expr: x}\n  - {record: s, expr: s + c}\n");
	replay_plan_init(&p, rs, 0);
	ck_assert_uint_eq(p.n, 4);
	ck_assert(p.v[3].by_slot && p.v[3].rules[0] == 3);
	replay_plan_fini(&p);
	load("groups:\n- name: g\n  rules:\n"
	     "  - {record: c, expr: b}\n" /* the next rule's last slot: in a circle */
	     "  - {record: b, expr: 'rate(a[5m])'}\n- name: f\n  rules:\n"
	     "  - {record: a, expr: x}\n  - {record: s, expr: 's + c'}\n");
	replay_plan_init(&p, rs, 0);
	ck_assert_uint_eq(p.n, 3);
	ck_assert(p.v[0].n == 1 && p.v[0].rules[0] == want[0].rule && !p.v[0].by_slot);
	ck_assert(p.v[1].n == 2 && p.v[1].rules[0] == 0 && p.v[1].rules[1] == 1);
	ck_assert(p.v[1].by_slot);
	ck_assert(p.v[2].rules[0] == 3 && p.v[2].by_slot == want[3].by_slot);
	replay_plan_fini(&p);
}
END_TEST

START_TEST(warm_up_is_what_rules_read_of_rules)
{
	load("groups:\n- name: g\n  rules:\n"
	     "  - {record: a, expr: 'rate(x[3d])'}\n"
	     "  - {record: b, expr: 'avg_over_time(a[2h] offset 1h)'}\n"
	     "  - {alert: C, expr: 'max_over_time((x > 1)[1h:5m]) > 1', for: 10m}\n");
	ck_assert_int_eq(replay_warm_up(rs, INT64_C(86400000)), 3 * 3600000 + 5 * MIN + 10 * MIN);
	ck_assert_int_eq(replay_warm_up(rs, 3600000), 3600000);
}
END_TEST

static atomic_bool cancel;

static void cancel_it(void *arg, const struct rule *rule, struct alert_batch *b)
{
	(void)rule;
	++*(size_t *)arg;
	atomic_store(&cancel, true);
	alert_batch_free(b);
}

START_TEST(a_cancelled_replay_ends_without_evaluating_what_is_left)
{
	size_t batches = 0, n;
	struct replay_opts o = {.source = &source,
		.interval_ms = MIN,
		.end_ms = (int64_t)1000000 * MIN,
		.max_memory = (size_t)64 << 20,
		.cancel = &cancel,
		.on_batch = cancel_it,
		.arg = &batches};
	struct replay *rp;
	struct err e;

	load("groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'vector(1)'}\n");
	atomic_store(&cancel, false);
	rp = replay_new(rs, &o);
	ck_assert_int_eq(replay_run(rp, &e), -1);
	ck_assert_int_eq(e.kind, ERR_CANCEL);
	ck_assert_uint_gt(batches, 0); /* of the first stretch, and of no other */
	ck_assert_uint_lt(replay_rules(rp, &n)->evaluations, 10000);
	replay_free(rp);
	rp = replay_new(rs, &o);
	ck_assert_int_eq(replay_run(rp, &e), -1);
	ck_assert_uint_eq(replay_rules(rp, &n)->evaluations, 0);
	replay_free(rp);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay");
	TCase *tc = tcase_create("replay");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, ranges_give_what_slot_after_slot_gives);
	tcase_add_test(tc, failing_slots_fail_alone);
	tcase_add_test(tc, what_was_recorded_in_their_place_is_hidden);
	tcase_add_test(tc, rules_come_after_those_they_read);
	tcase_add_test(tc, warm_up_is_what_rules_read_of_rules);
	tcase_add_test(tc, a_cancelled_replay_ends_without_evaluating_what_is_left);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
