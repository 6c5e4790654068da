/* SPDX-License-Identifier: Apache-2.0 */
/* Units guessed from expressions, and numbers as people read them. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "exporters/unit.h"
#include "tests/lib/suite.h"

static const struct {
	const char *expr;
	struct unit unit;
} guesses[] = {
	{"up == 0", {UNIT_NONE, false}},
	{"rate(http_requests_total[5m]) > 100", {UNIT_NONE, true}},
	{"sum(rate(http_errors_total[5m])) / sum(rate(http_requests_total[5m])) > 0.01",
		{UNIT_RATIO, false}},
	{"100 * sum(rate(e_total[5m])) / sum(rate(r_total[5m])) > 1", {UNIT_PERCENT, false}},
	{"sum(rate(e_total[5m])) / sum(rate(r_total[5m])) * 100 > 1", {UNIT_PERCENT, false}},
	{"histogram_quantile(0.99, sum by (le) (rate(x_duration_seconds_bucket[5m]))) > 0.5",
		{UNIT_SECONDS, false}},
	{"rate(x_duration_seconds_sum[5m]) / rate(x_duration_seconds_count[5m]) > 1",
		{UNIT_SECONDS, false}},
	{"pool_used / pool_size > 0.9", {UNIT_RATIO, false}},
	{"queue_length / workers > 20", {UNIT_NONE, false}},
	{"node_memory_MemAvailable_bytes < 1e9", {UNIT_BYTES, false}},
	{"node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1", {UNIT_RATIO, false}},
	{"rate(node_network_receive_bytes_total[1m]) > 1e8", {UNIT_BYTES, true}},
	{"1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) > 0.9", {UNIT_RATIO, false}},
	{"time() - process_start_time_seconds < 300", {UNIT_SECONDS, false}},
	{"time() - max by (job) (backup_last_success_timestamp_seconds) > 86400",
		{UNIT_SECONDS, false}},
	{"(ssl_expiry_timestamp_seconds - time()) / 86400 < 14", {UNIT_NONE, false}},
	{"job:request_latency_seconds:p99 > 1", {UNIT_SECONDS, false}},
	{"job:errors:ratio_rate5m > 0.1", {UNIT_RATIO, false}},
	{"latency:p95:rate5m > 0.5", {UNIT_SECONDS, false}},
	{"slo:burn:rate1h > 14.4", {UNIT_NONE, false}},
	{"max by (job) (retry:retried:rate5m / (retry:calls:rate5m > 0)) > 0.2",
		{UNIT_RATIO, false}},
	{"max without (source) (pool:timeouts:rate5m) > 0.02", {UNIT_NONE, true}},
	{"count(up == 0) > 2", {UNIT_NONE, false}},
	{"timer_ms > 250", {UNIT_MILLISECONDS, false}},
	{"x_seconds * 1000 > 250", {UNIT_MILLISECONDS, false}},
	{"temperature_celsius > 80", {UNIT_CELSIUS, false}},
	{"x_ratio > 0.5 and on (job) y_bytes > 3", {UNIT_RATIO, false}},
	{"x_seconds > bool 1", {UNIT_NONE, false}},
	{"{\"a.b_bytes\"} > 1", {UNIT_BYTES, false}},
	{"this is no expression (", {UNIT_NONE, false}},
	{"", {UNIT_NONE, false}},
};

START_TEST(units_are_guessed_where_names_tell_them)
{
	for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
		struct unit u = unit_of_expr(str_c(guesses[i].expr));

		if (u.kind != guesses[i].unit.kind || u.per_second != guesses[i].unit.per_second)
			ck_abort_msg(
				"%s: kind %d%s", guesses[i].expr, u.kind, u.per_second ? "/s" : "");
	}
}
END_TEST

static const struct {
	double v;
	struct unit unit;
	const char *text;
} numbers[] = {
	{0.973, {UNIT_RATIO, false}, "97.3 %"},
	{1, {UNIT_RATIO, false}, "100 %"},
	{0, {UNIT_RATIO, false}, "0 %"},
	{0.00012345, {UNIT_RATIO, false}, "0.0123 %"},
	{12.5, {UNIT_PERCENT, false}, "12.5 %"},
	{0.25, {UNIT_SECONDS, false}, "250 ms"},
	{0.9999, {UNIT_SECONDS, false}, "1 s"},
	{1.23456, {UNIT_SECONDS, false}, "1.23 s"},
	{0.0000012, {UNIT_SECONDS, false}, "1.2 \xc2\xb5s"},
	{200, {UNIT_SECONDS, false}, "3 min 20 s"},
	{7260, {UNIT_SECONDS, false}, "2 h 1 min"},
	{180000, {UNIT_SECONDS, false}, "2 d 2 h"},
	{-0.5, {UNIT_SECONDS, false}, "-500 ms"},
	{0, {UNIT_SECONDS, false}, "0 s"},
	{250, {UNIT_MILLISECONDS, false}, "250 ms"},
	{1536, {UNIT_BYTES, false}, "1.5 KiB"},
	{3.4e6, {UNIT_BYTES, true}, "3.24 MiB/s"},
	{1e30, {UNIT_BYTES, false}, "888178419700125 PiB"},
	{12.345, {UNIT_NONE, true}, "12.3/s"},
	{99999, {UNIT_NONE, false}, "99999"},
	{1234567, {UNIT_NONE, false}, "1.23 M"},
	{-1234567, {UNIT_NONE, false}, "-1.23 M"},
	{0.1 + 0.2, {UNIT_NONE, false}, "0.3"},
	{1e-12, {UNIT_NONE, false}, "1e-12"},
	{1700000000, {UNIT_TIMESTAMP, false}, "2023-11-14T22:13:20Z"},
	{21.5, {UNIT_CELSIUS, false},
		"21.5 \xc2\xb0"
		"C"},
	{INFINITY, {UNIT_SECONDS, false}, "+Inf s"},
	{-INFINITY, {UNIT_NONE, false}, "-Inf"},
	{1e300, {UNIT_NONE, false}, "1e+288 T"},
	{1e300, {UNIT_SECONDS, false}, "1.16e+295 d"},
	{1e300, {UNIT_TIMESTAMP, false}, "1e+300"},
};

START_TEST(numbers_have_three_digits_and_a_unit)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		buf_reset(&b);
		unit_print(&b, numbers[i].v, numbers[i].unit);
		if (!str_eq(buf_view(&b), str_c(numbers[i].text)))
			ck_abort_msg("%.17g: %.*s, not %s", numbers[i].v, (int)b.n, b.p,
				numbers[i].text);
	}
	buf_reset(&b);
	unit_print(&b, NAN, (struct unit){UNIT_NONE, false});
	ck_assert(str_eq(buf_view(&b), STR("NaN")));
	buf_fini(&b);
}
END_TEST

START_TEST(ticks_have_the_digits_that_tell_them_apart)
{
	struct buf b;

	buf_init(&b, 1000);
	unit_print_tick(&b, 0.5, 0.5, (struct unit){UNIT_RATIO, false});
	buf_ch(&b, '|');
	unit_print_tick(&b, 1, 0.05, (struct unit){UNIT_NONE, false});
	buf_ch(&b, '|');
	unit_print_tick(&b, 1.05, 0.05, (struct unit){UNIT_NONE, false});
	buf_ch(&b, '|');
	unit_print_tick(&b, 120, 60, (struct unit){UNIT_SECONDS, false});
	buf_ch(&b, '|');
	unit_print_tick(&b, 0.002, 0.0005, (struct unit){UNIT_SECONDS, false});
	ck_assert(str_eq(buf_view(&b), STR("50 %|1|1.05|2 min|2 ms")));
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("unit");
	TCase *tc = tcase_create("unit");

	tcase_add_test(tc, units_are_guessed_where_names_tell_them);
	tcase_add_test(tc, numbers_have_three_digits_and_a_unit);
	tcase_add_test(tc, ticks_have_the_digits_that_tell_them_apart);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
