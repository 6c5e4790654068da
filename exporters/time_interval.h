/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time_interval - times that come back: "weekdays from 9 to 17 in Berlin". For routes
 * (mute_time_intervals, active_time_intervals) and recurring silences.
 *
 * Semantics of Alertmanager (reference notify.md D15): minutes are [start, end), everything else
 * includes its end; days of the month count from the end when negative and are cut to the month; an
 * empty field allows all. Immutable, in an arena; any thread.
 */
#ifndef BELFRY_EXPORTERS_TIME_INTERVAL_H
#define BELFRY_EXPORTERS_TIME_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/tz.h"
#include "base/yaml.h"

struct interval_range {
	int begin, end;
};
struct interval_ranges {
	const struct interval_range *v;
	size_t n;
	bool given; /* an empty list allows nothing, a missing one everything */
};

struct time_interval {
	struct interval_ranges times; /* minutes of the day, [begin, end), end <= 1440 */
	struct interval_ranges weekdays, days_of_month, months, years; /* 0 = Sunday; 1..12 */
	const struct tz *tz;                                           /* NULL: UTC */
	struct str location;
};

/* `time_intervals:` of configurations; the name routes use. */
struct named_interval {
	struct str name;
	const struct time_interval *v;
	size_t n;
};

bool time_interval_contains(const struct time_interval *ti, int64_t unix_ms);
/* Any of them. */
bool time_intervals_contain(const struct time_interval *v, size_t n, int64_t unix_ms);

/* A list of intervals from YAML; mistakes go to d with their place. False when there were some. */
bool time_intervals_read(struct arena *a, const struct yaml_node *list, struct diag *d,
	struct time_interval **out, size_t *n);
/* The same from text of its own (YAML or JSON), for the API; e says what is wrong first. */
int time_intervals_parse(struct arena *a, struct str text, struct time_interval **out, size_t *n,
	struct err *e) MUST_CHECK;

#endif
