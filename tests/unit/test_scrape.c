/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of agent/scrape/ with a real store, http client and loop, against a stub of a target. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/http_client.h"
#include "agent/scrape/scrape.h"
#include "agent/scrape/target.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "tests/lib/stub_server.h"
#include "tests/lib/suite.h"
#include "tests/lib/test_store.h"

#define INTERVAL 10000
#define POLL_MS  2

static struct store *store;
static struct loop *loop;
static struct pool *pool;
static struct http_client *client;
static struct scrape *scrape;
static struct stub_server *server;
static struct arena arena;

static struct scrape_job job;
static struct scrape_static group;
static struct scrape_opts opts;
static struct str address;

/* What the stub answers. */
static const char *page, *content_type, *status;
static bool hang;
static char request[4096];

static void serve(struct stub_server *s, int fd, void *arg)
{
	char head[500];

	(void)arg;
	if (!stub_read_head(fd, request, sizeof request))
		return;
	if (hang) {
		stub_hang(s, fd);
		return;
	}
	(void)snprintf(head, sizeof head,
		"HTTP/1.1 %s\r\n%s%s%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
		content_type != NULL ? "Content-Type: " : "",
		content_type != NULL ? content_type : "", content_type != NULL ? "\r\n" : "",
		strlen(page));
	stub_puts(fd, head);
	stub_puts(fd, page);
}

static int64_t begin; /* wall time, ms: where the clock starts, TEST_NOW or a little later */

static int64_t first_slot(void)
{
	struct err e;
	struct target_conf *c = target_conf_new(&job, &group, address, &e);
	int64_t t;

	target_conf_place(c, opts.slot_unit_ms, 1);
	t = target_slot(c, begin) + INTERVAL;
	target_conf_free(c);
	return t;
}

static void setup(void)
{
	struct err e = {0};

	store = test_store_open();
	clock_inject(TEST_NOW, 1);
	arena_init(&arena, 16 << 20);
	page = "a 1\n";
	content_type = "text/plain; version=0.0.4";
	status = "200 OK";
	hang = false;
	server = stub_start(serve, NULL);
	address = arena_printf(&arena, "127.0.0.1:%d", stub_port(server));
	group = (struct scrape_static){.targets = &address, .n_targets = 1};
	job = (struct scrape_job){.job_name = STR("j"),
		.metrics_path = STR("/metrics"),
		.scheme = STR("http"),
		.interval_ms = INTERVAL,
		.timeout_ms = INTERVAL,
		.honor_timestamps = true,
		.statics = &group,
		.n_statics = 1};
	opts = (struct scrape_opts){.jobs = &job, .n_jobs = 1};
	/* its place in the interval comes of the port: not so early that it is over before the
	 * start */
	begin = TEST_NOW;
	if (first_slot() - begin < INTERVAL / 4)
		begin += INTERVAL / 2;
	clock_inject(begin, 1);
	ck_assert_int_eq(loop_new(&loop, &e), 0);
	ck_assert_int_eq(pool_new(&pool, ROLE_INGEST, 1, 64, &e), 0);
	ck_assert_int_eq(http_client_new(&client, "scrape", 8, &e), 0);
}

static void start(void)
{
	struct err e = {0};

	ck_assert_int_eq(
		scrape_start(&scrape, &opts, loop, pool, http_client_sender(client), store, &e), 0);
}

static void teardown(void)
{
	scrape_stop(scrape);
	http_client_free(client);
	pool_free(pool);
	test_store_close(store);
	loop_free(loop);
	stub_stop(server);
	arena_fini(&arena);
}

static double runs(void)
{
	return metric_get(metric_counter("belfry_scrapes_total", "", NULL));
}

static double awaited;

static void stop_when_done(void *arg)
{
	(void)arg;
	if (runs() >= awaited)
		loop_stop(loop);
}

/* The clock jumps to the n-th slot after the beginning (from 1), and the scrape is waited for.
 * Returns its time, relative to TEST_NOW. */
static long long scrape_slot(int n)
{
	struct loop_timer *t = loop_timer_new(loop, stop_when_done, NULL);
	int64_t slot = first_slot() + (int64_t)(n - 1) * INTERVAL;

	awaited = runs() + 1;
	clock_inject(slot, 1);
	loop_timer_set(t, POLL_MS, POLL_MS);
	loop_run(loop);
	loop_timer_free(t);
	return (long long)(slot - TEST_NOW);
}

/* The series' text as the store has it must be the format with the labels job and instance. */
static void expect(const char *metric, const char *labels, const char *samples)
{
	struct str want = arena_printf(&arena, "%s{%s} %s\n", metric, labels, samples);

	ck_assert_str_eq(test_store_dump(store, metric), want.p);
}

