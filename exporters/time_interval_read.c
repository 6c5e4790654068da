/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time_interval_read - time intervals from YAML nodes: Alertmanager's forms, its words for what is
 * wrong, and the place.
 */
#include <stdio.h>

#include "base/limits.h"
#include "base/num.h"
#include "exporters/time_interval.h"

static const char *const weekday_names[] = {
	"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
static const char *const month_names[] = {"january", "february", "march", "april", "may", "june",
	"july", "august", "september", "october", "november", "december"};

/* One kind of range: how a member is read, and what must hold between both. */
struct range_kind {
	const char *key;
	bool (*member)(struct str s, int *out, struct err *e);
	bool (*fits)(int begin, int end, struct err *e);
	size_t off; /* in struct time_interval */
};

static int name_index(struct str s, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq_nocase(s, str_c(names[i])))
			return (int)i;
	}
	return -1;
}

static bool wrong(struct err *e, const char *what, struct str s)
{
	if (s.n == 0)
		s = STR("an empty name");
	return err_set(e, ERR_INPUT, 0, STR_FMT " %s", STR_ARG(s), what) == 0;
}

static bool weekday(struct str s, int *out, struct err *e)
{
	*out = name_index(s, weekday_names, ARRAY_LEN(weekday_names));
	return *out >= 0 || wrong(e, "is not a valid weekday", s);
}

static bool month(struct str s, int *out, struct err *e)
{
	long long v = name_index(s, month_names, ARRAY_LEN(month_names)) + 1;

	if (v == 0 && (!str_to_i64(s, &v) || v < 1 || v > 12))
		return wrong(e, "is not a valid month", s);
	*out = (int)v;
	return true;
}

static bool number(struct str s, int *out, struct err *e)
{
	long long v;

	if (!str_to_i64(s, &v) || v < -1000000 || v > 1000000)
		return wrong(e, "is not a number", s);
	*out = (int)v;
	return true;
}

static bool weekdays_fit(int begin, int end, struct err *e)
{
	return begin <= end || err_set(e, ERR_INPUT, 0, "start day cannot be before end day") == 0;
}

static bool months_fit(int begin, int end, struct err *e)
{
	return begin <= end || err_set(e, ERR_INPUT, 0, "end month %s is before start month %s",
				       month_names[end - 1], month_names[begin - 1]) == 0;
}

static bool years_fit(int begin, int end, struct err *e)
{
	return begin <= end ||
	       err_set(e, ERR_INPUT, 0, "end year %d is before start year %d", end, begin) == 0;
}

static bool days_fit(int begin, int end, struct err *e)
{
	const int v[] = {begin, end};
	/* Months differ: what the shortest one cannot hold is refused. */
	int from = begin < 0 ? 28 + begin : begin, to = end < 0 ? 28 + end : end;

	for (size_t i = 0; i < 2; i++) {
		if (v[i] == 0 || v[i] < -31 || v[i] > 31)
			return err_set(e, ERR_INPUT, 0,
				       "%d is not a valid day of the month: out of range",
				       v[i]) == 0;
	}
	if (begin < 0 && end > 0)
		return err_set(e, ERR_INPUT, 0,
			       "end day must be negative if start day is negative") == 0;
	return from <= to || err_set(e, ERR_INPUT, 0, "end day %d is always before start day %d",
				     end, begin) == 0;
}

static const struct range_kind kinds[] = {
	{"weekdays", weekday, weekdays_fit, offsetof(struct time_interval, weekdays)},
	{"days_of_month", number, days_fit, offsetof(struct time_interval, days_of_month)},
	{"months", month, months_fit, offsetof(struct time_interval, months)},
	{"years", number, years_fit, offsetof(struct time_interval, years)},
};

/* "a:b" or "a". */
static bool read_range(
	const struct range_kind *k, struct str s, struct interval_range *out, struct err *e)
{
	struct str rest = s, begin = s, end = s;
	size_t colon = str_find(s, ':');

	if (colon < s.n) {
		begin = str_sub(s, 0, colon);
		end = str_sub(s, colon + 1, s.n);
		rest = end;
		if (str_find(rest, ':') < rest.n)
			return err_set(e, ERR_INPUT, 0,
				       "couldn't parse range " STR_FMT ", invalid format",
				       STR_ARG(s)) == 0;
	}
	return k->member(begin, &out->begin, e) && k->member(end, &out->end, e) &&
	       k->fits(out->begin, out->end, e);
}

