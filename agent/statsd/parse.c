/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - the StatsD line format; see parse.h. Written for the usual line: three memchr and a
 * handful of comparisons. Sources: etsy/statsd docs/metric_types.md, Datadog's "DogStatsD
 * datagram reference" (protocol 1.0 to 1.4).
 */
#include "agent/statsd/parse.h"

#include <math.h>
#include <stdint.h>

#include "base/f64.h"
#include "base/num.h"

static const char *const reason_names[STATSD_REASONS] = {
	[STATSD_OK] = "",
	[STATSD_NO_VALUE] = "no_value",
	[STATSD_NO_TYPE] = "no_type",
	[STATSD_BAD_TYPE] = "bad_type",
	[STATSD_BAD_VALUE] = "bad_value",
	[STATSD_BAD_RATE] = "bad_sample_rate",
	[STATSD_BAD_SECTION] = "bad_section",
	[STATSD_BAD_NAME] = "bad_name",
	[STATSD_BAD_UTF8] = "invalid_utf8",
	[STATSD_TOO_LONG] = "too_long",
	[STATSD_NEGATIVE] = "negative_counter",
	[STATSD_EVENT] = "event",
	[STATSD_CHECK] = "service_check",
	[STATSD_CONFLICT] = "type_conflict",
	[STATSD_LIMIT] = "series_limit",
};

const char *statsd_reason_name(enum statsd_reason r)
{
	return reason_names[r];
}

static const double powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

/* Up to 15 digits are an integer that a double holds exactly, and so is 10^decimals: one division
 * rounds correctly (Clinger's fast path). Everything else goes the long way. */
bool statsd_number(struct str s, double *out)
{
	const char *p = s.p, *end = s.p + s.n;
	uint64_t digits = 0;
	unsigned n = 0, decimals = 0;
	bool negative = false, point = false;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	for (; p < end && n < 16; p++) {
		unsigned c = (unsigned char)*p - (unsigned)'0';

		if (c <= 9) {
			digits = digits * 10 + c;
			n++;
			decimals += point;
		} else if (*p == '.' && !point) {
			point = true;
		} else {
			break;
		}
	}
	if (p == end && n > 0 && n <= 15) {
		*out = (double)digits / powers_of_ten[decimals];
		if (negative)
			*out = -*out;
		return true;
	}
	return n > 0 && f64_parse(s, out) && isfinite(*out);
}

bool statsd_next_value(struct str *rest, struct str *value)
{
	while (rest->n > 0) {
		size_t colon = str_find(*rest, ':');

		*value = str_sub(*rest, 0, colon);
		*rest = str_sub(*rest, colon + 1, rest->n);
		if (value->n > 0)
			return true;
	}
	return false;
}

static void read_rate(struct str s, struct statsd_line *out)
{
	double rate;

	out->bad_rate = !statsd_number(s, &rate) || !(rate > 0 && rate <= 1);
	out->weight = out->bad_rate ? 1 : 1 / rate;
}

/* A section that this version gives no meaning: one letter and a colon, or a known longer name. */
static bool may_ignore(struct str s)
{
	bool letter =
		s.n >= 2 && ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z'));

	return (letter && s.p[1] == ':') || str_starts(s, STR("card:"));
}

static bool read_section(struct str s, struct statsd_line *out)
{
	if (s.n == 0)
		return false;
	switch (s.p[0]) {
	case '#': out->tags = str_sub(s, 1, s.n); return true;
	case '@': read_rate(str_sub(s, 1, s.n), out); return true;
	case 'T': return s.n > 1; /* a client's timestamp: what counts is the flush */
	case 'c':
		if (s.n < 2 || s.p[1] != ':')
			return may_ignore(s);
		out->container = str_sub(s, 2, s.n);
		return true;
	default: return may_ignore(s);
	}
}

/* Events and service checks have other shapes: tell them from broken lines. */
static enum statsd_reason refusal(struct str line, enum statsd_reason r)
{
	if (str_starts(line, STR("_e{")))
		return STATSD_EVENT;
	return str_starts(line, STR("_sc|")) ? STATSD_CHECK : r;
}

static bool read_type(const char **p, const char *end, struct statsd_line *out)
{
	if (*p == end)
		return false;
	switch (*(*p)++) {
	case 'c': out->kind = STATSD_COUNTER; return true;
	case 'g': out->kind = STATSD_GAUGE; return true;
	case 'h':
	case 'd': out->kind = STATSD_TIMER; return true;
	case 's': out->kind = STATSD_SET; return true;
	case 'm':
		out->kind = STATSD_TIMER;
		out->is_ms = true;
		return *p < end && *(*p)++ == 's';
	default: return false;
	}
}

enum statsd_reason statsd_parse(struct str line, struct statsd_line *out)
{
	const char *end = line.p + line.n;
	const char *colon = line.n > 0 ? memchr(line.p, ':', line.n) : NULL;
	const char *p;

	*out = (struct statsd_line){.weight = 1};
	if (colon == NULL)
		return refusal(line, STATSD_NO_VALUE);
	p = memchr(colon, '|', (size_t)(end - colon));
	if (p == NULL)
		return refusal(line, STATSD_NO_TYPE);
	out->name = str_n(line.p, (size_t)(colon - line.p));
	out->values = str_n(colon + 1, (size_t)(p - colon - 1));
	p++;
	if (!read_type(&p, end, out) || (p < end && *p != '|'))
		return refusal(line, STATSD_BAD_TYPE);
	while (p < end) { /* *p is '|' */
		const char *next = memchr(p + 1, '|', (size_t)(end - p - 1));

		if (next == NULL)
			next = end;
		if (!read_section(str_n(p + 1, (size_t)(next - p - 1)), out))
			return refusal(line, STATSD_BAD_SECTION);
		p = next;
	}
	return STATSD_OK;
}
