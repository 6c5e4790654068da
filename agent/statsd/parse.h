/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - one StatsD line (etsy's format with DogStatsD 1.0 to 1.4's sections) into views.
 *
 *   name:value[:value...]|type[|@rate][|#tag:value,...][|c:container][|Tunix][|x:ignored]
 *
 * Pure: no allocation, no table. What only matters for a series that was not seen before (is the
 * name sound, are the tags) is checked when the series is made: see key.h.
 */
#ifndef BELFRY_AGENT_STATSD_PARSE_H
#define BELFRY_AGENT_STATSD_PARSE_H

#include <stdbool.h>

#include "base/str.h"

enum statsd_kind { STATSD_COUNTER, STATSD_GAUGE, STATSD_TIMER, STATSD_SET, STATSD_KINDS };

/* Why a line, or one of its values, was not taken. Names: statsd_reason_name. */
enum statsd_reason {
	STATSD_OK = 0,
	STATSD_NO_VALUE,    /* no ':' */
	STATSD_NO_TYPE,     /* no '|' after the value */
	STATSD_BAD_TYPE,    /* none of c g ms h d s */
	STATSD_BAD_VALUE,   /* not a finite number */
	STATSD_BAD_RATE,    /* sample rate not in (0, 1]: the line is taken with rate 1 */
	STATSD_BAD_SECTION, /* a part after the type that no known version has */
	STATSD_BAD_NAME,    /* empty, or holds a '|' */
	STATSD_BAD_UTF8,    /* name or tags */
	STATSD_TOO_LONG,    /* name or tags over limits.h */
	STATSD_NEGATIVE,    /* a counter may only grow */
	STATSD_EVENT,       /* DogStatsD event: not a metric */
	STATSD_CHECK,       /* DogStatsD service check: not a metric */
	STATSD_CONFLICT,    /* the same series exists with another type */
	STATSD_LIMIT,       /* too many series, or their memory */
	STATSD_REASONS
};
const char *statsd_reason_name(enum statsd_reason r);

struct statsd_line {
	struct str name;
	struct str values;    /* all of it, colons included; a set's one member */
	struct str tags;      /* behind '#', unparsed */
	struct str container; /* behind "c:" */
	double weight;        /* 1 / sample rate */
	enum statsd_kind kind;
	bool is_ms;    /* values are milliseconds */
	bool bad_rate; /* weight is 1 because the rate made no sense */
};

/* The line has no line end. On refusal *out is partly filled. */
enum statsd_reason statsd_parse(struct str line, struct statsd_line *out);

/* The next of several values; false at the end. Empty ones are passed over. */
bool statsd_next_value(struct str *rest, struct str *value);
/* A finite decimal number; false when it is none. */
bool statsd_number(struct str s, double *out);

#endif
