/* SPDX-License-Identifier: Apache-2.0 */
/* stop - see stop.h. */
#include "base/stop.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define LOOK 256u /* calls between two looks at the clock */

static _Thread_local const struct stop *current;
static _Thread_local unsigned calls;

const struct stop *stop_begin(const struct stop *s)
{
	const struct stop *before = current;

	current = s;
	return before;
}

void stop_end(const struct stop *before)
{
	current = before;
}

static bool is_cancelled(void)
{
	return current->cancel != NULL &&
	       atomic_load_explicit(current->cancel, memory_order_relaxed);
}

static bool is_late(void)
{
	return current->deadline_mono_ms != 0 && clock_mono_ms() >= current->deadline_mono_ms;
}

bool stop_asked(void)
{
	if (current == NULL)
		return false;
	return is_cancelled() || (++calls % LOOK == 0 && is_late());
}

int stop_check(struct err *e)
{
	if (current == NULL)
		return 0;
	if (is_cancelled())
		return err_set(e, ERR_CANCEL, ECANCELED, "query was cancelled");
	if (is_late())
		return err_set(e, ERR_CANCEL, ETIMEDOUT, "query timed out");
	return 0;
}

/* --- sorts: once all are equal, a sort soon ends --- */

struct sort {
	int (*cmp)(const void *, const void *);
	int (*cmp_r)(const void *, const void *, void *);
	void *arg;
	bool given_up;
};

static int compare(const void *a, const void *b, void *arg)
{
	struct sort *s = arg;

	s->given_up = s->given_up || stop_asked();
	if (s->given_up)
		return 0;
	return s->cmp != NULL ? s->cmp(a, b) : s->cmp_r(a, b, s->arg);
}

void stop_sort(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	struct sort s = {.cmp = cmp};

	if (n > 1)
		qsort_r(v, n, size, compare, &s);
}

void stop_sort_r(
	void *v, size_t n, size_t size, int (*cmp)(const void *, const void *, void *), void *arg)
{
	struct sort s = {.cmp_r = cmp, .arg = arg};

	if (n > 1)
		qsort_r(v, n, size, compare, &s);
}
