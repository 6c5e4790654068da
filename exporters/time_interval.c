/* SPDX-License-Identifier: Apache-2.0 */
/* time_interval - whether a moment lies inside; see time_interval.h. */
#include "exporters/time_interval.h"

#include "base/dur.h"
#include "base/num.h"

static bool inside(const struct interval_ranges *r, int64_t v)
{
	if (!r->given)
		return true;
	for (size_t i = 0; i < r->n; i++) {
		if (v >= r->v[i].begin && v <= r->v[i].end)
			return true;
	}
	return false;
}

static bool inside_times(const struct interval_ranges *r, int minute)
{
	if (!r->given)
		return true;
	for (size_t i = 0; i < r->n; i++) {
		if (minute >= r->v[i].begin && minute < r->v[i].end)
			return true;
	}
	return false;
}

static bool inside_month(const struct interval_ranges *r, const struct civil *c)
{
	int days = c->days_in_month;

	if (!r->given)
		return true;
	for (size_t i = 0; i < r->n; i++) {
		int begin = r->v[i].begin, end = r->v[i].end;

		begin = begin < 0 ? days + begin + 1 : begin;
		end = end < 0 ? days + end + 1 : end;
		if (begin <= days && c->day >= begin && c->day <= end)
			return true;
	}
	return false;
}

bool time_interval_contains(const struct time_interval *ti, int64_t unix_ms)
{
	struct civil c;

	civil_from_ms(i64_add_sat(unix_ms, (int64_t)tz_offset(ti->tz, unix_ms) * 1000), &c);
	return inside_times(&ti->times, c.hour * 60 + c.minute) &&
	       inside_month(&ti->days_of_month, &c) && inside(&ti->months, c.month) &&
	       inside(&ti->weekdays, c.weekday) && inside(&ti->years, c.year);
}

bool time_intervals_contain(const struct time_interval *v, size_t n, int64_t unix_ms)
{
	for (size_t i = 0; i < n; i++) {
		if (time_interval_contains(&v[i], unix_ms))
			return true;
	}
	return false;
}
