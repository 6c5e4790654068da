/* SPDX-License-Identifier: Apache-2.0 */
/* What a graph source finds out for a message, and that it answers every request once and in time.
 */
#include <check.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "agent/graph_source.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "exporters/graph_spec.h"
#include "exporters/message.h"
#include "tests/lib/mem_source.h"
#include "tests/lib/suite.h"

#define NOW INT64_C(1700000000000)

static struct arena mem;
static struct mem_source series;
static struct select_source source;
static atomic_uint slow_ms;

static int (*real_open)(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e);
static int slow_open(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	if (atomic_load(&slow_ms) > 0)
		(void)nanosleep(
			&(struct timespec){.tv_nsec = atomic_load(&slow_ms) * 1000000L}, NULL);
	return real_open(ctx, m, n, mint, maxt, a, out, e);
}

/* n + 1 samples, the last of them now. */
static void add_each(
	int n, int64_t interval_ms, const char *name, const char *pool, double from, double to)
{
	struct label v[] = {{LABEL_NAME, str_c(name)}, {STR("pool"), str_c(pool)}};
	struct mem_series *s = mem_source_series(&series, (struct labels){v, 2});

	for (int i = 0; i <= n; i++)
		mem_series_add(&series, s, NOW - (n - i) * interval_ms,
			n > 0 ? from + (to - from) * i / n : to, NULL, 0);
}

static void add(const char *name, const char *pool, double from, double to)
{
	add_each(240, 15000, name, pool, from, to);
}

static void setup(void)
{
	hash_init(); /* as main does, before there are threads */
	arena_init(&mem, (size_t)64 << 20);
	mem_source_init(&series, &mem);
	add("pool_used", "orders", 40, 100);
	add("pool_used", "users", 10, 20);
	add("pool_size", "orders", 100, 100);
	add("pool_size", "users", 100, 100);
	source = mem_source_select(&series);
	real_open = source.open;
	source.open = slow_open;
	atomic_store(&slow_ms, 0);
}

static void teardown(void)
{
	arena_fini(&mem);
}

/* The spec of alerts of these pools; the caller frees. */
static void spec_of(const char *expr, const char *const *pools, size_t n, struct buf *out)
{
	static struct label labels[3][3];
	struct message_alert v[3];
	struct message m = {.now_ms = NOW};
	struct arena a;

	arena_init(&a, (size_t)1 << 20);
	for (size_t i = 0; i < n; i++) {
		labels[i][0] = (struct label){STR("alertname"), STR("PoolFull")};
		labels[i][1] = (struct label){STR("pool"), str_c(pools[i])};
		labels[i][2] = (struct label){STR("severity"), STR("critical")};
		v[i] = (struct message_alert){.firing = true,
			.labels = {labels[i], 3},
			.expr = str_c(expr),
			.rule = STR("PoolFull"),
			.group = STR("g"),
			.op = ">",
			.threshold = 0.9,
			.current = 1 - 0.1 * (double)i,
			.value = 1,
			.worst = NAN,
			.starts_at_ms = NOW - 60000};
	}
	message_finish(&m, v, n, &a);
	buf_init(out, GRAPH_SPEC_MAX);
	graph_spec(&m, out);
	arena_fini(&a);
}

static struct graph_answer *make(const char *expr, const char *const *pools, size_t n, bool png)
{
	const struct graph_env env = {.source = &source};
	struct graph_answer *g;
	struct buf spec;

	spec_of(expr, pools, n, &spec);
	g = graph_answer_make(&env, buf_view(&spec), NOW, png, clock_mono_ms() + 60000);
	buf_fini(&spec);
	return g;
}

START_TEST(the_compared_side_of_the_alerts_own_series_is_shown)
{
	const char *pools[] = {"orders"};
	struct graph_answer *g = make("pool_used / pool_size > 0.9", pools, 1, true);

	ck_assert_ptr_nonnull(g);
	ck_assert_uint_eq(g->points.n_series, 1);
	ck_assert_uint_le(g->points.n, GRAPH_POINTS_MAX);
	ck_assert_int_eq(g->points.t0_ms + (int64_t)(g->points.n - 1) * g->points.step_ms, NOW);
	ck_assert_int_ge((int64_t)(g->points.n - 1) * g->points.step_ms, 3500000);
	ck_assert_double_eq_tol(g->points.series[0].v[g->points.n - 1], 1, 1e-9);
	ck_assert_double_eq_tol(g->points.series[0].v[0], 0.4, 0.02);
	ck_assert_int_eq(g->points.unit.kind, UNIT_RATIO);
	ck_assert_int_eq(g->points.fired_ms, NOW - 60000);
	ck_assert_uint_gt(g->png.n, 1000);
	ck_assert_uint_le(g->png.n, GRAPH_PNG_GOOD);
	graph_free(g);
}
END_TEST

START_TEST(a_young_series_is_looked_at_closer)
{
	const char *pools[] = {"new"};
	struct graph_answer *g;
	struct buf b;

	add_each(60, 1000, "pool_used", "new", 0, 60);
	add_each(60, 1000, "pool_size", "new", 60, 60);
	g = make("pool_used / pool_size > 0.9", pools, 1, true);
	ck_assert_ptr_nonnull(g);
	ck_assert_int_eq(g->points.step_ms, 1000);
	ck_assert_int_eq(g->points.t0_ms + (int64_t)(g->points.n - 1) * g->points.step_ms, NOW);
	ck_assert_uint_gt(g->png.n, 1000);
	buf_init(&b, 1024);
	graph_sparkline(&g->points, &b);
	ck_assert(str_eq(buf_view(&b), STR("▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇███ 0 % → 100 % in 60s")));
	buf_fini(&b);
	graph_free(g);
}
END_TEST

