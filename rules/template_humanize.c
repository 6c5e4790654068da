/* SPDX-License-Identifier: Apache-2.0 */
/* template_humanize - numbers as people read them: four digits and a unit. */
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "rules/template.h"

/* Go's %.4g: C's but for the names of what is no number. */
static void four_digits(struct buf *b, double v)
{
	if (isnan(v))
		buf_c(b, "NaN");
	else if (isinf(v))
		buf_c(b, v > 0 ? "+Inf" : "-Inf");
	else
		buf_printf(b, "%.4g", v);
}

static void small(struct buf *b, double v, const char *unit)
{
	static const char *const prefix[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
	const char *p = "";

	for (size_t i = 0; i < ARRAY_LEN(prefix) && fabs(v) < 1; i++) {
		p = prefix[i];
		v *= 1000;
	}
	four_digits(b, v);
	buf_c(b, p);
	buf_c(b, unit);
}

static void large(struct buf *b, double v, double step, const char *const *prefix, size_t n)
{
	const char *p = "";

	for (size_t i = 0; i < n && fabs(v) >= step; i++) {
		p = prefix[i];
		v /= step;
	}
	four_digits(b, v);
	buf_c(b, p);
}

void humanize(struct buf *b, double v)
{
	static const char *const prefix[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};

	if (v == 0 || !isfinite(v))
		four_digits(b, v);
	else if (fabs(v) >= 1)
		large(b, v, 1000, prefix, ARRAY_LEN(prefix));
	else
		small(b, v, "");
}

void humanize_1024(struct buf *b, double v)
{
	static const char *const prefix[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

	if (fabs(v) <= 1 || !isfinite(v))
		four_digits(b, v);
	else
		large(b, v, 1024, prefix, ARRAY_LEN(prefix));
}

void humanize_duration(struct buf *b, double seconds)
{
	double a = fabs(seconds);
	long long s = (long long)num_clamp_i64(a);
	const char *sign = seconds < 0 ? "-" : "";

	if (!isfinite(seconds)) {
		four_digits(b, seconds);
	} else if (a == 0) {
		four_digits(b, seconds);
		buf_ch(b, 's');
	} else if (a < 1) {
		small(b, seconds, "s");
	} else if (s >= 86400) {
		buf_printf(b, "%s%lldd %lldh %lldm %llds", sign, s / 86400, s / 3600 % 24,
			s / 60 % 60, s % 60);
	} else if (s >= 3600) {
		buf_printf(b, "%s%lldh %lldm %llds", sign, s / 3600, s / 60 % 60, s % 60);
	} else if (s >= 60) {
		buf_printf(b, "%s%lldm %llds", sign, s / 60, s % 60);
	} else {
		buf_c(b, sign);
		four_digits(b, a);
		buf_ch(b, 's');
	}
}

void humanize_percentage(struct buf *b, double v)
{
	four_digits(b, v * 100);
	buf_ch(b, '%');
}
