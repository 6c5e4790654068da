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
	TV_TIME,     /* ns since 1970, UTC */
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

struct tv {
	enum tv_kind kind;
	union {
		bool b;
		int64_t i; /* TV_INT, TV_TIME, TV_DURATION */
		double f;
		struct str s;
		struct tv_list list;
		const struct tv_map *map; /* TV_MAP, TV_STRUCT */
		struct labels labels;
		const struct hist *h;
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
/* "2015-06-23 13:19:44.128 +0000 UTC": Go's Time.String in UTC. */
void tv_print_time(struct buf *b, int64_t ns);
/* By a Go layout ("2006-01-02 15:04:05"). */
void tv_format_time(struct buf *b, int64_t ns, struct str layout);
/* "{count:3, sum:10, (1,2]:3}". */
void tv_print_hist(struct buf *b, const struct hist *h);

#endif
