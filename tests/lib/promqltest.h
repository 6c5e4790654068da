/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promqltest - reads and runs files of Prometheus's promqltest language against the evaluator,
 * over mem_source: load, load_with_nhcb, clear, eval instant, eval range and what is expected.
 * Instant evals are asked as a range query too, as upstream does.
 */
#ifndef BELFRY_TESTS_LIB_PROMQLTEST_H
#define BELFRY_TESTS_LIB_PROMQLTEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/histogram.h"
#include "base/labels.h"
#include "tests/lib/mem_source.h"

enum pt_kind { PT_NONE, PT_FLOAT, PT_HIST, PT_STALE };

struct pt_value {
	enum pt_kind kind;
	double v;
	const struct hist *h;
};

/* One line: a metric and its values. */
struct pt_series {
	struct labels labels;
	struct pt_value *v;
	size_t n;
};

/* --- promqltest_parse.c --- */

/* Seconds-style durations ("1m30s", "-5m", "0"), in ms; false when malformed. */
bool pt_duration(struct str s, int64_t *ms);
bool pt_number(struct str s, double *v);
bool pt_unquote(struct arena *a, struct str s, struct str *out);
/* `name{a="b"} 1 2+1x3 _ stale {{...}}`; false when malformed. */
bool pt_series(struct arena *a, struct str line, struct pt_series *s);
/* "metric{a="b"}" alone; *rest is what follows. */
bool pt_metric(struct arena *a, struct str line, struct labels *ls, struct str *rest);
bool pt_values(struct arena *a, struct str text, struct pt_value **v, size_t *n);
const struct hist *pt_hist(struct arena *a, struct str text);
/* a + sign * b as upstream's tests mean it. */
const struct hist *pt_hist_add(
	struct arena *a, const struct hist *x, const struct hist *y, double sign);

/* --- promqltest_load.c --- */

/* The first word of s, which is taken off. */
struct str pt_word(struct str *s);
/* A load command at lines[*at] and the series below it; *at ends at the last line of it. */
bool pt_load(struct arena *a, struct mem_source *src, const struct str *lines, size_t n_lines,
	size_t *at);

/* --- promqltest_run.c --- */

struct pt_counts {
	size_t passed, failed;
};

/* Runs a file; what fails is told on stderr when `verbose`. False: the file cannot be read. */
bool pt_run_file(const char *path, bool verbose, struct pt_counts *c);
bool pt_same_value(const struct pt_value *want, double v, const struct hist *h);
void pt_print_value(struct buf *b, double v, const struct hist *h);

#endif
