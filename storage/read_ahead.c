/* SPDX-License-Identifier: Apache-2.0 */
/* read_ahead - the helper's thread, and chunks handed over; see read_ahead.h. */
#include "storage/read_ahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"
#include "base/role.h"
#include "storage/store_int.h"

#define SLOTS       4u
#define CHUNK_BYTES ((size_t)4 << 20) /* samples of one chunk; what is more the reader reads */
#define CHUNK_HISTS ((size_t)8 << 20) /* histograms of one chunk */
#define KEEP_ROWS   8192u             /* a larger buffer is not kept for the next series */

/* A chunk that was read before the reader came to it. */
struct slot {
	struct cols cols[READ_AHEAD_CHUNK];
	struct arena arena;
	size_t n; /* series that were read, from its first on */
};

struct read_ahead {
	struct store *st;
	const uint32_t *ids;
	size_t n, from;
	int64_t mint, maxt;
	pthread_t thread;
	pthread_mutex_t lock; /* what follows, up to slots */
	pthread_cond_t ready, room;
	size_t taken;  /* chunks that somebody took */
	size_t reader; /* the chunk the reader is at; slots of those before it are free */
	size_t busy;   /* the chunk the helper is at; SIZE_MAX: none */
	bool stop;
	bool ahead[SLOTS]; /* the slot's chunk is read into it; else the reader reads it singly */
	/* each belongs to who took its chunk, then to the reader */
	struct slot slots[SLOTS];
	struct read_memo helper_memo, reader_memo;
};

static atomic_uint helpers; /* of all selections */

static size_t chunk_of(const struct read_ahead *r, size_t i)
{
	return (i - r->from) / READ_AHEAD_CHUNK;
}

static size_t bytes_of(const struct cols *c)
{
	return c->n * (sizeof *c->t + sizeof *c->v);
}

static bool stopped(struct read_ahead *r)
{
	bool stop;

	(void)pthread_mutex_lock(&r->lock);
	stop = r->stop;
	(void)pthread_mutex_unlock(&r->lock);
	return stop;
}

static void read_chunk(struct read_ahead *r, size_t chunk, struct read_memo *memo)
{
	struct slot *s = &r->slots[chunk % SLOTS];
	size_t first = r->from + chunk * READ_AHEAD_CHUNK, bytes = 0;
	struct err e;

	s->n = 0;
	arena_reset(&s->arena);
	series_warm(r->st, r->ids + first, MIN_OF(READ_AHEAD_CHUNK, r->n - first), r->mint, r->maxt,
		memo);
	while (s->n < READ_AHEAD_CHUNK && first + s->n < r->n && bytes < CHUNK_BYTES &&
		!stopped(r)) {
		struct cols *c = &s->cols[s->n];

		if (c->cap > KEEP_ROWS) {
			cols_fini(c);
			cols_init(c);
		}
		cols_reset(c);
		if (series_read(r->st, r->ids[first + s->n], r->mint, r->maxt, c, &s->arena, memo,
			    &e) != 0)
			break;
		bytes += bytes_of(c);
		s->n++;
	}
}

static bool has_more(const struct read_ahead *r)
{
	return !r->stop && r->taken < chunk_of(r, r->n + READ_AHEAD_CHUNK - 1);
}

static bool has_room(const struct read_ahead *r)
{
	return r->taken < r->reader + SLOTS;
}

/* The first chunk that nobody took; its slot is free. */
static size_t take(struct read_ahead *r)
{
	r->ahead[r->taken % SLOTS] = true;
	return r->taken++;
}

/* The next chunk for the helper; false: no more. Waits for a free slot. */
static bool take_next(struct read_ahead *r, size_t *chunk)
{
	bool more;

	(void)pthread_mutex_lock(&r->lock);
	while (has_more(r) && !has_room(r))
		(void)pthread_cond_wait(&r->room, &r->lock);
	more = has_more(r);
	if (more)
		*chunk = r->busy = take(r);
	(void)pthread_mutex_unlock(&r->lock);
	return more;
}

