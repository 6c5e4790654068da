/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of agent/statsd/{flush,statsd}.c over a real store. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/statsd/flush.h"
#include "agent/statsd/statsd.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "tests/lib/suite.h"
#include "tests/lib/test_store.h"

#define INTERVAL 10000
#define IDLE     60000
#define WAIT_MS  20000

static struct store *store;
static struct statsd_table *table;
static struct statsd_flush *flush;

static void start_run(void)
{
	struct err e = {0};

	table = statsd_table_new(STR("_total"));
	flush = statsd_flush_new(table, store, INTERVAL, IDLE);
	ck_assert_int_eq(statsd_flush_restore(flush, &e), 0);
}

static void end_run(void)
{
	statsd_table_check(table);
	statsd_flush_free(flush);
	statsd_table_free(table);
}

static void setup(void)
{
	store = test_store_open();
	start_run();
}

static void teardown(void)
{
	end_run();
	test_store_close(store);
}

static void next_run(void)
{
	end_run();
	store = test_store_reopen(store);
	start_run();
}

/* Packet (or nothing) and a flush at n intervals after TEST_NOW; the clock goes along. */
static void flush_with(int n, const char *packet)
{
	clock_inject(TEST_NOW + (int64_t)n * INTERVAL, 0);
	statsd_table_packet(table, str_c(packet));
	statsd_flush_run(flush, TEST_NOW + (int64_t)n * INTERVAL, NULL, NULL);
	ck_assert(statsd_flush_wait(flush, WAIT_MS));
}

START_TEST(a_counter_starts_at_zero_one_interval_earlier)
{
	flush_with(1, "a:3|c|#x:y");
	flush_with(2, "");
	flush_with(3, "a:4|c|#x:y\nb:1|c");
	ck_assert_str_eq(test_store_dump(store, "a_total"),
		"a_total{x=\"y\"} 0=0 10000=3 20000=3 30000=7\n");
	ck_assert_str_eq(test_store_dump(store, "b_total"), "b_total 20000=0 30000=1\n");
	ck_assert_uint_eq(test_store_facts(store, "statsd/c/"), 2);
}
END_TEST

START_TEST(a_counter_goes_on_after_a_restart_without_a_new_zero)
{
	flush_with(1, "a:3|c");
	next_run();
	ck_assert_uint_eq(table->n_cells, 1);
	flush_with(2, "");
	flush_with(3, "a:1|c");
	next_run();
	flush_with(6, "a:1|c");
	ck_assert_str_eq(
		test_store_dump(store, "a_total"), "a_total 0=0 10000=3 20000=3 30000=4 60000=5\n");
}
END_TEST

START_TEST(a_last_flush_ahead_of_time_is_not_written_over)
{
	flush_with(2, "a:3|c");
	next_run();
	flush_with(2, "a:1|c"); /* the new process comes to the same flush time */
	flush_with(3, "a:1|c");
	ck_assert_str_eq(test_store_dump(store, "a_total"), "a_total 10000=0 20000=3 30000=5\n");
}
END_TEST

START_TEST(timers_are_cumulative_histograms_over_restarts)
{
	flush_with(1, "t:500|ms\nt:1500|ms");
	flush_with(2, "t:1000|ms|@0.5");
	next_run();
	flush_with(3, "t:1000|ms");
	ck_assert_str_eq(
		test_store_dump(store, "t"), "t 0=h0/0 10000=h2/2 20000=h4/4 30000=h5/5\n");
}
END_TEST

START_TEST(gauges_repeat_and_change_relatively_over_restarts)
{
	flush_with(1, "g:5|g\nd:+3|g");
	next_run();
	flush_with(2, "d:+4|g");
	flush_with(3, "g:-1|g\nd:10|g");
	next_run();
	flush_with(4, "g:7|g\ng:+1|g");
	ck_assert_str_eq(test_store_dump(store, "g"), "g 10000=5 20000=5 30000=4 40000=8\n");
	ck_assert_str_eq(test_store_dump(store, "d"), "d 10000=3 20000=7 30000=10 40000=10\n");
}
END_TEST

START_TEST(sets_count_each_interval_anew)
{
	flush_with(1, "s:a|s\ns:b|s\ns:a|s");
	flush_with(2, "");
	flush_with(3, "s:a|s");
	ck_assert_str_eq(test_store_dump(store, "s"), "s 10000=2 20000=0 30000=1\n");
}
END_TEST

START_TEST(idle_series_go_stale_and_come_back_with_their_total)
{
	flush_with(1, "a:3|c\ng:1|g\nt:1|h\nlive:1|c");
	flush_with(6, "live:1|c");
	flush_with(7, "live:1|c"); /* 60 s without a packet */
	ck_assert_uint_eq(test_store_facts(store, "statsd/"), 1);
	statsd_flush_collect(flush);
	ck_assert_uint_eq(table->n_cells, 1);
	flush_with(8, "");
	flush_with(20, "a:2|c\nt:1|h");
	ck_assert_str_eq(test_store_dump(store, "a_total"),
		"a_total 0=0 10000=3 60000=3 70000=stale 190000=3 200000=5\n");
	ck_assert_str_eq(test_store_dump(store, "g"), "g 10000=1 60000=1 70000=stale\n");
	ck_assert_str_eq(test_store_dump(store, "t"),
		"t 0=h0/0 10000=h1/1 60000=h1/1 70000=stale 190000=h1/1 200000=h2/2\n");
	ck_assert_uint_eq(test_store_facts(store, "statsd/"), 2);
}
END_TEST