/* "HH:MM" up to "24:00". */
static bool read_minute(struct str s, int *out, struct err *e)
{
	bool digits = s.n == 5 && s.p[2] == ':';
	int hour = 0, minute = 0;

	for (size_t i = 0; digits && i < 5; i++)
		digits = i == 2 || (s.p[i] >= '0' && s.p[i] <= '9');
	if (digits) {
		hour = (s.p[0] - '0') * 10 + (s.p[1] - '0');
		minute = (s.p[3] - '0') * 10 + (s.p[4] - '0');
	}
	if (!digits || minute > 59 || hour > 24 || (hour == 24 && minute > 0))
		return err_set(e, ERR_INPUT, 0,
			       "couldn't parse timestamp " STR_FMT ", invalid format",
			       STR_ARG(s)) == 0;
	*out = hour * 60 + minute;
	return true;
}

struct reader {
	struct arena *a;
	struct diag *d;
};

/* The array of a field, NULL when it is no list (told) or memory is out. */
static struct interval_range *begin_list(struct reader *r, const char *key,
	const struct yaml_node *node, struct interval_ranges *out)
{
	struct interval_range *v;

	if (node->kind == YAML_NULL)
		return NULL;
	if (node->kind != YAML_SEQ) {
		diag_error(r->d, node->pos, "%s must be a list", key);
		return NULL;
	}
	if (node->n > LIMIT_INTERVAL_RANGES) {
		diag_error(r->d, node->pos, "%s: more than %u entries", key, LIMIT_INTERVAL_RANGES);
		return NULL;
	}
	v = ARENA_ARRAY(r->a, node->n, struct interval_range);
	if (v != NULL)
		*out = (struct interval_ranges){v, node->n, true};
	return v;
}

static void read_ranges(struct reader *r, const struct range_kind *k, const struct yaml_node *node,
	struct interval_ranges *out)
{
	struct interval_range *v = begin_list(r, k->key, node, out);

	for (size_t i = 0; v != NULL && i < node->n; i++) {
		const struct yaml_node *item = node->items[i];
		struct err e;

		if (item->kind != YAML_SCALAR)
			diag_error(r->d, item->pos, "%s: a range such as '%s' is wanted", k->key,
				k->member == weekday ? "monday:friday"
				: k->member == month ? "may:august"
						     : "1:5");
		else if (!read_range(k, item->scalar, &v[i], &e))
			diag_error(r->d, item->pos, "%s", e.msg);
	}
}

static bool time_key(struct reader *r, const struct yaml_node *node, const char *key, int *out)
{
	const struct yaml_node *value = yaml_get(node, str_c(key));
	struct err e;

	if (value == NULL || value->kind != YAML_SCALAR || value->scalar.n == 0) {
		diag_error(r->d, value != NULL ? value->pos : node->pos,
			"both start and end times must be provided");
		return false;
	}
	if (read_minute(value->scalar, out, &e))
		return true;
	diag_error(r->d, value->pos, "%s", e.msg);
	return false;
}

static void unknown_keys(
	struct reader *r, const struct yaml_node *map, const struct str *known, size_t n)
{
	for (size_t i = 0; i < map->n; i++) {
		struct str key = map->pairs[i].key->scalar, near;
		bool found = false;

		for (size_t k = 0; k < n; k++)
			found = found || str_eq(key, known[k]);
		if (found)
			continue;
		near = diag_nearest(key, known, n);
		if (near.n > 0)
			diag_error(r->d, map->pairs[i].key->pos,
				"unknown key \"" STR_FMT "\", did you mean \"" STR_FMT "\"?",
				STR_ARG(key), STR_ARG(near));
		else
			diag_error(r->d, map->pairs[i].key->pos, "unknown key \"" STR_FMT "\"",
				STR_ARG(key));
	}
}

