/* SPDX-License-Identifier: Apache-2.0 */
/* template_time - times and durations as Go prints them, in UTC, and Go's layouts. */
#include <stdio.h>

#include "base/dur.h"
#include "base/num.h"
#include "rules/template_value.h"

#define NS_PER_S INT64_C(1000000000)

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"};
static const char *const days[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* whole.fraction without trailing zeros; `digits` digits of fraction. */
static void print_fraction(struct buf *b, uint64_t v, unsigned digits)
{
	uint64_t unit = 1;

	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	buf_u64(b, v / unit);
	v %= unit;
	if (v == 0)
		return;
	while (v % 10 == 0) {
		v /= 10;
		digits--;
	}
	buf_printf(b, ".%0*llu", (int)digits, (unsigned long long)v);
}

void tv_print_duration(struct buf *b, int64_t ns)
{
	uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	uint64_t s = u / (uint64_t)NS_PER_S;

	if (u == 0) {
		buf_c(b, "0s");
		return;
	}
	if (ns < 0)
		buf_ch(b, '-');
	if (s == 0) {
		unsigned digits = u < 1000 ? 0 : u < 1000000 ? 3 : 6;

		print_fraction(b, u, digits);
		buf_c(b, digits == 0 ? "ns" : digits == 3 ? "\xc2\xb5s" : "ms");
		return;
	}
	if (s >= 3600)
		buf_printf(b, "%lluh", (unsigned long long)(s / 3600));
	if (s >= 60)
		buf_printf(b, "%llum", (unsigned long long)(s / 60 % 60));
	print_fraction(b, u % (60 * (uint64_t)NS_PER_S), 9);
	buf_ch(b, 's');
}

static void civil_from_ns(int64_t ns, struct civil *c, unsigned *nanos)
{
	civil_from_ms(i64_floor_div(ns, 1000000), c);
	*nanos = (unsigned)(ns - i64_floor_div(ns, NS_PER_S) * NS_PER_S);
}

void tv_print_time(struct buf *b, int64_t ns)
{
	tv_format_time(b, ns, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
}

/* --- layouts --- */

static bool lower_follows(struct str s, size_t i)
{
	return i < s.n && s.p[i] >= 'a' && s.p[i] <= 'z';
}

/* ".000" or ".999" (or with a comma): digits of the second that a non-digit follows. */
static size_t fraction(struct buf *b, struct str s, unsigned nanos)
{
	size_t n = 1;
	char digits[16];

	while (n < s.n && n <= 9 && s.p[n] == s.p[1])
		n++;
	if (n == 1 || (s.p[1] != '0' && s.p[1] != '9') ||
		(n < s.n && s.p[n] >= '0' && s.p[n] <= '9'))
		return 0;
	(void)snprintf(digits, sizeof digits, "%09u", nanos % 1000000000U);
	if (s.p[1] == '9') {
		size_t keep = n - 1;

		while (keep > 0 && digits[keep - 1] == '0')
			keep--;
		if (keep == 0)
			return n;
		buf_ch(b, s.p[0]);
		buf_add(b, digits, keep);
		return n;
	}
	buf_ch(b, s.p[0]);
	buf_add(b, digits, n - 1);
	return n;
}

static int hour12(const struct civil *c)
{
	return c->hour % 12 == 0 ? 12 : c->hour % 12;
}

enum chunk {
	C_MONTH,
	C_MON,
	C_DAY_NAME,
	C_DAY,
	C_ZONE,
	C_YEAR,
	C_YDAY0,
	C_YDAY_,
	C_MONTH0,
	C_DAY0,
	C_HOUR120,
	C_MIN0,
	C_SEC0,
	C_YEAR2,
	C_HOUR,
	C_MONTH1,
	C_DAY_,
	C_DAY1,
	C_HOUR12,
	C_MIN,
	C_SEC,
	C_PM,
	C_PM_LOW,
	C_ZERO_COLON_S,
	C_ZERO_S,
	C_ZERO_COLON,
	C_ZERO,
	C_ZERO_H,
	C_Z,
	C_NONE
};

/* The longest first where one begins with another. */
static const struct {
	struct str text;
	enum chunk chunk;
} chunks[] = {
	{{"January", 7}, C_MONTH},
	{{"Jan", 3}, C_MON},
	{{"Monday", 6}, C_DAY_NAME},
	{{"Mon", 3}, C_DAY},
	{{"MST", 3}, C_ZONE},
	{{"2006", 4}, C_YEAR},
	{{"002", 3}, C_YDAY0},
	{{"__2", 3}, C_YDAY_},
	{{"01", 2}, C_MONTH0},
	{{"02", 2}, C_DAY0},
	{{"03", 2}, C_HOUR120},
	{{"04", 2}, C_MIN0},
	{{"05", 2}, C_SEC0},
	{{"06", 2}, C_YEAR2},
	{{"15", 2}, C_HOUR},
	{{"1", 1}, C_MONTH1},
	{{"_2", 2}, C_DAY_},
	{{"2", 1}, C_DAY1},
	{{"3", 1}, C_HOUR12},
	{{"4", 1}, C_MIN},
	{{"5", 1}, C_SEC},
	{{"PM", 2}, C_PM},
	{{"pm", 2}, C_PM_LOW},
	{{"-07:00:00", 9}, C_ZERO_COLON_S},
	{{"-070000", 7}, C_ZERO_S},
	{{"-07:00", 6}, C_ZERO_COLON},
	{{"-0700", 5}, C_ZERO},
	{{"-07", 3}, C_ZERO_H},
	{{"Z07:00:00", 9}, C_Z},
	{{"Z070000", 7}, C_Z},
	{{"Z07:00", 6}, C_Z},
	{{"Z0700", 5}, C_Z},
	{{"Z07", 3}, C_Z},
};

static void print_text_chunk(struct buf *b, enum chunk k, const struct civil *c)
{
	static const char *const zero[] = {"+00:00:00", "+000000", "+00:00", "+0000", "+00", "Z"};

	if (k == C_MONTH)
		buf_c(b, months[c->month - 1]);
	else if (k == C_MON)
		buf_add(b, months[c->month - 1], 3);
	else if (k == C_DAY_NAME)
		buf_c(b, days[c->weekday]);
	else if (k == C_DAY)
		buf_add(b, days[c->weekday], 3);
	else if (k == C_ZONE)
		buf_c(b, "UTC");
	else if (k == C_PM)
		buf_c(b, c->hour >= 12 ? "PM" : "AM");
	else if (k == C_PM_LOW)
		buf_c(b, c->hour >= 12 ? "pm" : "am");
	else if (k >= C_ZERO_COLON_S && k <= C_Z)
		buf_c(b, zero[k - C_ZERO_COLON_S]);
}

static void print_chunk(struct buf *b, enum chunk k, const struct civil *c)
{
	const struct {
		enum chunk chunk;
		const char *fmt;
		int v;
	} numbers[] = {{C_YDAY0, "%03d", c->yday}, {C_YDAY_, "%3d", c->yday},
		{C_MONTH0, "%02d", c->month}, {C_DAY0, "%02d", c->day},
		{C_HOUR120, "%02d", hour12(c)}, {C_MIN0, "%02d", c->minute},
		{C_SEC0, "%02d", c->second}, {C_YEAR2, "%02d", (int)(c->year % 100)},
		{C_HOUR, "%02d", c->hour}, {C_MONTH1, "%d", c->month}, {C_DAY_, "%2d", c->day},
		{C_DAY1, "%d", c->day}, {C_HOUR12, "%d", hour12(c)}, {C_MIN, "%d", c->minute},
		{C_SEC, "%d", c->second}};

	if (k == C_YEAR) {
		buf_printf(b, "%04lld", (long long)c->year);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (numbers[i].chunk != k)
			continue;
		if (numbers[i].fmt[1] == '0')
			buf_printf(b, "%0*d", numbers[i].fmt[2] - '0', numbers[i].v);
		else
			buf_printf(b, "%*d", numbers[i].fmt[1] == 'd' ? 0 : numbers[i].fmt[1] - '0',
				numbers[i].v);
		return;
	}
	print_text_chunk(b, k, c);
}

static size_t chunk_at(struct str s, enum chunk *k)
{
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		if (!str_starts(s, chunks[i].text))
			continue;
		if ((chunks[i].chunk == C_MON || chunks[i].chunk == C_DAY) && lower_follows(s, 3))
			continue;
		/* "_2006" is a blank and the year */
		if (chunks[i].chunk == C_DAY_ && str_starts(s, STR("_2006")))
			continue;
		*k = chunks[i].chunk;
		return chunks[i].text.n;
	}
	return 0;
}

void tv_format_time(struct buf *b, int64_t ns, struct str layout)
{
	struct civil c;
	unsigned nanos;

	civil_from_ns(ns, &c, &nanos);
	for (size_t i = 0; i < layout.n && !b->failed;) {
		struct str rest = str_sub(layout, i, layout.n);
		enum chunk k = C_NONE;
		size_t n = rest.p[0] == '.' || rest.p[0] == ',' ? fraction(b, rest, nanos) : 0;

		if (n == 0) {
			n = chunk_at(rest, &k);
			if (n > 0)
				print_chunk(b, k, &c);
		}
		if (n == 0) {
			buf_ch(b, rest.p[0]);
			n = 1;
		}
		i += n;
	}
}
