/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openmetrics - the OpenMetrics 1.0 side of exposition.h: one blank where one is meant, no
 * comments but HELP, TYPE and UNIT, times in seconds, exemplars (checked and passed over), and
 * "# EOF" as the last line, so that a page cut short is noticed.
 */
#include <math.h>

#include "agent/scrape/exposition.h"
#include "base/num.h"

static bool at(const struct expo *x, struct str text)
{
	return str_starts(str_n(x->p, (size_t)(x->end - x->p)), text);
}

static bool take(struct expo *x, struct str text)
{
	if (!at(x, text))
		return false;
	x->p += text.n;
	return true;
}

static bool read_type(struct expo *x)
{
	for (int t = EXPO_UNKNOWN; t <= EXPO_STATESET; t++) {
		if (str_eq(x->text, str_c(expo_type_name((enum expo_type)t)))) {
			x->type = (enum expo_type)t;
			return true;
		}
	}
	(void)expo_fail(x, "invalid metric type \"" STR_FMT "\"", STR_ARG(x->text));
	return false;
}

static bool unit_is_suffix(struct str metric, struct str unit)
{
	return unit.n == 0 || (metric.n > unit.n && str_ends(metric, unit) &&
				      metric.p[metric.n - unit.n - 1] == '_');
}

/* Behind "# TYPE " and the like. */
static enum expo_entry read_meta(struct expo *x, enum expo_entry what, const char *word)
{
	const char *line_end;

	if (!expo_read_meta_name(x, word))
		return EXPO_ERROR;
	line_end = memchr(x->p, '\n', (size_t)(x->end - x->p));
	if (x->p == x->end || *x->p != ' ' || line_end == NULL)
		return expo_fail(x, "expected text in %s", word);
	x->text = str_n(x->p + 1, (size_t)(line_end - x->p - 1));
	if (what == EXPO_TYPE && !read_type(x))
		return EXPO_ERROR;
	if (what == EXPO_UNIT && !unit_is_suffix(x->metric, x->text))
		return expo_fail(
			x, "unit \"" STR_FMT "\" is not a suffix of the metric", STR_ARG(x->text));
	if (what == EXPO_HELP) {
		if (!str_is_utf8(x->text))
			return expo_fail(x, "help text is not valid UTF-8");
		x->text = expo_unescape(x, x->text, true);
	}
	x->p = line_end + 1;
	return what;
}

static enum expo_entry read_hash(struct expo *x)
{
	if (take(x, STR("# HELP ")))
		return read_meta(x, EXPO_HELP, "HELP");
	if (take(x, STR("# TYPE ")))
		return read_meta(x, EXPO_TYPE, "TYPE");
	if (take(x, STR("# UNIT ")))
		return read_meta(x, EXPO_UNIT, "UNIT");
	if (!take(x, STR("# EOF")))
		return expo_fail(x, "expected a valid start token");
	(void)take(x, STR("\n"));
	if (x->p < x->end)
		return expo_fail(x, "unexpected data after # EOF");
	x->ended = true;
	return EXPO_END;
}

/* A blank and what stands behind it up to the next blank or the line's end. */
static bool take_word(struct expo *x, struct str *word)
{
	const char *c = x->p + 1;

	if (x->p == x->end || *x->p != ' ')
		return false;
	while (c < x->end && *c != ' ' && *c != '\n')
		c++;
	*word = str_n(x->p + 1, (size_t)(c - x->p - 1));
	if (word->n == 0)
		return false;
	x->p = c;
	return true;
}

static bool read_time(struct expo *x, struct str word, int64_t *t_ms)
{
	double seconds;

	if (!expo_read_float(x, word, &seconds))
		return false;
	if (!isfinite(seconds)) {
		(void)expo_fail(x, "invalid timestamp " STR_FMT, STR_ARG(word));
		return false;
	}
	*t_ms = num_clamp_i64(seconds * 1000);
	return true;
}

/* Behind " # {": checked as strictly as a sample, and not kept. */
static bool read_exemplar(struct expo *x)
{
	struct str word;
	double value;
	int64_t t;

	if (!expo_read_labels(x, false, true))
		return false;
	if (!take_word(x, &word)) {
		(void)expo_fail(x, "expected value after exemplar labels");
		return false;
	}
	if (!expo_read_float(x, word, &value))
		return false;
	return !take_word(x, &word) || read_time(x, word, &t);
}

static enum expo_entry read_rest(struct expo *x)
{
	struct str word;

	if (!take_word(x, &word))
		return expo_fail(x, "expected value after metric");
	if (!expo_read_float(x, word, &x->value))
		return EXPO_ERROR;
	if (isnan(x->value))
		x->value = normal_nan();
	x->has_time = false;
	if (!at(x, STR(" # {")) && take_word(x, &word)) {
		if (!read_time(x, word, &x->t_ms))
			return EXPO_ERROR;
		x->has_time = true;
	}
	if (take(x, STR(" # {")) && !read_exemplar(x))
		return EXPO_ERROR;
	if (x->p == x->end)
		return expo_fail(x, "data does not end with # EOF");
	if (*x->p != '\n')
		return expo_fail(x, "expected next entry");
	x->p++;
	return EXPO_SAMPLE;
}

enum expo_entry expo_next_openmetrics(struct expo *x)
{
	size_t left = (size_t)(x->end - x->p);

	if (x->ended)
		return EXPO_END;
	if (left == 0)
		return expo_fail(x, "data does not end with # EOF");
	if (expo_take_hint(x))
		return read_rest(x);
	if (left > LIMIT_SCRAPE_LINE && memchr(x->p, '\n', LIMIT_SCRAPE_LINE) == NULL)
		return expo_fail(x, "line over %u bytes", LIMIT_SCRAPE_LINE);
	if (*x->p == '#')
		return read_hash(x);
	return expo_read_series(x, false) ? read_rest(x) : EXPO_ERROR;
}
