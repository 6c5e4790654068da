/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag - errors and warnings of configuration and rule files, with place, line and caret.
 *
 *   belfry.yml:12:7: unknown key "scrape_intervall", did you mean "scrape_interval"?
 *      12 |       scrape_intervall: 5s
 *         |       ^~~~~~~~~~~~~~~~
 *
 * Collects all errors of a load (LIMIT_DIAG_ERRORS a file), in order of their place. Values of
 * secret keys are never shown: mark them with diag_secret before printing. Memory from the given
 * arena.
 */
#ifndef BELFRY_BASE_DIAG_H
#define BELFRY_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct diag_file {
	struct str path; /* as the user named it */
	struct str text; /* whole content, kept for excerpts */
};

/* A place: 1-based line and column (column counts bytes), `len` bytes are underlined. */
struct diag_pos {
	const struct diag_file *file;
	unsigned line, col, len;
};

struct diag;

struct diag *diag_new(struct arena *a);
/* Where a struct diag_file and its text must live that errors refer to: they are read again by
 * diag_print. NULL when diag_new had no memory. */
struct arena *diag_arena(const struct diag *d);
/* How many errors (not warnings) were reported, those over the limit included. */
size_t diag_errors(const struct diag *d);
size_t diag_warnings(const struct diag *d);
void diag_error(struct diag *d, struct diag_pos at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void diag_warn(struct diag *d, struct diag_pos at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Lines of this file that hold secrets are shown without their value from now on. */
void diag_secret(struct diag *d, struct diag_pos at);
/* Everything with excerpts, as `belfry check` prints it. */
void diag_print(const struct diag *d, struct buf *out);
/* The first error on one line (for a log line and a metric), "" when none. */
struct str diag_first(const struct diag *d);
/* The nearest of `names` (n of them) to `s`, or an empty str when none is near (distance <= 2 or a
 * third). */
struct str diag_nearest(struct str s, const struct str *names, size_t n);

#endif
