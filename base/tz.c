/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tz - TZif files and their POSIX footer; see tz.h.
 *
 * A file has a block with 32-bit times and, from version 2, a second one with 64-bit times and the
 * footer: only the last block counts.
 */
#include "base/tz.h"

#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/dur.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/rd.h"

#define DAY            86400
#define TRANSITIONS    10000u /* the largest real zone has about 240 */
#define TYPES          256u
#define FILE_MAX       ((size_t)256 << 10)
#define OFFSET_MAX     (26 * 3600) /* RFC 9636: should be within a day or so */
#define HEADER_BYTES   44u
#define RULE_HOURS_MAX 167

/* "M3.5.0/2": when daylight saving begins or ends within a year. */
struct rule {
	enum { RULE_JULIAN, RULE_DAY, RULE_MONTH } kind;
	int day; /* J: 1..365 without leap days; n: 0..365; M: weekday, 0 = Sunday */
	int month, week;
	int32_t at_s; /* local time, may be negative or above a day */
};

struct tz {
	const int64_t *at; /* Unix s, ascending */
	const int32_t *offset;
	const struct str *name; /* "CEST" */
	size_t n;
	int32_t first; /* before all of them */
	struct str first_name, standard_name, summer_name;
	bool rules;               /* the footer holds behind the last one */
	bool dst;                 /* with daylight saving */
	int32_t standard, summer; /* offsets of the footer */
	struct rule start, end;
};

/* --- the footer: POSIX.1 TZ with RFC 9636's extensions --- */

static bool read_number(struct rd *r, int max, int *out)
{
	int v = 0, digits = 0;

	while (rd_more(r) && *r->p >= '0' && *r->p <= '9' && digits < 4) {
		v = v * 10 + (rd_u8(r) - '0');
		digits++;
	}
	*out = v;
	return digits > 0 && v <= max;
}

