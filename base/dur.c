/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dur - durations, sizes, RFC 3339 times and the civil calendar; see dur.h.
 *
 * Durations follow Prometheus's model.ParseDuration: units in falling order, integers, bounded by
 * what fits into int64 nanoseconds (292 years). The calendar is Howard Hinnant's days_from_civil
 * and civil_from_days (howardhinnant.github.io/date_algorithms.html), on 64 bits.
 */
#include "base/dur.h"

#include "base/assert.h"
#include "base/num.h"

#define MS_SECOND INT64_C(1000)
#define MS_MINUTE (60 * MS_SECOND)
#define MS_HOUR   (60 * MS_MINUTE)
#define MS_DAY    (24 * MS_HOUR)
#define MS_MAX    (INT64_MAX / 1000000) /* Go's time.Duration counts nanoseconds */

#define DAYS_PER_ERA 146097 /* 400 years */

static const struct unit {
	const char *name;
	int64_t ms;
	bool exact_only; /* printed only when nothing smaller remains: 90d reads better than 12w6d
			  */
} units[] = {
	{"y", 365 * MS_DAY, true},
	{"w", 7 * MS_DAY, true},
	{"d", MS_DAY, false},
	{"h", MS_HOUR, false},
	{"m", MS_MINUTE, false},
	{"s", MS_SECOND, false},
	{"ms", 1, false},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Leading digits of *s into *v, saturating; false when there are none. */
static bool take_number(struct str *s, int64_t *v)
{
	size_t i = 0;
	bool over = false;

	*v = 0;
	for (; i < s->n && is_digit(s->p[i]); i++)
		over = over || i64_mul(*v, 10, v) || i64_add(*v, s->p[i] - '0', v);
	if (over)
		*v = INT64_MAX;
	*s = str_sub(*s, i, s->n);
	return i > 0;
}

int dur_parse(struct str s, int64_t *ms, struct err *e)
{
	struct str rest = s;
	int64_t sum = 0, v, part;
	size_t next = 0; /* first unit that may still come */

	if (s.n == 0)
		return err_set(e, ERR_INPUT, 0, "empty duration; write for example 5m");
	if (str_eq(s, STR("0"))) {
		*ms = 0;
		return 0;
	}
	while (rest.n > 0) {
		size_t letters = 0, u = next;

		if (!take_number(&rest, &v))
			goto malformed;
		while (letters < rest.n && rest.p[letters] >= 'a' && rest.p[letters] <= 'z')
			letters++;
		while (u < ARRAY_LEN(units) &&
			!str_eq(str_sub(rest, 0, letters), str_c(units[u].name)))
			u++;
		if (u == ARRAY_LEN(units))
			goto malformed;
		if (i64_mul(v, units[u].ms, &part) || i64_add(sum, part, &sum) || sum > MS_MAX)
			return err_set(e, ERR_INPUT, 0,
				"duration \"" STR_FMT "\" is too long; at most 292 years",
				STR_ARG(s));
		rest = str_sub(rest, letters, rest.n);
		next = u + 1;
	}
	*ms = sum;
	return 0;
malformed:
	return err_set(e, ERR_INPUT, 0, "\"" STR_FMT "\" is not a duration; write for example 5m",
		STR_ARG(s));
}

void dur_print(struct buf *b, int64_t ms)
{
	uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;

	if (ms == 0) {
		buf_c(b, "0s");
		return;
	}
	if (ms < 0)
		buf_ch(b, '-');
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		uint64_t unit = (uint64_t)units[i].ms;

		ASSERT(unit > 0);
		if (left < unit || (units[i].exact_only && left % unit != 0))
			continue;
		buf_u64(b, left / unit);
		buf_c(b, units[i].name);
		left %= unit;
	}
}

/* Power of 1024 for "B", "KB", "KiB", ... without regard to case; -1 when it is none of them. */
static int size_power(struct str unit)
{
	static const char prefix[] = "KMGTPE";

	if (unit.n == 0 || str_eq_nocase(unit, STR("B")))
		return 0;
	for (int i = 0; i < (int)sizeof prefix - 1; i++) {
		char decimal[] = {prefix[i], 'B', '\0'}, binary[] = {prefix[i], 'i', 'B', '\0'};

		if (str_eq_nocase(unit, str_c(decimal)) || str_eq_nocase(unit, str_c(binary)))
			return i + 1;
	}
	return -1;
}

int size_parse(struct str s, uint64_t *bytes, struct err *e)
{
	struct str rest = s, fraction = STR_NULL;
	int64_t whole;
	double sum, scale = 1;
	int power;

	if (!take_number(&rest, &whole))
		goto malformed;
	if (rest.n > 1 && rest.p[0] == '.') {
		size_t i = 1;

		while (i < rest.n && is_digit(rest.p[i]))
			i++;
		fraction = str_sub(rest, 1, i);
		rest = str_sub(rest, i, rest.n);
		if (fraction.n == 0 || fraction.n > 15)
			goto malformed;
	}
	power = size_power(rest);
	if (power < 0 || (fraction.n > 0 && power == 0))
		goto malformed;
	if (fraction.n == 0) { /* exact */
		if (whole == INT64_MAX || whole > INT64_MAX >> (10 * power))
			goto too_large;
		*bytes = (uint64_t)whole << (10 * power);
		return 0;
	}
	sum = (double)whole;
	for (size_t i = 0; i < fraction.n; i++) {
		scale /= 10;
		sum += scale * (fraction.p[i] - '0');
	}
	sum *= (double)(UINT64_C(1) << (10 * power));
	if (sum >= 9.2e18)
		goto too_large;
	*bytes = (uint64_t)(sum + 0.5);
	return 0;
too_large:
	return err_set(e, ERR_INPUT, 0, "size \"" STR_FMT "\" is too large", STR_ARG(s));
malformed:
	return err_set(e, ERR_INPUT, 0, "\"" STR_FMT "\" is not a size; write for example 10GB",
		STR_ARG(s));
}

