/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit - what a number of an expression counts, guessed from metric names and functions, and how a
 * person reads it: "1.2 s", "41 %", "3.4 MiB/s".
 *
 * A guess is made only where it is safe (names with a base unit as Prometheus's conventions have
 * them); else the number stands bare.
 */
#ifndef BELFRY_EXPORTERS_UNIT_H
#define BELFRY_EXPORTERS_UNIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

enum unit_kind {
	UNIT_NONE,
	UNIT_SECONDS,
	UNIT_MILLISECONDS,
	UNIT_BYTES,
	UNIT_RATIO,     /* 0..1, shown as per cent */
	UNIT_PERCENT,   /* 0..100 */
	UNIT_TIMESTAMP, /* Unix seconds */
	UNIT_CELSIUS
};

struct unit {
	enum unit_kind kind;
	bool per_second;
};

/* Of the values of an expression; the side of a comparison when it is one. UNIT_NONE when the text
 * is not PromQL or nothing is known. */
struct unit unit_of_expr(struct str expr);
/* The same of a parsed one (rules/promql/engine.h). */
struct pq_expr;
struct unit unit_of_parsed(const struct pq_expr *x);
/* "1.2 s", "41 %", "3.4 MiB/s", "12/s", "0.973": 3 significant digits, C locale. */
void unit_print(struct buf *out, double v, struct unit u);
/* The same number without digits it does not need, for an axis whose labels are `step` apart. */
void unit_print_tick(struct buf *out, double v, double step, struct unit u);

#endif
