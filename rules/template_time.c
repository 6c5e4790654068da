/* SPDX-License-Identifier: Apache-2.0 */
/* template_time - times and durations as Go prints them, and Go's layouts. */
#include <stdio.h>

#include "base/dur.h"
#include "base/num.h"
#include "base/tz.h"
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

#define ZERO_MS INT64_C(-62135596800000) /* 0001-01-01 */

/* A moment as calendars have it; `shift` is the zone's seconds east of UTC. */
struct moment {
	struct civil c;
	unsigned nanos;
	int shift;
	struct str zone; /* "CEST" */
};

static struct moment moment_of(int64_t ns, const struct tz *zone)
{
	int64_t ms = ns == TV_TIME_ZERO ? ZERO_MS : i64_floor_div(ns, 1000000);
	struct moment m = {.shift = tz_offset(zone, ms), .zone = tz_name(zone, ms)};

	civil_from_ms(ms + INT64_C(1000) * m.shift, &m.c);
	if (ns != TV_TIME_ZERO)
		m.nanos = (unsigned)(ns - i64_floor_div(ns, NS_PER_S) * NS_PER_S);
	return m;
}

void tv_print_time(struct buf *b, int64_t ns, const struct tz *zone)
{
	tv_format_time(b, ns, zone, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
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

/* "+02:00" and its kin; Z stands for no shift where the layout says so. */
static void print_shift(struct buf *b, enum chunk k, struct str layout, int shift)
{
	char sign = shift < 0 ? '-' : '+', text[32];
	int s = shift < 0 ? -shift : shift;

	if (k == C_Z && shift == 0) {
		buf_ch(b, 'Z');
		return;
	}
	if (k == C_Z) {
		static const size_t widths[] = {9, 7, 6, 5, 3};

		for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
			if (layout.n == widths[i])
				k = (enum chunk)(C_ZERO_COLON_S + i);
		}
	}
	if (k == C_ZERO_H) {
		(void)snprintf(text, sizeof text, "%c%02d", sign, s / 3600);
	} else if (k == C_ZERO || k == C_ZERO_COLON) {
		(void)snprintf(text, sizeof text, "%c%02d%s%02d", sign, s / 3600,
			k == C_ZERO ? "" : ":", s / 60 % 60);
	} else {
		const char *colon = k == C_ZERO_COLON_S ? ":" : "";

		(void)snprintf(text, sizeof text, "%c%02d%s%02d%s%02d", sign, s / 3600, colon,
			s / 60 % 60, colon, s % 60);
	}
	buf_c(b, text);
}

static void print_text_chunk(struct buf *b, enum chunk k, struct str layout, const struct moment *m)
{
	const struct civil *c = &m->c;

	if (k == C_MONTH)
		buf_c(b, months[c->month - 1]);
	else if (k == C_MON)
		buf_add(b, months[c->month - 1], 3);
	else if (k == C_DAY_NAME)
		buf_c(b, days[c->weekday]);
	else if (k == C_DAY)
		buf_add(b, days[c->weekday], 3);
	else if (k == C_ZONE)
		buf_str(b, m->zone);
	else if (k == C_PM)
		buf_c(b, c->hour >= 12 ? "PM" : "AM");
	else if (k == C_PM_LOW)
		buf_c(b, c->hour >= 12 ? "pm" : "am");
	else if (k >= C_ZERO_COLON_S && k <= C_Z)
		print_shift(b, k, layout, m->shift);
}

static void print_chunk(struct buf *b, enum chunk k, struct str layout, const struct moment *m)
{
	const struct civil *c = &m->c;
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
	print_text_chunk(b, k, layout, m);
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

void tv_format_time(struct buf *b, int64_t ns, const struct tz *zone, struct str layout)
{
	struct moment m = moment_of(ns, zone);

	for (size_t i = 0; i < layout.n && !b->failed;) {
		struct str rest = str_sub(layout, i, layout.n);
		enum chunk k = C_NONE;
		size_t n = rest.p[0] == '.' || rest.p[0] == ',' ? fraction(b, rest, m.nanos) : 0;

		if (n == 0) {
			n = chunk_at(rest, &k);
			if (n > 0)
				print_chunk(b, k, str_sub(rest, 0, n), &m);
		}
		if (n == 0) {
			buf_ch(b, rest.p[0]);
			n = 1;
		}
		i += n;
	}
}

/* --- reading --- */

/* What a text says so far; what it does not say stays as here. */
struct reading {
	int64_t year;
	int month, day, hour, minute, second, yday, shift;
	unsigned nanos;
	bool pm, has_pm;
};

/* `min` to `max` digits at the start of *s. */
static bool take_digits(struct str *s, size_t min, size_t max, int *out)
{
	size_t n = 0;

	*out = 0;
	while (n < max && n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		*out = *out * 10 + (s->p[n++] - '0');
	*s = str_sub(*s, n, s->n);
	return n >= min;
}

/* One of n names, or of their first three letters. */
static bool take_name(struct str *s, const char *const *names, size_t n, bool whole, int *out)
{
	for (size_t i = 0; i < n; i++) {
		struct str name = str_sub(str_c(names[i]), 0, whole ? SIZE_MAX : 3);

		if (s->n >= name.n && str_eq_nocase(str_sub(*s, 0, name.n), name)) {
			*out = (int)i;
			*s = str_sub(*s, name.n, s->n);
			return true;
		}
	}
	return false;
}

static bool take_shift(struct str *s, enum chunk k, size_t width, int *out)
{
	bool colon = k == C_ZERO_COLON || k == C_ZERO_COLON_S || (k == C_Z && width == 6);
	int sign, hours, minutes = 0;

	if (k == C_Z && s->n > 0 && s->p[0] == 'Z') {
		*s = str_sub(*s, 1, s->n);
		*out = 0;
		return true;
	}
	if (s->n == 0 || (s->p[0] != '+' && s->p[0] != '-'))
		return false;
	sign = s->p[0] == '-' ? -1 : 1;
	*s = str_sub(*s, 1, s->n);
	if (!take_digits(s, 2, 2, &hours))
		return false;
	if (k != C_ZERO_H && !(k == C_Z && width == 3)) {
		if (colon && (s->n == 0 || s->p[0] != ':'))
			return false;
		*s = str_sub(*s, colon ? 1 : 0, s->n);
		if (!take_digits(s, 2, 2, &minutes))
			return false;
	}
	*out = sign * (hours * 3600 + minutes * 60);
	return hours <= 24 && minutes < 60;
}

static bool take_zone(struct str *s)
{
	size_t n = 0;

	while (n < s->n && n < 5 && s->p[n] >= 'A' && s->p[n] <= 'Z')
		n++;
	*s = str_sub(*s, n, s->n);
	return n >= 3;
}

static bool take_number(struct str *s, enum chunk k, struct reading *r)
{
	int v;

	switch (k) {
	case C_YEAR:
		if (!take_digits(s, 4, 4, &v))
			return false;
		r->year = v;
		return true;
	case C_YEAR2:
		if (!take_digits(s, 2, 2, &v))
			return false;
		r->year = v >= 69 ? 1900 + v : 2000 + v;
		return true;
	case C_MONTH0: return take_digits(s, 2, 2, &r->month);
	case C_MONTH1: return take_digits(s, 1, 2, &r->month);
	case C_DAY0: return take_digits(s, 2, 2, &r->day);
	case C_DAY_:
		if (s->n > 0 && s->p[0] == ' ')
			*s = str_sub(*s, 1, s->n);
		return take_digits(s, 1, 2, &r->day);
	case C_DAY1: return take_digits(s, 1, 2, &r->day);
	case C_HOUR: return take_digits(s, 2, 2, &r->hour) && r->hour < 24;
	case C_HOUR120: return take_digits(s, 2, 2, &r->hour) && r->hour <= 12;
	case C_HOUR12: return take_digits(s, 1, 2, &r->hour) && r->hour <= 12;
	case C_MIN0: return take_digits(s, 2, 2, &r->minute) && r->minute < 60;
	case C_MIN: return take_digits(s, 1, 2, &r->minute) && r->minute < 60;
	case C_SEC0: return take_digits(s, 2, 2, &r->second) && r->second < 60;
	case C_SEC: return take_digits(s, 1, 2, &r->second) && r->second < 60;
	case C_YDAY0: return take_digits(s, 3, 3, &r->yday);
	case C_MONTH:
	case C_MON:
	case C_DAY_NAME:
	case C_DAY:
	case C_ZONE:
	case C_YDAY_:
	case C_PM:
	case C_PM_LOW:
	case C_ZERO_COLON_S:
	case C_ZERO_S:
	case C_ZERO_COLON:
	case C_ZERO:
	case C_ZERO_H:
	case C_Z:
	case C_NONE:
	default: return false;
	}
}

static bool take_chunk(struct str *s, enum chunk k, size_t width, struct reading *r)
{
	static const char *const halves[] = {"AM", "PM"};
	int i;

	if (k == C_MONTH || k == C_MON) {
		if (!take_name(s, months, ARRAY_LEN(months), k == C_MONTH, &i))
			return false;
		r->month = i + 1;
		return true;
	}
	if (k == C_DAY_NAME || k == C_DAY)
		return take_name(s, days, ARRAY_LEN(days), k == C_DAY_NAME, &i);
	if (k == C_PM || k == C_PM_LOW) {
		r->has_pm = take_name(s, halves, 2, true, &i);
		r->pm = r->has_pm && i == 1;
		return r->has_pm;
	}
	if (k == C_ZONE)
		return take_zone(s);
	if (k >= C_ZERO_COLON_S && k <= C_Z)
		return take_shift(s, k, width, &r->shift);
	return take_number(s, k, r);
}

/* ".123" behind the seconds, whether the layout has it or not. */
static bool take_fraction(struct str *s, struct reading *r)
{
	unsigned unit = 100000000;
	size_t n = 1;

	if (s->n < 2 || (s->p[0] != '.' && s->p[0] != ',') || s->p[1] < '0' || s->p[1] > '9')
		return false;
	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		r->nanos += (unsigned)(s->p[n] - '0') * unit;
		unit /= 10;
	}
	*s = str_sub(*s, n, s->n);
	return true;
}

static bool reading_time(const struct reading *r, int64_t *ns)
{
	int hour = r->hour;
	int64_t ms;
	struct civil c;

	if (r->month < 1 || r->month > 12 || r->day < 1 || r->day > 31)
		return false;
	if (r->has_pm)
		hour = r->pm ? (hour < 12 ? hour + 12 : 12) : hour % 12;
	ms = civil_to_ms(r->year, r->month, r->day, hour, r->minute, r->second);
	civil_from_ms(ms, &c);
	if (c.day != r->day) /* 30 February */
		return false;
	ms -= INT64_C(1000) * r->shift;
	if (ms == ZERO_MS && r->nanos == 0) {
		*ns = TV_TIME_ZERO;
		return true;
	}
	if (__builtin_mul_overflow(ms, INT64_C(1000000), ns))
		return false;
	*ns = i64_add_sat(*ns, r->nanos);
	return true;
}

bool tv_parse_time(struct str layout, struct str s, int64_t *ns)
{
	struct reading r = {.year = 0, .month = 1, .day = 1};

	while (layout.n > 0) {
		enum chunk k = C_NONE;
		struct buf none;
		size_t n = 0;

		if (layout.p[0] == '.' || layout.p[0] == ',') {
			buf_init(&none, 32);
			n = fraction(&none, layout, 0);
			buf_fini(&none);
			if (n > 0 && !take_fraction(&s, &r) && layout.p[1] == '0')
				return false;
		}
		if (n == 0 && (n = chunk_at(layout, &k)) > 0) {
			if (!take_chunk(&s, k, n, &r))
				return false;
			if ((k == C_SEC || k == C_SEC0) &&
				(n == layout.n || strchr(".,", layout.p[n]) == NULL))
				(void)take_fraction(&s, &r);
		}
		if (n == 0) {
			if (s.n == 0 || s.p[0] != layout.p[0])
				return false;
			s = str_sub(s, 1, s.n);
			n = 1;
		}
		layout = str_sub(layout, n, layout.n);
	}
	return s.n == 0 && reading_time(&r, ns);
}