static void read_times(struct reader *r, const struct yaml_node *node, struct interval_ranges *out)
{
	static const struct str known[] = {{"start_time", 10}, {"end_time", 8}};
	struct interval_range *v = begin_list(r, "times", node, out);

	for (size_t i = 0; v != NULL && i < node->n; i++) {
		const struct yaml_node *item = node->items[i];

		if (item->kind != YAML_MAP) {
			diag_error(r->d, item->pos, "times: start_time and end_time are wanted");
			continue;
		}
		unknown_keys(r, item, known, ARRAY_LEN(known));
		if (time_key(r, item, "start_time", &v[i].begin) &&
			time_key(r, item, "end_time", &v[i].end) && v[i].begin >= v[i].end)
			diag_error(r->d, item->pos,
				"start time cannot be equal or greater than end time");
	}
}

static void read_location(struct reader *r, const struct yaml_node *node, struct time_interval *out)
{
	struct err e;

	if (node->kind == YAML_NULL)
		return;
	if (node->kind != YAML_SCALAR) {
		diag_error(r->d, node->pos, "location must be the name of a time zone");
		return;
	}
	out->location = node->scalar;
	out->tz = tz_load(r->a, node->scalar, &e);
	if (out->tz == NULL)
		diag_error(r->d, node->pos, "location: %s", e.msg);
}

static void read_interval(struct reader *r, const struct yaml_node *node, struct time_interval *out)
{
	static const struct str known[] = {{"times", 5}, {"weekdays", 8}, {"days_of_month", 13},
		{"months", 6}, {"years", 5}, {"location", 8}};

	if (node->kind == YAML_NULL)
		return; /* no condition at all: always */
	if (node->kind != YAML_MAP) {
		diag_error(r->d, node->pos, "a time interval is a map of times, weekdays, ...");
		return;
	}
	unknown_keys(r, node, known, ARRAY_LEN(known));
	for (size_t i = 0; i < node->n; i++) {
		struct str key = node->pairs[i].key->scalar;
		const struct yaml_node *value = node->pairs[i].value;

		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			if (str_eq(key, str_c(kinds[k].key)))
				read_ranges(
					r, &kinds[k], value, (void *)((char *)out + kinds[k].off));
		}
		if (str_eq(key, STR("times")))
			read_times(r, value, &out->times);
		else if (str_eq(key, STR("location")))
			read_location(r, value, out);
	}
}

bool time_intervals_read(struct arena *a, const struct yaml_node *list, struct diag *d,
	struct time_interval **out, size_t *n)
{
	struct reader r = {a, d};
	size_t before = diag_errors(d);

	*out = NULL;
	*n = 0;
	if (list == NULL || list->kind == YAML_NULL)
		return true;
	if (list->kind != YAML_SEQ) {
		diag_error(d, list->pos, "a list of time intervals is wanted");
		return false;
	}
	if (list->n > LIMIT_INTERVALS) {
		diag_error(d, list->pos, "more than %u time intervals", LIMIT_INTERVALS);
		return false;
	}
	*out = ARENA_ARRAY(a, list->n, struct time_interval);
	if (*out == NULL)
		return false;
	*n = list->n;
	for (size_t i = 0; i < list->n; i++)
		read_interval(&r, list->items[i], &(*out)[i]);
	return diag_errors(d) == before && !a->failed;
}

int time_intervals_parse(
	struct arena *a, struct str text, struct time_interval **out, size_t *n, struct err *e)
{
	struct diag_file *file = ARENA_NEW(a, struct diag_file);
	struct diag *d = diag_new(a);
	const struct yaml_node *const *docs;
	size_t n_docs = 0;

	*out = NULL;
	*n = 0;
	if (file == NULL || d == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory for time intervals");
	*file = (struct diag_file){STR("recurring"), arena_str(a, text)};
	docs = yaml_parse(a, file, d, &n_docs);
	if (docs != NULL && n_docs == 1 && docs[0]->kind == YAML_SEQ && docs[0]->n > 0 &&
		time_intervals_read(a, docs[0], d, out, n))
		return 0;
	if (a->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory for time intervals");
	if (diag_errors(d) > 0)
		return err_set(e, ERR_INPUT, 0, STR_FMT, STR_ARG(diag_first(d)));
	return err_set(e, ERR_INPUT, 0, "a list of time intervals is wanted");
}
