/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_value - the values templates work with: Go's as far as templates can see them.
 *
 * A small tagged union; what it points to lives in an arena and never changes. Lists, maps and
 * structs are built by whoever provides the data (a rule's labels, later a notification).
 */
#ifndef BELFRY_RULES_TEMPLATE_VALUE_H
#define BELFRY_RULES_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/histogram.h"
#include "base/labels.h"

enum tv_kind {
	TV_NONE, /* Go's zero reflect.Value and nil interface: prints "<no value>" */
	TV_NIL,
	TV_BOOL,
	TV_INT,
	TV_FLOAT,
	TV_STR,
	TV_LIST,
	TV_MAP,      /* string keys; a missing one is "" (strings) or no value */
	TV_LABELS,   /* map[string]string over a label set */
	TV_STRUCT,   /* named fields; a missing one is an error */
	TV_TIME,     /* ns since 1970, or TV_TIME_ZERO */
	TV_DURATION, /* ns */
	TV_HIST,
};

struct tv;
struct tv_list {
	const struct tv *v;
	size_t n;
};
struct tv_field {
	struct str name;
	const struct tv *value;
};
struct tv_map { /* fields sorted by name for maps, in declared order for structs */
	const char *type;
	const struct tv_field *v;
	size_t n;
};

/* Named types with methods of their own, as notifications have them. */
enum tv_named {
	TV_PLAIN,
	TV_KV,     /* TV_LABELS: SortedPairs, Remove, Names, Values; prints "a=1, b=2" */
	TV_ALERTS, /* TV_LIST of structs with Status: Firing, Resolved */
	TV_PAIRS,  /* TV_LIST of structs with Name and Value: Names, Values; prints as TV_KV does */
	TV_STRINGS, /* TV_LIST of strings: Join */
	TV_STRS,    /* TV_LIST of strings, no methods */
};

/* What a text may be trusted for when HTML is made of it. */
enum tv_safe {
	TV_UNSAFE,
	TV_SAFE_HTML,
	TV_SAFE_URL,
	TV_ESCAPED_HTML, /* went through `html` */
	TV_ESCAPED_URL,  /* went through `urlquery` */
};

#define TV_TIME_ZERO INT64_MIN /* Go's zero time: 0001-01-01 00:00:00 UTC */

struct tz;

struct tv {
	enum tv_kind kind;
	uint8_t named; /* enum tv_named */
	uint8_t safe;  /* enum tv_safe, of TV_STR */
	union {
		bool b;
		int64_t i; /* TV_INT, TV_TIME, TV_DURATION */
		double f;
		struct str s;
		struct tv_list list;
		const struct tv_map *map; /* TV_MAP, TV_STRUCT */
		struct labels labels;
		const struct hist *h;
		struct { /* TV_TIME; ns is also u.i */
			int64_t ns;
			const struct tz *zone; /* NULL: UTC */
		} time;
	} u;
};

struct tv tv_bool(bool b);
struct tv tv_int(int64_t i);
struct tv tv_float(double f);
struct tv tv_str(struct str s);
struct tv tv_labels(struct labels ls);
struct tv tv_list(const struct tv *v, size_t n);
struct tv tv_time(int64_t ns);
struct tv tv_duration(int64_t ns);
/* A label set with methods. */
struct tv tv_kv(struct labels ls);
struct tv tv_named_list(enum tv_named type, const struct tv *v, size_t n);
/* A map or struct from fields; the array is borrowed and, for a map, must be sorted by name. */
struct tv tv_map(struct arena *a, const struct tv_field *v, size_t n);
struct tv tv_struct(struct arena *a, const char *type, const struct tv_field *v, size_t n);
/* What `query` gives: .Labels and .Value. h NULL: a float. */
struct tv tv_sample(struct arena *a, struct labels ls, double v, const struct hist *h);

/* Go's idea of what is true: not zero, not empty. */
bool tv_true(const struct tv *v);
/* Go's name of the type, for messages and %T. */
const char *tv_type(const struct tv *v);
/* The field of a struct or entry of a map; false when a struct has none. */
bool tv_get(const struct tv *v, struct str name, struct tv *out);
/* As fmt's %v. */
void tv_print(struct buf *b, const struct tv *v);
/* As Go's %v: shortest digits, an exponent from 1e+06 on and below 1e-04. */
void tv_print_float(struct buf *b, double v);
/* "1h2m3s", "1.5ms", "0s": Go's Duration.String. */
void tv_print_duration(struct buf *b, int64_t ns);
/* "2015-06-23 13:19:44.128 +0000 UTC": Go's Time.String. */
void tv_print_time(struct buf *b, int64_t ns, const struct tz *zone);
/* By a Go layout ("2006-01-02 15:04:05"). */
void tv_format_time(struct buf *b, int64_t ns, const struct tz *zone, struct str layout);
/* The other way round, as Go's time.Parse in UTC; false when s does not follow the layout. */
bool tv_parse_time(struct str layout, struct str s, int64_t *ns);
/* "{count:3, sum:10, (1,2]:3}". */
void tv_print_hist(struct buf *b, const struct hist *h);

#endif
