/* SPDX-License-Identifier: Apache-2.0 */
/* stop - see stop.h. */
#include "base/stop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"

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

/* --- sorts: short runs by the library, which can be left between two of them; then merges --- */

#define RUN ((size_t)4096)

struct sort {
	int (*cmp)(const void *, const void *);
	int (*cmp_r)(const void *, const void *, void *);
	void *arg;
	size_t size;
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

/* Two sorted runs, from[0, mid) and from[mid, n), into one. */
static void merge(struct sort *s, const char *from, size_t mid, size_t n, char *to)
{
	size_t i = 0, j = mid;

	if (mid >= n || compare(from + (mid - 1) * s->size, from + mid * s->size, s) <= 0) {
		memcpy(to, from, n * s->size);
		return;
	}
	for (; i < mid && j < n && !s->given_up; to += s->size) {
		size_t *k = compare(from + i * s->size, from + j * s->size, s) <= 0 ? &i : &j;

		memcpy(to, from + (*k)++ * s->size, s->size);
	}
	memcpy(to, from + i * s->size, (mid - i) * s->size);
	memcpy(to + (mid - i) * s->size, from + j * s->size, (n - j) * s->size);
}

static void sort_all(struct sort *s, char *v, size_t n)
{
	size_t bytes;
	char *from = v, *to, *other;

	if (n <= RUN || size_mul(n, s->size, &bytes) || (other = malloc(bytes)) == NULL) {
		if (n > 1)
			qsort_r(v, n, s->size, compare, s);
		return;
	}
	to = other;
	for (size_t i = 0; i < n && !s->given_up; i += RUN)
		qsort_r(v + i * s->size, MIN_OF(RUN, n - i), s->size, compare, s);
	for (size_t width = RUN; width < n && !s->given_up; width *= 2) {
		char *was = from;

		for (size_t i = 0; i < n; i += 2 * width)
			merge(s, from + i * s->size, MIN_OF(width, n - i), MIN_OF(2 * width, n - i),
				to + i * s->size);
		from = to;
		to = was;
	}
	if (from != v)
		memcpy(v, from, bytes);
	free(other);
}

void stop_sort(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	struct sort s = {.cmp = cmp, .size = size};

	sort_all(&s, v, n);
}

void stop_sort_r(
	void *v, size_t n, size_t size, int (*cmp)(const void *, const void *, void *), void *arg)
{
	struct sort s = {.cmp_r = cmp, .arg = arg, .size = size};

	sort_all(&s, v, n);
}
