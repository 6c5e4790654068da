/* SPDX-License-Identifier: Apache-2.0 */
/* slot - offsets of scrapes and evaluations within their intervals; see slot.h. */
#include "base/slot.h"

#include "base/assert.h"
#include "base/num.h"

/* One kind of periodic things: its part of a unit, in tenths. The part grows by steps of `step`, so
 * that one thing more seldom moves all others. */
struct part {
	int64_t begin, step, most;
	int64_t each_ms; /* room that each should have */
};

static int64_t place(
	const struct part *p, uint64_t hash, int64_t interval_ms, int64_t unit_ms, size_t n)
{
	int64_t unit, units, need, width, begin;

	ASSERT(interval_ms > 0);
	unit = unit_ms > 0 && interval_ms % unit_ms == 0 ? unit_ms : interval_ms;
	units = interval_ms / unit;
	/* of the n, those that share one unit */
	need = (int64_t)MIN_OF(n, (size_t)1000000) * p->each_ms / units;
	width = unit * p->step / 10;
	begin = unit * p->begin / 10;
	while (width < need && width < unit * p->most / 10)
		width = MIN_OF(width + MAX_OF(unit * p->step / 10, 1), unit * p->most / 10);
	width = MAX_OF(width, 1);
	return (int64_t)(hash >> 32) % units * unit + begin + (int64_t)(hash & 0xffffffff) % width;
}

int64_t slot_of_scrape(uint64_t hash, int64_t interval_ms, int64_t unit_ms, size_t n)
{
	static const struct part part = {.begin = 0, .step = 2, .most = 10, .each_ms = 1};

	return place(&part, hash, interval_ms, unit_ms, n);
}

int64_t slot_of_rules(uint64_t hash, int64_t interval_ms, int64_t unit_ms, size_t n)
{
	static const struct part part = {.begin = 3, .step = 1, .most = 7, .each_ms = 2};

	return place(&part, hash, interval_ms, unit_ms, n);
}