START_TEST(a_flush_time_is_passed_over_while_the_store_is_busy)
{
	double before = metric_get(metric_counter("belfry_statsd_flushes_skipped_total", "", NULL));

	statsd_table_packet(table, STR("a:1|c"));
	statsd_flush_run(flush, TEST_NOW + INTERVAL, NULL, NULL);
	/* whether or not the store was quick, the next one finds all totals */
	statsd_table_packet(table, STR("a:1|c"));
	statsd_flush_run(flush, TEST_NOW + 2 * INTERVAL, NULL, NULL);
	ck_assert(statsd_flush_wait(flush, WAIT_MS));
	statsd_flush_run(flush, TEST_NOW + 3 * INTERVAL, NULL, NULL);
	ck_assert(statsd_flush_wait(flush, WAIT_MS));
	ck_assert_ptr_nonnull(strstr(test_store_dump(store, "a_total"), " 30000=2\n"));
	ck_assert_double_le(
		metric_get(metric_counter("belfry_statsd_flushes_skipped_total", "", NULL)),
		before + 1);
}
END_TEST

START_TEST(many_series_go_in_several_batches)
{
	for (int i = 0; i < 60000; i++) {
		char line[64];

		(void)snprintf(line, sizeof line, "many:1|c|#n:%d", i);
		statsd_table_packet(table, str_c(line));
	}
	flush_with(1, "");
	flush_with(2, "many:1|c|#n:59999");
	ck_assert_uint_eq(test_store_facts(store, "statsd/c/"), 60000);
	ck_assert_uint_ne(table->cells[0]->id, 0);
	ck_assert_uint_ne(table->cells[59999]->id, 0);
	ck_assert_uint_ne(table->cells[59999]->id, table->cells[0]->id);
}
END_TEST

static void send_to(int port, const char *packet)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(sendto(fd, packet, strlen(packet), 0, (struct sockaddr *)&in, sizeof in),
		(ssize_t)strlen(packet));
	(void)close(fd);
}

START_TEST(what_was_received_before_the_end_is_stored)
{
	struct str listen = STR("udp://127.0.0.1:0");
	struct statsd_opts o = {.listen = &listen,
		.n_listen = 1,
		.flush_interval_ms = INTERVAL,
		.counter_suffix = STR("_total")};
	struct err e = {0};

	for (int run = 1; run <= 2; run++) {
		struct statsd *s;

		ck_assert_msg(statsd_start(&s, &o, store, &e) == 0, "%s", e.msg);
		for (int i = 0; i < 100; i++)
			send_to(statsd_port(s), "udp.hits:1|c\nudp.bad\nudp.time:125|ms\n");
		statsd_stop(s);
		clock_inject(TEST_NOW + (int64_t)run * 3 * INTERVAL, 0);
	}
	ck_assert_str_eq(test_store_dump(store, "udp_hits_total"),
		"udp_hits_total 0=0 10000=100 40000=200\n");
	ck_assert_str_eq(test_store_dump(store, "udp_time"),
		"udp_time 0=h0/0 10000=h100/12.5 40000=h200/25\n");
}
END_TEST

START_TEST(addresses_that_cannot_be_bound_are_told)
{
	struct str listen = STR("udp://127.0.0.1:notaport");
	struct statsd_opts o = {.listen = &listen, .n_listen = 1, .flush_interval_ms = INTERVAL};
	struct statsd *s;
	struct err e = {0};

	ck_assert_int_eq(statsd_start(&s, &o, store, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "notaport"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statsd_flush");
	TCase *t = tcase_create("flush");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_counter_starts_at_zero_one_interval_earlier);
	tcase_add_test(t, a_counter_goes_on_after_a_restart_without_a_new_zero);
	tcase_add_test(t, a_last_flush_ahead_of_time_is_not_written_over);
	tcase_add_test(t, timers_are_cumulative_histograms_over_restarts);
	tcase_add_test(t, gauges_repeat_and_change_relatively_over_restarts);
	tcase_add_test(t, sets_count_each_interval_anew);
	tcase_add_test(t, idle_series_go_stale_and_come_back_with_their_total);
	tcase_add_test(t, a_flush_time_is_passed_over_while_the_store_is_busy);
	tcase_add_test(t, many_series_go_in_several_batches);
	tcase_add_test(t, what_was_received_before_the_end_is_stored);
	tcase_add_test(t, addresses_that_cannot_be_bound_are_told);
	suite_add_tcase(s, t);
	return suite_run(s);
}