static const char *own(const char *more)
{
	return arena_printf(
		&arena, "%sinstance=\"%.*s\", job=\"j\"", more, (int)address.n, address.p)
		.p;
}

static const char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *text(const char *fmt, ...)
{
	static char out[4][300];
	static unsigned next;
	char *o = out[next++ % 4];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(o, 300, fmt, ap);
	va_end(ap);
	return o;
}

static const char *targets(void)
{
	static char out[4096];
	struct buf b;

	buf_init(&b, sizeof out - 1);
	scrape_targets_json(scrape, STR_NULL, STR_NULL, &b);
	(void)snprintf(out, sizeof out, "%.*s", (int)b.n, b.p);
	buf_fini(&b);
	return out;
}

START_TEST(a_page_is_stored_at_its_slot_with_the_targets_labels)
{
	long long t1, t2;

	page = "# HELP a Help.\n# TYPE a counter\na{x=\"y\"} 1\nb 2.5\n";
	start();
	ck_assert_ptr_nonnull(strstr(targets(), "\"health\":\"unknown\""));
	t1 = scrape_slot(1);
	page = "# HELP a Help.\n# TYPE a counter\na{x=\"y\"} 3\nb 2.5\nc 1\n";
	t2 = scrape_slot(2);
	expect("a", arena_printf(&arena, "%s, x=\"y\"", own("")).p, text("%lld=1 %lld=3", t1, t2));
	expect("b", own(""), text("%lld=2.5 %lld=2.5", t1, t2));
	expect("up", own(""), text("%lld=1 %lld=1", t1, t2));
	expect("scrape_samples_scraped", own(""), text("%lld=2 %lld=3", t1, t2));
	expect("scrape_samples_post_metric_relabeling", own(""), text("%lld=2 %lld=3", t1, t2));
	expect("scrape_series_added", own(""), text("%lld=2 %lld=1", t1, t2));
	ck_assert_str_ne(test_store_dump(store, "scrape_duration_seconds"), "");
	ck_assert_ptr_nonnull(strstr(targets(), "\"health\":\"up\""));
	ck_assert_ptr_nonnull(strstr(targets(), "\"lastError\":\"\""));
}
END_TEST

