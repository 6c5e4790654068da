/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - bump allocator for one query, one request or one configuration load.
 *
 * Ownership: everything allocated dies with arena_reset() or arena_fini(); memory is zeroed.
 * Failure: sticky; after the first refusal every call returns NULL and `failed` is set, so a
 * parser may finish its step and check once. One thread at a time.
 */
#ifndef BELFRY_BASE_ARENA_H
#define BELFRY_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena_chunk;
struct arena_defer;

struct arena {
	struct arena_chunk *head;
	size_t used;  /* bytes taken from the system, headers included */
	size_t limit; /* hard cap; never grows after init */
	bool failed;
	struct arena_defer *defers; /* run, newest first, before the memory goes */
};

struct arena_mark {
	struct arena_chunk *chunk;
	size_t pos;
	struct arena_defer *defers;
};

void arena_init(struct arena *a, size_t limit);
void arena_fini(struct arena *a);
/* Free everything but forget the failure too; the limit stays. */
void arena_reset(struct arena *a);
/* n elements of elem bytes, aligned for any type. n == 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n, size_t elem) __attribute__((malloc));
#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_alloc((a), (n), sizeof(type)))

/* Call fn(arg) when the memory allocated until now is released: for what an object in the arena
 * holds outside of it (a compiled regular expression). When refused it is called at once, and
 * false returned. */
bool arena_on_release(struct arena *a, void (*fn)(void *arg), void *arg);

/* Scratch scopes: free all that was allocated since the mark. Scopes nest. */
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark m);

/* Copies with a NUL behind; p is NULL on refusal. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
