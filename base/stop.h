/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop - whether what this thread works on is still wanted: a flag that another thread sets, and a
 * deadline.
 *
 * Long loops that are far from who knows (a regular expression over a million label values in
 * storage/, a sort, the text of a large reply) ask here, instead of each function between carrying
 * the question in its arguments. Belongs to the thread: who begins it ends it on the same thread,
 * before the flag goes away. Without a beginning nobody ever asks to stop.
 */
#ifndef BELFRY_BASE_STOP_H
#define BELFRY_BASE_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct stop {
	const atomic_bool *cancel; /* may be NULL */
	int64_t deadline_mono_ms;  /* 0: none */
};

/* From here on this thread works for *s, which stays the caller's. Returns what it worked for
 * before, for stop_end. */
const struct stop *stop_begin(const struct stop *s);
void stop_end(const struct stop *before);
/* Give up? As cheap as a comparison; a deadline is seen within some hundred calls. */
bool stop_asked(void);
/* The same with the clock looked at now: ERR_CANCEL with ECANCELED or ETIMEDOUT. */
int stop_check(struct err *e) MUST_CHECK;
/* qsort and qsort_r that end early when asked to stop: the order is then arbitrary, and a
 * stop_check must follow before it is believed. */
void stop_sort(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *));
void stop_sort_r(
	void *v, size_t n, size_t size, int (*cmp)(const void *, const void *, void *), void *arg);

#endif
