/* SPDX-License-Identifier: Apache-2.0 */
/* arena - chunked bump allocator with a hard limit; chunks double so that many small
 * allocations cost few malloc calls; see arena.h. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"

#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)
#define ALIGN     (alignof(max_align_t))

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap;
	size_t pos;
	alignas(max_align_t) unsigned char mem[];
};

struct arena_defer {
	struct arena_defer *next;
	void (*fn)(void *arg);
	void *arg;
};

void arena_init(struct arena *a, size_t limit)
{
	ASSERT(limit > 0);
	*a = (struct arena){.limit = limit};
}

static void run_until(struct arena *a, const struct arena_defer *stop)
{
	while (a->defers != stop) {
		struct arena_defer *d = a->defers;

		a->defers = d->next;
		d->fn(d->arg);
	}
}

static void drop_until(struct arena *a, const struct arena_chunk *stop)
{
	while (a->head != stop) {
		struct arena_chunk *c = a->head;

		a->head = c->next;
		a->used -= c->cap + sizeof *c;
		free(c);
	}
}

void arena_fini(struct arena *a)
{
	run_until(a, NULL);
	drop_until(a, NULL);
	*a = (struct arena){.limit = a->limit};
}

void arena_reset(struct arena *a)
{
	run_until(a, NULL);
	drop_until(a, NULL);
	a->failed = false;
}

static bool grow(struct arena *a, size_t want)
{
	size_t cap = a->head != NULL ? a->head->cap * 2 : CHUNK_MIN;
	size_t left = a->limit - a->used, total;
	struct arena_chunk *c;

	if (cap > CHUNK_MAX)
		cap = CHUNK_MAX;
	if (cap < want)
		cap = want;
	if (size_add(cap, sizeof *c, &total) || total > left) {
		/* near the limit: exactly what is asked for */
		cap = want;
		if (size_add(cap, sizeof *c, &total) || total > left)
			return false;
	}
	c = malloc(total);
	if (c == NULL)
		return false;
	c->cap = cap;
	c->pos = 0;
	c->next = a->head;
	a->head = c;
	a->used += total;
	return true;
}

void *arena_alloc(struct arena *a, size_t n, size_t elem)
{
	size_t want;
	void *p;

	ASSERT(elem > 0);
	if (a->failed)
		return NULL;
	if (size_mul(n, elem, &want) || size_add(want, ALIGN - 1, &want))
		goto refuse;
	want &= ~(ALIGN - 1);
	if ((a->head == NULL || a->head->cap - a->head->pos < want) && !grow(a, want))
		goto refuse;
	p = a->head->mem + a->head->pos;
	a->head->pos += want;
	memset(p, 0, want);
	return p;

refuse:
	a->failed = true;
	return NULL;
}

bool arena_on_release(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct arena_defer *d = ARENA_NEW(a, struct arena_defer);

	if (d == NULL) {
		fn(arg);
		return false;
	}
	*d = (struct arena_defer){a->defers, fn, arg};
	a->defers = d;
	return true;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->head, a->head != NULL ? a->head->pos : 0, a->defers};
}

void arena_release(struct arena *a, struct arena_mark m)
{
	run_until(a, m.defers);
	drop_until(a, m.chunk);
	if (a->head != NULL) {
		ASSERT(m.pos <= a->head->pos);
		a->head->pos = m.pos;
	}
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1, 1);

	if (p == NULL)
		return STR_NULL;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return str_n(p, s.n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n >= 0 ? arena_alloc(a, (size_t)n + 1, 1) : NULL;
	if (p != NULL)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p != NULL ? str_n(p, (size_t)n) : STR_NULL;
}
