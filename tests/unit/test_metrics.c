/* SPDX-License-Identifier: Apache-2.0 */
/* metrics - cells are found again, sums are right, exposition is sorted text 0.0.4. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "tests/lib/suite.h"

static char *exposed(void)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	metrics_write(&b);
	ck_assert(!b.failed);
	return buf_take(&b, NULL);
}

START_TEST(the_same_name_and_labels_give_the_same_cell)
{
	struct metric *a = metric_counter("belfry_test_same_total", "Same.", "k=\"1\"");

	ck_assert_ptr_eq(a, metric_counter("belfry_test_same_total", "Same.", "k=\"1\""));
	ck_assert_ptr_eq(a, metric_counter_l("belfry_test_same_total", "Same.", "k", STR("1")));
	ck_assert_ptr_ne(a, metric_counter("belfry_test_same_total", "Same.", "k=\"2\""));
	ck_assert_ptr_ne(a, metric_counter("belfry_test_same_total", "Same.", NULL));
}
END_TEST

START_TEST(integers_and_fractions_add_up)
{
	struct metric *m = metric_counter("belfry_test_sum_seconds_total", "Sum.", NULL);
	struct metric *g = metric_gauge("belfry_test_gauge", "Gauge.", NULL);
	double before = metric_get(m);

	metric_inc(m);
	metric_add(m, 2);
	metric_addf(m, 0.5);
	metric_addf(m, 0.25);
	ck_assert_double_eq(metric_get(m) - before, 3.75);
	metric_set(g, 7);
	metric_addf(g, -9);
	ck_assert_double_eq(metric_get(g), -2);
}
END_TEST

START_TEST(exposition_has_help_and_type_once_a_family_in_order)
{
	char *text, *at;

	metric_inc(metric_counter("belfry_test_zz_total", "Last \\ one.", "b=\"2\""));
	metric_inc(metric_counter("belfry_test_zz_total", "Last \\ one.", "a=\"1\""));
	text = exposed();
	at = strstr(text, "# HELP belfry_test_zz_total");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(strstr(at, "# HELP belfry_test_zz_total Last \\\\ one.\n"
					 "# TYPE belfry_test_zz_total counter\n"
					 "belfry_test_zz_total{a=\"1\"} "));
	ck_assert_ptr_null(strstr(at + 10, "# HELP belfry_test_zz_total"));
	ck_assert_ptr_nonnull(strstr(at, "\nbelfry_test_zz_total{b=\"2\"} "));
	free(text);
}
END_TEST

static double three(void *arg)
{
	(*(int *)arg)++;
	return 3;
}

START_TEST(a_callback_is_asked_until_it_is_taken_away)
{
	int asked = 0;
	char *text;

	metric_gauge_fn("belfry_test_fn", "Asked.", NULL, three, &asked);
	text = exposed();
	ck_assert_ptr_nonnull(strstr(text, "\nbelfry_test_fn 3\n"));
	free(text);
	metric_gauge_fn("belfry_test_fn", "Asked.", NULL, NULL, NULL);
	text = exposed();
	ck_assert_ptr_null(strstr(text, "belfry_test_fn"));
	ck_assert_int_eq(asked, 1);
	free(text);
}
END_TEST

START_TEST(label_values_are_escaped)
{
	char *text;

	metric_inc(metric_counter_l("belfry_test_esc_total", "E.", "r", STR("a\"b\\c\nd")));
	text = exposed();
	ck_assert_ptr_nonnull(strstr(text, "belfry_test_esc_total{r=\"a\\\"b\\\\c\\nd\"} "));
	free(text);
}
END_TEST

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		metric_inc(arg);
		metric_addf(arg, 0.5);
		METRIC_DROP("test", "raced", 1);
	}
	return NULL;
}

START_TEST(threads_lose_no_update)
{
	struct metric *m = metric_counter("belfry_test_race_total", "Race.", NULL);
	struct metric *d = metric_counter("belfry_test_dropped_total", "", "reason=\"raced\"");
	double before = metric_get(m), dropped = metric_get(d);
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, count_up, m), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
	ck_assert_double_eq(metric_get(m) - before, 4 * 20000 * 1.5);
	ck_assert_double_eq(metric_get(d) - dropped, 4 * 20000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("cells");

	tcase_add_test(t, the_same_name_and_labels_give_the_same_cell);
	tcase_add_test(t, integers_and_fractions_add_up);
	tcase_add_test(t, exposition_has_help_and_type_once_a_family_in_order);
	tcase_add_test(t, a_callback_is_asked_until_it_is_taken_away);
	tcase_add_test(t, label_values_are_escaped);
	tcase_add_test(t, threads_lose_no_update);
	suite_add_tcase(s, t);
	return suite_run(s);
}