static bool take(struct rd *r, char c)
{
	if (!rd_more(r) || *r->p != (uint8_t)c)
		return false;
	r->p++;
	return true;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool read_time(struct rd *r, int hours_max, int32_t *out)
{
	bool negative = take(r, '-');
	int h, m = 0, s = 0;

	if (!negative)
		(void)take(r, '+');
	if (!read_number(r, hours_max, &h))
		return false;
	if (take(r, ':') && !read_number(r, 59, &m))
		return false;
	if (take(r, ':') && !read_number(r, 59, &s))
		return false;
	*out = h * 3600 + m * 60 + s;
	if (negative)
		*out = -*out;
	return true;
}

static bool read_name(struct rd *r, struct str *out)
{
	bool quoted = take(r, '<');
	const uint8_t *start = r->p;

	while (rd_more(r) &&
		(quoted ? *r->p != '>' : (*r->p | 0x20) >= 'a' && (*r->p | 0x20) <= 'z'))
		r->p++;
	*out = str_n((const char *)start, (size_t)(r->p - start));
	return quoted ? take(r, '>') && out->n > 0 : out->n >= 3;
}

static bool read_rule(struct rd *r, struct rule *out)
{
	*out = (struct rule){.kind = RULE_DAY, .at_s = 2 * 3600};
	if (take(r, 'M')) {
		out->kind = RULE_MONTH;
		if (!read_number(r, 12, &out->month) || out->month < 1 || !take(r, '.') ||
			!read_number(r, 5, &out->week) || out->week < 1 || !take(r, '.') ||
			!read_number(r, 6, &out->day))
			return false;
	} else if (take(r, 'J')) {
		out->kind = RULE_JULIAN;
		if (!read_number(r, 365, &out->day) || out->day < 1)
			return false;
	} else if (!read_number(r, 365, &out->day)) {
		return false;
	}
	return !take(r, '/') || read_time(r, RULE_HOURS_MAX, &out->at_s);
}

static bool read_footer(struct str text, struct tz *tz)
{
	struct rd r = rd_of(text);
	int32_t west;

	if (!read_name(&r, &tz->standard_name) || !read_time(&r, 24, &west))
		return false;
	tz->standard = -west;
	tz->rules = true;
	if (!rd_more(&r))
		return true;
	if (!read_name(&r, &tz->summer_name))
		return false;
	tz->summer = tz->standard + 3600;
	if (rd_more(&r) && *r.p != ',') {
		if (!read_time(&r, 24, &west))
			return false;
		tz->summer = -west;
	}
	tz->dst = true;
	if (!rd_more(&r)) { /* the United States', as tzcode has it */
		tz->start = (struct rule){RULE_MONTH, 0, 3, 2, 2 * 3600};
		tz->end = (struct rule){RULE_MONTH, 0, 11, 1, 2 * 3600};
		return true;
	}
	return take(&r, ',') && read_rule(&r, &tz->start) && take(&r, ',') &&
	       read_rule(&r, &tz->end) && !rd_more(&r);
}

/* Unix s at which the rule comes into force in that year; offset: the one in force before. */
static int64_t rule_time(const struct rule *rule, int64_t year, int32_t offset)
{
	int64_t day = civil_to_ms(year, 1, 1, 0, 0, 0) / 1000;
	struct civil c;
	int d;

	civil_from_ms(civil_to_ms(year, 2, 1, 0, 0, 0), &c);
	switch (rule->kind) {
	case RULE_DAY: day += (int64_t)rule->day * DAY; break;
	case RULE_JULIAN: /* 29 February is not counted */
		d = rule->day - 1 + (c.days_in_month == 29 && rule->day >= 60);
		day += (int64_t)d * DAY;
		break;
	case RULE_MONTH:
		civil_from_ms(civil_to_ms(year, rule->month, 1, 0, 0, 0), &c);
		d = 1 + (rule->day - c.weekday + 7) % 7 + (rule->week - 1) * 7;
		while (d > c.days_in_month) /* week 5 is the last one */
			d -= 7;
		day = civil_to_ms(year, rule->month, d, 0, 0, 0) / 1000;
		break;
	}
	return day + rule->at_s - offset;
}

static bool rule_is_summer(const struct tz *tz, int64_t unix_ms)
{
	int64_t start, end, t = i64_floor_div(unix_ms, 1000);
	struct civil c;

	if (!tz->dst)
		return false;
	/* the year of the zone's standard time; rules near New Year's Eve do not exist */
	civil_from_ms(i64_add_sat(unix_ms, (int64_t)tz->standard * 1000), &c);
	start = rule_time(&tz->start, c.year, tz->standard);
	end = rule_time(&tz->end, c.year, tz->summer);
	return start < end ? t >= start && t < end : t < end || t >= start;
}

/* --- TZif --- */

struct header {
	uint8_t version;
	uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(struct rd *r)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | rd_u8(r);
	return v;
}

static int64_t be64(struct rd *r)
{
	uint64_t hi = be32(r);

	return (int64_t)(hi << 32 | be32(r));
}

static bool read_header(struct rd *r, struct header *h)
{
	struct str magic = rd_bytes(r, 4);

	if (r->bad || !str_eq(magic, STR("TZif")))
		return false;
	h->version = rd_u8(r);
	(void)rd_bytes(r, 15);
	h->isut = be32(r);
	h->isstd = be32(r);
	h->leap = be32(r);
	h->time = be32(r);
	h->type = be32(r);
	h->chars = be32(r);
	return !r->bad && h->time <= TRANSITIONS && h->type >= 1 && h->type <= TYPES &&
	       h->leap <= TRANSITIONS && h->chars <= TRANSITIONS && h->isut <= TYPES &&
	       h->isstd <= TYPES;
}

static size_t block_bytes(const struct header *h, size_t time_bytes)
{
	return h->time * (time_bytes + 1) + (size_t)h->type * 6 + h->chars +
	       h->leap * (time_bytes + 4) + h->isstd + h->isut;
}

static bool read_block(
	struct arena *a, struct rd *r, const struct header *h, bool wide, struct tz *tz)
{
	int64_t *at = ARENA_ARRAY(a, h->time, int64_t);
	int32_t *offset = ARENA_ARRAY(a, h->time, int32_t), types[TYPES];
	struct str *name = ARENA_ARRAY(a, h->time, struct str), names[TYPES], index, chars;
	uint8_t start[TYPES];
	bool dst[TYPES];

	ASSERT(h->type >= 1); /* read_header saw to it */
	if (at == NULL || offset == NULL || name == NULL)
		return false;
	for (uint32_t i = 0; i < h->time; i++) {
		at[i] = wide ? be64(r) : (int32_t)be32(r);
		if (i > 0 && at[i] <= at[i - 1])
			return false;
	}
	index = rd_bytes(r, h->time);
	for (uint32_t i = 0; i < h->type; i++) {
		types[i] = (int32_t)be32(r);
		dst[i] = rd_u8(r) != 0;
		start[i] = rd_u8(r);
		if (types[i] < -OFFSET_MAX || types[i] > OFFSET_MAX)
			return false;
	}
	chars = rd_bytes(r, h->chars);
	(void)rd_bytes(r, (uint64_t)h->leap * (wide ? 12 : 8) + h->isstd + h->isut);
	if (r->bad)
		return false;
	for (uint32_t i = 0; i < h->type; i++) {
		struct str rest = str_sub(chars, start[i], chars.n);

		names[i] = str_sub(rest, 0, str_find(rest, '\0'));
	}
	for (uint32_t i = 0; i < h->time; i++) {
		uint8_t type = (uint8_t)index.p[i];

		if (type >= h->type)
			return false;
		offset[i] = types[type];
		name[i] = names[type];
	}
	tz->name = name;
	tz->first_name = names[0];
	tz->at = at;
	tz->offset = offset;
	tz->n = h->time;
	tz->first = types[0]; /* RFC 9636: type 0 holds before the first transition */
	for (uint32_t i = 0; h->time == 0 && dst[0] && i < h->type; i++) {
		if (dst[i])
			continue;
		tz->first = types[i];
		tz->first_name = names[i];
	}
	return true;
}

const struct tz *tz_parse(struct arena *a, struct str file, struct err *e)
{
	struct tz *tz = ARENA_NEW(a, struct tz);
	struct rd r = rd_of(file);
	struct header h;
	bool ok = tz != NULL && read_header(&r, &h);

	if (tz == NULL) {
		(void)err_set(e, ERR_LIMIT, 0, "no memory for a time zone");
		return NULL;
	}
	if (ok && h.version >= '2') {
		(void)rd_bytes(&r, block_bytes(&h, 4));
		ok = read_header(&r, &h) && read_block(a, &r, &h, true, tz) && rd_u8(&r) == '\n' &&
		     rd_left(&r) > 0;
		if (ok) {
			struct str rest = str_n((const char *)r.p, rd_left(&r));
			struct str footer = str_sub(rest, 0, str_find(rest, '\n'));

			ok = footer.n == 0 || read_footer(footer, tz);
		}
	} else if (ok) {
		ok = read_block(a, &r, &h, false, tz);
	}
	if (ok)
		return tz;
	(void)err_set(e, a->failed ? ERR_LIMIT : ERR_INPUT, 0, "not a time zone file");
	return NULL;
}

/* --- look-up --- */

struct reading {
	int32_t offset;
	struct str name;
};

static struct reading look_up(const struct tz *tz, int64_t unix_ms)
{
	int64_t t = i64_floor_div(unix_ms, 1000);
	size_t lo = 0, hi;

	if (tz->rules && (tz->n == 0 || t >= tz->at[tz->n - 1])) {
		bool summer = rule_is_summer(tz, unix_ms);

		return summer ? (struct reading){tz->summer, tz->summer_name}
			      : (struct reading){tz->standard, tz->standard_name};
	}
	if (tz->n == 0 || t < tz->at[0])
		return (struct reading){tz->first, tz->first_name};
	for (hi = tz->n; hi - lo > 1;) { /* at[lo] <= t < at[hi] */
		size_t mid = lo + (hi - lo) / 2;

		if (tz->at[mid] <= t)
			lo = mid;
		else
			hi = mid;
	}
	return (struct reading){tz->offset[lo], tz->name[lo]};
}

int32_t tz_offset(const struct tz *tz, int64_t unix_ms)
{
	return tz != NULL ? look_up(tz, unix_ms).offset : 0;
}

struct str tz_name(const struct tz *tz, int64_t unix_ms)
{
	struct str name = tz != NULL ? look_up(tz, unix_ms).name : STR("UTC");

	return name.n > 0 ? name : STR("UTC");
}

/* --- the database --- */

static bool name_is_safe(struct str name)
{
	struct str part, rest = name;

	if (name.n == 0 || name.n > 100 || name.p[0] == '/' || name.p[name.n - 1] == '/')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i], low = (char)(c | 0x20);

		if (!((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '/' ||
			    c == '_' || c == '-' || c == '+'))
			return false; /* no dot: nothing leads out of the folder */
	}
	while (str_split(&rest, '/', &part)) {
		if (part.n == 0)
			return false;
	}
	return true;
}