START_TEST(one_value_is_no_course)
{
	const char *pools[] = {"new"};
	struct graph_answer *g;
	struct buf b;

	add_each(0, 1000, "pool_used", "new", 60, 60);
	add_each(0, 1000, "pool_size", "new", 60, 60);
	g = make("pool_used / pool_size > 0.9", pools, 1, true);
	ck_assert_ptr_nonnull(g);
	ck_assert_double_eq(g->points.series[0].v[g->points.n - 1], 1);
	buf_init(&b, 1024);
	graph_sparkline(&g->points, &b);
	ck_assert_uint_eq(b.n, 0);
	buf_fini(&b);
	graph_free(g);
}
END_TEST

START_TEST(several_alerts_are_several_lines_with_names)
{
	const char *pools[] = {"orders", "users"};
	struct graph_answer *g = make("pool_used / pool_size > 0.9", pools, 2, false);

	ck_assert_ptr_nonnull(g);
	ck_assert_uint_eq(g->points.n_series, 2);
	ck_assert(str_eq(g->points.series[0].label, STR("pool=orders")));
	ck_assert(str_eq(g->points.series[1].label, STR("pool=users")));
	ck_assert_double_eq_tol(g->points.series[1].v[g->points.n - 1], 0.2, 1e-9);
	ck_assert_uint_eq(g->png.n, 0);
	graph_free(g);
}
END_TEST

START_TEST(without_a_constant_the_left_side_and_else_all_is_shown)
{
	const char *pools[] = {"users"};
	struct graph_answer *g = make("pool_used > pool_size", pools, 1, false);

	ck_assert_ptr_nonnull(g);
	ck_assert_double_eq_tol(g->points.series[0].v[g->points.n - 1], 20, 1e-9);
	graph_free(g);
	g = make("absent(nothing_there)", pools, 1, false);
	ck_assert_ptr_nonnull(g);
	ck_assert_double_eq(g->points.series[0].v[0], 1);
	graph_free(g);
}
END_TEST

START_TEST(nothing_to_show_is_no_answer)
{
	const struct graph_env env = {.source = &source};
	const char *pools[] = {"orders"};

	ck_assert_ptr_null(make("no_such_metric > 1", pools, 1, true));
	ck_assert_ptr_null(graph_answer_make(&env, STR("junk"), NOW, true, clock_mono_ms() + 1000));
	ck_assert_ptr_null(graph_answer_make(&env, STR(""), NOW, true, clock_mono_ms() + 1000));
	/* an expression that is one no more (another version wrote it) */
	ck_assert_ptr_null(make("sum by (", pools, 1, true));
}
END_TEST

/* --- the thread --- */

static atomic_uint done, with_graph;

static void on_done(struct graph_request *req, struct graph_answer *take_graph)
{
	(void)req;
	atomic_fetch_add(&with_graph, take_graph != NULL);
	graph_free(take_graph);
	atomic_fetch_add(&done, 1);
}

START_TEST(every_request_that_was_taken_is_answered_once)
{
	const struct graph_env env = {.source = &source};
	const char *pools[] = {"orders"};
	struct graph_request req[100];
	struct graph_service *s;
	struct graph_source asked;
	unsigned taken = 0;
	struct buf spec;
	struct err e;

	atomic_store(&done, 0);
	atomic_store(&with_graph, 0);
	atomic_store(&slow_ms, 1);
	spec_of("pool_used / pool_size > 0.9", pools, 1, &spec);
	ck_assert_int_eq(graph_service_start(&s, &env, &e), 0);
	asked = graph_service_source(s);
	for (size_t i = 0; i < ARRAY_LEN(req); i++) {
		req[i] = (struct graph_request){
			.spec = buf_view(&spec), .now_ms = NOW, .on_done = on_done};
		taken += asked.submit(asked.ctx, &req[i]);
	}
	ck_assert_uint_gt(taken, 10);
	ck_assert_uint_lt(taken, ARRAY_LEN(req)); /* the queue is bounded */
	graph_service_stop(s);
	ck_assert_uint_eq(atomic_load(&done), taken);
	ck_assert(!asked.submit(asked.ctx, &req[0])); /* stopped: refused */
	ck_assert_uint_eq(atomic_load(&done), taken);
	graph_service_free(s);
	graph_service_free(NULL);
	buf_fini(&spec);
}
END_TEST

START_TEST(a_deadline_that_has_passed_leaves_no_time_for_a_picture)
{
	const struct graph_env env = {.source = &source};
	const char *pools[] = {"orders"};
	struct graph_answer *g;
	struct buf spec;

	spec_of("pool_used / pool_size > 0.9", pools, 1, &spec);
	g = graph_answer_make(&env, buf_view(&spec), NOW, true, clock_mono_ms() - 1);
	if (g != NULL) /* points were quicker than the clock; no picture then */
		ck_assert_uint_eq(g->png.n, 0);
	graph_free(g);
	buf_fini(&spec);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("graph_source");
	TCase *tc = tcase_create("graph_source");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_compared_side_of_the_alerts_own_series_is_shown);
	tcase_add_test(tc, a_young_series_is_looked_at_closer);
	tcase_add_test(tc, one_value_is_no_course);
	tcase_add_test(tc, several_alerts_are_several_lines_with_names);
	tcase_add_test(tc, without_a_constant_the_left_side_and_else_all_is_shown);
	tcase_add_test(tc, nothing_to_show_is_no_answer);
	tcase_add_test(tc, every_request_that_was_taken_is_answered_once);
	tcase_add_test(tc, a_deadline_that_has_passed_leaves_no_time_for_a_picture);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