static void *helper_main(void *arg)
{
	struct read_ahead *r = arg;
	size_t chunk;

	role_enter(ROLE_QUERY);
	while (take_next(r, &chunk)) {
		read_chunk(r, chunk, &r->helper_memo);
		(void)pthread_mutex_lock(&r->lock);
		r->busy = SIZE_MAX;
		(void)pthread_cond_signal(&r->ready);
		(void)pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

/* One helper more, if there is a processor that the reader leaves free. */
static bool may_have_helper(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned now = atomic_load(&helpers);

	while ((long)now + 1 < processors) {
		if (atomic_compare_exchange_weak(&helpers, &now, now + 1))
			return true;
	}
	return false;
}

static void free_all(struct read_ahead *r)
{
	for (size_t s = 0; s < SLOTS; s++) {
		for (size_t i = 0; i < READ_AHEAD_CHUNK; i++)
			cols_fini(&r->slots[s].cols[i]);
		arena_fini(&r->slots[s].arena);
	}
	read_memo_fini(&r->helper_memo);
	read_memo_fini(&r->reader_memo);
	(void)pthread_cond_destroy(&r->ready);
	(void)pthread_cond_destroy(&r->room);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
	atomic_fetch_sub(&helpers, 1);
}

struct read_ahead *read_ahead_start(
	struct store *st, const uint32_t *ids, size_t n, size_t from, int64_t mint, int64_t maxt)
{
	struct read_ahead *r;

	if (!may_have_helper())
		return NULL;
	r = calloc(1, sizeof *r);
	if (r == NULL) {
		atomic_fetch_sub(&helpers, 1);
		return NULL;
	}
	r->st = st;
	r->ids = ids;
	r->n = n;
	r->from = from;
	r->mint = mint;
	r->maxt = maxt;
	r->busy = SIZE_MAX;
	for (size_t s = 0; s < SLOTS; s++) {
		for (size_t i = 0; i < READ_AHEAD_CHUNK; i++)
			cols_init(&r->slots[s].cols[i]);
		arena_init(&r->slots[s].arena, CHUNK_HISTS);
	}
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->ready, NULL);
	(void)pthread_cond_init(&r->room, NULL);
	if (pthread_create(&r->thread, NULL, helper_main, r) != 0) {
		free_all(r);
		return NULL;
	}
	return r;
}

/* The reader comes to a chunk: takes it when nobody did. While the helper is at it the reader reads
 * the one behind it instead of waiting. */
static void reach(struct read_ahead *r, size_t chunk)
{
	(void)pthread_mutex_lock(&r->lock);
	r->reader = chunk;
	if (r->taken <= chunk) {
		r->taken = chunk + 1;
		r->ahead[chunk % SLOTS] = false;
	}
	(void)pthread_cond_signal(&r->room);
	while (r->busy == chunk) {
		if (has_more(r) && has_room(r)) {
			size_t next = take(r);

			(void)pthread_mutex_unlock(&r->lock);
			read_chunk(r, next, &r->reader_memo);
			(void)pthread_mutex_lock(&r->lock);
		} else {
			(void)pthread_cond_wait(&r->ready, &r->lock);
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
}

const struct cols *read_ahead_next(struct read_ahead *r, size_t i)
{
	size_t at = (i - r->from) % READ_AHEAD_CHUNK, chunk = chunk_of(r, i);
	struct slot *s = &r->slots[chunk % SLOTS];

	if (at == 0)
		reach(r, chunk);
	/* the slot's chunk is the reader's now: nobody else writes its entry */
	return r->ahead[chunk % SLOTS] && at < s->n ? &s->cols[at] : NULL;
}

void read_ahead_stop(struct read_ahead *r)
{
	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->stop = true;
	(void)pthread_cond_signal(&r->room);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_join(r->thread, NULL);
	free_all(r);
}