static const struct tz *load_file(struct arena *a, const char *path, struct err *e)
{
	struct str bytes;

	if (fd_read_file(path, FILE_MAX, a, &bytes, e) != 0)
		return NULL;
	return tz_parse(a, bytes, e);
}

const struct tz *tz_load(struct arena *a, struct str name, struct err *e)
{
	static const char *const folders[] = {
		"/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"};
	bool any = false;
	char path[256];

	if (name.n == 0 || str_eq(name, STR("UTC"))) {
		struct tz *utc = ARENA_NEW(a, struct tz);

		if (utc == NULL)
			(void)err_set(e, ERR_LIMIT, 0, "no memory for a time zone");
		return utc;
	}
	if (str_eq(name, STR("Local")))
		return load_file(a, "/etc/localtime", e);
	if (!name_is_safe(name)) {
		(void)err_set(e, ERR_INPUT, 0, "\"" STR_FMT "\" is not the name of a time zone",
			STR_ARG(name));
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		any = any || access(folders[i], R_OK) == 0;
		(void)snprintf(path, sizeof path, "%s/" STR_FMT, folders[i], STR_ARG(name));
		if (access(path, R_OK) == 0)
			return load_file(a, path, e);
	}
	(void)err_set(e, ERR_INPUT, 0,
		any ? "there is no time zone \"" STR_FMT "\""
		    : "time zone \"" STR_FMT "\": the machine has no time zone database (package "
		      "tzdata)",
		STR_ARG(name));
	return NULL;
}