START_TEST(metadata_goes_to_the_store)
{
	struct store_metadata *m;
	struct err e;
	size_t n;

	page = "# HELP a Help \\n.\n# TYPE a histogram\na_count 1\n# TYPE b gauge\nb 1\n";
	start();
	(void)scrape_slot(1);
	ck_assert_int_eq(store_metadata(store, STR("a"), &arena, &m, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(m[0].type, STR("histogram")));
	ck_assert(str_eq(m[0].help, STR("Help \n.")));
}
END_TEST

START_TEST(what_vanishes_or_fails_gets_stale_markers)
{
	long long t1, t2, t3, t4;

	page = "a 1\nb 1\n";
	start();
	t1 = scrape_slot(1);
	page = "b 2\n";
	t2 = scrape_slot(2);
	status = "503 Down";
	t3 = scrape_slot(3);
	status = "200 OK";
	page = "a 5\nb 5\n";
	t4 = scrape_slot(4);
	expect("a", own(""), text("%lld=1 %lld=stale %lld=5", t1, t2, t4));
	expect("b", own(""), text("%lld=1 %lld=2 %lld=stale %lld=5", t1, t2, t3, t4));
	expect("up", own(""), text("%lld=1 %lld=1 %lld=0 %lld=1", t1, t2, t3, t4));
}
END_TEST

START_TEST(one_bad_line_fails_the_whole_page)
{
	long long t1, t2;

	page = "a 1\nb 1\n";
	start();
	t1 = scrape_slot(1);
	page = "a 2\nb 2\nc{x} 3\n";
	t2 = scrape_slot(2);
	expect("a", own(""), text("%lld=1 %lld=stale", t1, t2));
	ck_assert_str_eq(test_store_dump(store, "c"), "");
	expect("up", own(""), text("%lld=1 %lld=0", t1, t2));
	ck_assert_ptr_nonnull(strstr(targets(), "\"health\":\"down\""));
	ck_assert_ptr_nonnull(strstr(targets(), "line 3: expected equal"));
}
END_TEST

static void fails_with(const char *why)
{
	start();
	expect("up", own(""), text("%lld=0", scrape_slot(1)));
	ck_assert_str_eq(test_store_dump(store, "a"), "");
	ck_assert_msg(strstr(targets(), why) != NULL, "%s not in %s", why, targets());
}

START_TEST(too_many_samples_fail_the_page)
{
	page = "a 1\na{x=\"1\"} 1\n";
	job.sample_limit = 1;
	fails_with("sample_limit exceeded");
}
END_TEST

START_TEST(too_many_labels_fail_the_page)
{
	page = "a{x=\"1\",y=\"2\"} 1\n";
	job.label_limit = 4; /* name, job and instance count too */
	fails_with("label_limit exceeded");
}
END_TEST

START_TEST(too_long_label_values_fail_the_page)
{
	page = "a{x=\"0123456789012345678901234567890123456789\"} 1\n";
	job.label_value_length_limit = 30;
	fails_with("label_value_length_limit exceeded");
}
END_TEST

START_TEST(too_large_bodies_fail)
{
	page = "a 1\nb 1\nc 1\n";
	job.body_size_limit = 8;
	fails_with("body over 8 bytes");
}
END_TEST

START_TEST(a_page_of_another_type_fails)
{
	content_type = "text/html";
	fails_with("unsupported Content-Type");
}
END_TEST

START_TEST(a_page_without_a_type_fails)
{
	content_type = NULL;
	fails_with("unsupported Content-Type");
}
END_TEST

START_TEST(a_label_that_stands_twice_fails_the_page)
{
	page = "a{x=\"1\",x=\"2\"} 1\n";
	fails_with("stands twice");
}
END_TEST

START_TEST(openmetrics_is_recognised_by_its_type)
{
	content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
	page = "# TYPE a counter\na_total 1 # {id=\"x\"} 2\n# EOF\n";
	start();
	expect("a_total", own(""), text("%lld=1", scrape_slot(1)));
}
END_TEST

START_TEST(labels_of_the_page_step_aside)
{
	long long t;

	page = "a{job=\"mine\",instance=\"here\",exported_job=\"x\"} 1\n";
	start();
	t = scrape_slot(1);
	expect("a",
		own("exported_exported_job=\"mine\", exported_instance=\"here\", "
		    "exported_job=\"x\", "),
		text("%lld=1", t));
}
END_TEST

START_TEST(labels_of_the_page_are_honoured_when_asked)
{
	page = "a{job=\"mine\"} 1\n";
	job.honor_labels = true;
	start();
	expect("a",
		arena_printf(&arena, "instance=\"%.*s\", job=\"mine\"", (int)address.n, address.p)
			.p,
		text("%lld=1", scrape_slot(1)));
}
END_TEST

START_TEST(times_on_the_page_count_and_get_no_stale_marker)
{
	long long t1, t2;

	page = arena_printf(&arena, "a 1 %lld\nb 1\n", (long long)TEST_NOW - 500).p;
	start();
	t1 = scrape_slot(1);
	page = "c 1\n";
	t2 = scrape_slot(2);
	expect("a", own(""), "-500=1");
	expect("b", own(""), text("%lld=1 %lld=stale", t1, t2));
}
END_TEST

START_TEST(times_on_the_page_are_ignored_when_asked)
{
	page = arena_printf(&arena, "a 1 %lld\n", (long long)TEST_NOW - 500).p;
	job.honor_timestamps = false;
	start();
	expect("a", own(""), text("%lld=1", scrape_slot(1)));
}
END_TEST

START_TEST(the_first_of_double_samples_counts)
{
	page = "a 1\na 2\n";
	start();
	expect("a", own(""), text("%lld=1", scrape_slot(1)));
}
END_TEST

START_TEST(pages_that_change_their_order_are_followed)
{
	long long t1, t2, t3;

	page = "a 1\nb 1\nc 1\n";
	start();
	t1 = scrape_slot(1);
	page = "c 2\nnew 2\na 2\nb 2\n";
	t2 = scrape_slot(2);
	page = "b 3\nnew 3\nc 3\na 3\n";
	t3 = scrape_slot(3);
	expect("a", own(""), text("%lld=1 %lld=2 %lld=3", t1, t2, t3));
	expect("b", own(""), text("%lld=1 %lld=2 %lld=3", t1, t2, t3));
	expect("c", own(""), text("%lld=1 %lld=2 %lld=3", t1, t2, t3));
	expect("new", own(""), text("%lld=2 %lld=3", t2, t3));
}
END_TEST

START_TEST(the_request_says_who_asks_and_for_what)
{
	struct label params[] = {{STR("module"), STR("a b")}, {STR("module"), STR("c")}};
	struct label extra[] = {{STR("__metrics_path__"), STR("/probe")},
		{STR("__param_target"), STR("x&y")}, {STR("zone"), STR("z")}};

	job.params = params;
	job.n_params = 2;
	job.basic_user = STR("me");
	job.basic_password = STR("pw");
	group.labels = (struct labels){extra, 3};
	start();
	expect("a", arena_printf(&arena, "%s, zone=\"z\"", own("")).p,
		text("%lld=1", scrape_slot(1)));
	ck_assert_ptr_nonnull(
		strstr(request, "GET /probe?module=a%20b&module=c&target=x%26y HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(request, "Authorization: Basic bWU6cHc=\r\n"));
	ck_assert_ptr_nonnull(strstr(request, "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n"));
	ck_assert_ptr_nonnull(
		strstr(request, "Accept: application/openmetrics-text;version=1.0.0"));
	ck_assert_ptr_nonnull(strstr(request, "Accept-Encoding: gzip\r\n"));
	ck_assert_ptr_null(strstr(targets(), "pw"));
}
END_TEST

START_TEST(a_removed_target_ends_with_stale_markers)
{
	struct scrape_opts none = {0};
	long long t1;

	start();
	t1 = scrape_slot(1);
	clock_inject(TEST_NOW + t1 + 500, 0);
	scrape_reload(scrape, &none);
	ck_assert_ptr_nonnull(strstr(targets(), "\"activeTargets\":[]"));
	store = test_store_reopen(store); /* the markers are committed by then */
	expect("a", own(""), text("%lld=1 %lld=stale", t1, t1 + 500));
	expect("up", own(""), text("%lld=1 %lld=stale", t1, t1 + 500));
}
END_TEST

START_TEST(an_unchanged_target_goes_on_over_a_reload)
{
	struct scrape_job again = job;
	struct scrape_opts same = {.jobs = &again, .n_jobs = 1};
	long long t1, t2;

	start();
	t1 = scrape_slot(1);
	again.sample_limit = 100;
	scrape_reload(scrape, &same);
	ck_assert_ptr_nonnull(strstr(targets(), "\"health\":\"up\""));
	page = "b 1\n";
	t2 = scrape_slot(2);
	expect("a", own(""), text("%lld=1 %lld=stale", t1, t2));
	expect("up", own(""), text("%lld=1 %lld=1", t1, t2));
}
END_TEST

START_TEST(a_target_that_stands_twice_is_scraped_once)
{
	struct str twice[] = {address, address};

	group.targets = twice;
	group.n_targets = 2;
	start();
	expect("up", own(""), text("%lld=1", scrape_slot(1)));
	ck_assert_uint_eq(stub_connections(server), 1);
}
END_TEST

static void stop_loop(void *arg)
{
	if (stub_connections(arg) > 0)
		loop_stop(loop);
}

START_TEST(stopping_while_a_target_hangs_is_clean_and_writes_nothing)
{
	struct loop_timer *t = loop_timer_new(loop, stop_loop, server);

	hang = true;
	start();
	clock_inject(first_slot(), 1);
	loop_timer_set(t, POLL_MS, POLL_MS);
	loop_run(loop);
	loop_timer_free(t);
	scrape_stop(scrape);
	scrape = NULL;
	http_client_free(client);
	client = NULL;
	pool_free(pool);
	pool = NULL;
	ck_assert_str_eq(test_store_dump(store, "up"), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scrape");
	TCase *t = tcase_create("scrape");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_page_is_stored_at_its_slot_with_the_targets_labels);
	tcase_add_test(t, metadata_goes_to_the_store);
	tcase_add_test(t, what_vanishes_or_fails_gets_stale_markers);
	tcase_add_test(t, one_bad_line_fails_the_whole_page);
	tcase_add_test(t, too_many_samples_fail_the_page);
	tcase_add_test(t, too_many_labels_fail_the_page);
	tcase_add_test(t, too_long_label_values_fail_the_page);
	tcase_add_test(t, too_large_bodies_fail);
	tcase_add_test(t, a_page_of_another_type_fails);
	tcase_add_test(t, a_page_without_a_type_fails);
	tcase_add_test(t, a_label_that_stands_twice_fails_the_page);
	tcase_add_test(t, openmetrics_is_recognised_by_its_type);
	tcase_add_test(t, labels_of_the_page_step_aside);
	tcase_add_test(t, labels_of_the_page_are_honoured_when_asked);
	tcase_add_test(t, times_on_the_page_count_and_get_no_stale_marker);
	tcase_add_test(t, times_on_the_page_are_ignored_when_asked);
	tcase_add_test(t, the_first_of_double_samples_counts);
	tcase_add_test(t, pages_that_change_their_order_are_followed);
	tcase_add_test(t, the_request_says_who_asks_and_for_what);
	tcase_add_test(t, a_removed_target_ends_with_stale_markers);
	tcase_add_test(t, an_unchanged_target_goes_on_over_a_reload);
	tcase_add_test(t, a_target_that_stands_twice_is_scraped_once);
	tcase_add_test(t, stopping_while_a_target_hangs_is_clean_and_writes_nothing);
	suite_add_tcase(s, t);
	return suite_run(s);
}