/* ---- calendar ---- */

static bool year_is_leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && year_is_leap(year));
}

/* Days since 1970-01-01; month 1..12. Years are clipped to what int64 milliseconds can reach. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t y = MIN_OF(MAX_OF(year, -300000000), 300000000) - (month <= 2);
	int64_t era = i64_floor_div(y, 400), yoe = y - era * 400;
	int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * DAYS_PER_ERA + doe - 719468;
}

void civil_from_ms(int64_t ms, struct civil *c)
{
	int64_t days = i64_floor_div(ms, MS_DAY);
	int64_t of_day = (int64_t)((uint64_t)ms - (uint64_t)days * (uint64_t)MS_DAY);
	int64_t z = days + 719468, era = i64_floor_div(z, DAYS_PER_ERA);
	int64_t doe = z - era * DAYS_PER_ERA;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = yoe + era * 400 + (c->month <= 2);
	c->hour = (int)(of_day / MS_HOUR);
	c->minute = (int)(of_day % MS_HOUR / MS_MINUTE);
	c->second = (int)(of_day % MS_MINUTE / MS_SECOND);
	c->ms = (int)(of_day % MS_SECOND);
	c->weekday = (int)(days - i64_floor_div(days + 4, 7) * 7 + 4);
	c->yday = (int)(days - days_from_civil(c->year, 1, 1)) + 1;
	c->days_in_month = month_days(c->year, c->month);
}

int64_t civil_to_ms(int64_t year, int month, int day, int hour, int minute, int second)
{
	int64_t carry = i64_floor_div((int64_t)month - 1, 12);
	int64_t days = days_from_civil(i64_add_sat(year, carry), (int)(month - carry * 12), 1);
	int64_t ms, of_day = hour * MS_HOUR + minute * MS_MINUTE + second * MS_SECOND;

	days += day - 1;
	if (i64_mul(days, MS_DAY, &ms))
		return days < 0 ? INT64_MIN : INT64_MAX;
	return i64_add_sat(ms, of_day);
}

/* ---- RFC 3339 ---- */

/* n digits at *s, then advance; false when they are not digits or out of [low, high]. */
static bool take_field(struct str *s, size_t n, int low, int high, int *out)
{
	*out = 0;
	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s->p[i]))
			return false;
		*out = *out * 10 + (s->p[i] - '0');
	}
	*s = str_sub(*s, n, s->n);
	return *out >= low && *out <= high;
}

static bool take_ch(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

/* ".123456789" to whole milliseconds, cut off. */
static bool take_fraction(struct str *s, int *ms)
{
	size_t i = 0;
	int scale = 100;

	*ms = 0;
	if (!take_ch(s, '.'))
		return true;
	for (; i < s->n && is_digit(s->p[i]); i++, scale /= 10)
		*ms += scale * (s->p[i] - '0');
	*s = str_sub(*s, i, s->n);
	return i > 0;
}

bool time_parse_rfc3339(struct str s, int64_t *ms)
{
	int year, month, day, hour, minute, second, fraction, zone_hour, zone_minute;
	int64_t t;
	bool west;

	if (!take_field(&s, 4, 0, 9999, &year) || !take_ch(&s, '-') ||
		!take_field(&s, 2, 1, 12, &month) || !take_ch(&s, '-') ||
		!take_field(&s, 2, 1, month_days(year, month), &day) || !take_ch(&s, 'T'))
		return false;
	if (!take_field(&s, 2, 0, 23, &hour) || !take_ch(&s, ':') ||
		!take_field(&s, 2, 0, 59, &minute) || !take_ch(&s, ':') ||
		!take_field(&s, 2, 0, 59, &second) || !take_fraction(&s, &fraction))
		return false;
	t = civil_to_ms(year, month, day, hour, minute, second) + fraction;
	if (take_ch(&s, 'Z')) {
		*ms = t;
		return s.n == 0;
	}
	west = s.n > 0 && s.p[0] == '-';
	if ((!take_ch(&s, '+') && !take_ch(&s, '-')) || !take_field(&s, 2, 0, 23, &zone_hour) ||
		!take_ch(&s, ':') || !take_field(&s, 2, 0, 59, &zone_minute))
		return false;
	t += (west ? 1 : -1) * (zone_hour * MS_HOUR + zone_minute * MS_MINUTE);
	*ms = t;
	return s.n == 0;
}

static void print_to_second(struct buf *b, const struct civil *c)
{
	buf_printf(b, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)c->year, c->month, c->day,
		c->hour, c->minute, c->second);
}

void time_print_rfc3339(struct buf *b, int64_t ms)
{
	struct civil c;

	civil_from_ms(ms, &c);
	print_to_second(b, &c);
	if (c.ms % 100 == 0 && c.ms != 0)
		buf_printf(b, ".%d", c.ms / 100);
	else if (c.ms % 10 == 0 && c.ms != 0)
		buf_printf(b, ".%02d", c.ms / 10);
	else if (c.ms != 0)
		buf_printf(b, ".%03d", c.ms);
	buf_ch(b, 'Z');
}

void time_print_ms(struct buf *b, int64_t ms)
{
	struct civil c;

	civil_from_ms(ms, &c);
	print_to_second(b, &c);
	buf_printf(b, ".%03dZ", c.ms);
}
