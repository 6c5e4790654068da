/* SPDX-License-Identifier: Apache-2.0 */
/* codec - cutting rows into chunks, times, starts and histogram columns; see codec.h. */
#include "storage/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/uninit.h"
#include "storage/codec_ints.h"
#include "storage/hist_code.h"

enum { KIND_FLOATS = 1, KIND_HISTS = 2, KIND_START = 0x80 };

#define CHUNK_BYTES ((size_t)64 << 20)
#define ROWS_STACK  512u /* scratch rows of a decoder on the stack */

void codec_init(struct codec *k)
{
	*k = (struct codec){0};
	buf_init(&k->out, CHUNK_BYTES);
}

void codec_fini(struct codec *k)
{
	free(k->ints);
	free(k->floats);
	buf_fini(&k->out);
}

static bool need(struct codec *k, size_t n)
{
	int64_t *ints;
	double *floats;

	if (n <= k->cap)
		return true;
	n = MAX_OF(n, 1024);
	ints = realloc(k->ints, n * sizeof *ints);
	if (ints != NULL)
		k->ints = ints;
	floats = realloc(k->floats, n * sizeof *floats);
	if (floats != NULL)
		k->floats = floats;
	if (ints == NULL || floats == NULL)
		return false;
	k->cap = n;
	return true;
}

static const struct hist *hist_at(const struct cols *c, size_t i)
{
	return c->h != NULL ? c->h[i] : NULL;
}

/* Where the chunk that begins at `from` ends. */
static size_t cut(const struct cols *c, size_t from)
{
	size_t to = from + 1, most = MIN_OF(c->n, from + CODEC_ROWS);
	const struct hist *h = hist_at(c, from);

	for (; to < most; to++) {
		const struct hist *x = hist_at(c, to);

		if ((x == NULL) != (h == NULL) || (h != NULL && !hist_code_same_layout(h, x)))
			break;
	}
	return to;
}

static void put_hist_column(struct codec *k, const struct cols *c, size_t from, size_t n,
	double (*get)(const struct hist *h, size_t i), size_t i)
{
	for (size_t r = 0; r < n; r++)
		k->floats[r] = get(c->h[from + r], i);
	(void)floats_put(&k->out, k->floats, n, k->ints);
}

static double get_sum(const struct hist *h, size_t i)
{
	(void)i;
	return h->sum;
}

static double get_count(const struct hist *h, size_t i)
{
	return i == 0 ? h->count : h->zero_count;
}

static double get_pos(const struct hist *h, size_t i)
{
	return h->pos.counts[i];
}

static double get_neg(const struct hist *h, size_t i)
{
	return h->neg.counts[i];
}

static void put_hists(struct codec *k, const struct cols *c, size_t from, size_t n)
{
	const struct hist *h = c->h[from];

	hist_code_put_layout(&k->out, h);
	for (size_t r = 0; r < n; r++)
		k->ints[r] = c->h[from + r]->reset;
	ints_put(&k->out, k->ints, n);
	put_hist_column(k, c, from, n, get_sum, 0);
	put_hist_column(k, c, from, n, get_count, 0);
	put_hist_column(k, c, from, n, get_count, 1);
	for (size_t i = 0; i < h->pos.n_counts; i++)
		put_hist_column(k, c, from, n, get_pos, i);
	for (size_t i = 0; i < h->neg.n_counts; i++)
		put_hist_column(k, c, from, n, get_neg, i);
}

static void put_chunk(struct codec *k, const struct cols *c, size_t from, size_t n)
{
	bool hist = hist_at(c, from) != NULL, start = false;

	for (size_t r = 0; c->start != NULL && r < n && !start; r++)
		start = c->start[from + r] != 0;
	buf_reset(&k->out);
	buf_ch(&k->out, (char)((hist ? KIND_HISTS : KIND_FLOATS) | (start ? KIND_START : 0)));
	buf_varint(&k->out, n);
	memcpy(k->ints, c->t + from, n * sizeof *k->ints);
	ints_put(&k->out, k->ints, n);
	if (start) {
		memcpy(k->ints, c->start + from, n * sizeof *k->ints);
		ints_put(&k->out, k->ints, n);
	}
	if (hist) {
		put_hists(k, c, from, n);
		k->hist_chunks++;
	} else {
		k->chunks[floats_put(&k->out, c->v + from, n, k->ints)]++;
	}
}

int codec_encode(struct codec *k, const struct cols *c,
	void (*fn)(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg),
	void *arg)
{
	for (size_t from = 0, to; from < c->n; from = to) {
		to = cut(c, from);
		if (!need(k, to - from))
			return -1;
		put_chunk(k, c, from, to - from);
		if (k->out.failed)
			return -1;
		fn(c, from, to, buf_view(&k->out), arg);
	}
	return 0;
}

/* --- reading --- */

static int malformed(struct err *e)
{
	return err_set(e, ERR_CORRUPT, 0, "malformed chunk");
}

static bool get_hist_columns(
	struct rd *r, struct hist *h, size_t n, int64_t *ints, double *column, struct arena *a)
{
	size_t buckets = (size_t)h[0].pos.n_counts + h[0].neg.n_counts;
	double *counts;

	if (buckets > 0 && n > ((size_t)1 << 30) / (buckets * sizeof *counts))
		return false;
	counts = ARENA_ARRAY(a, n * buckets, double);
	if (counts == NULL || !ints_get(r, ints, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			h[i] = h[0];
	}
	for (size_t i = 0; i < n; i++) {
		h[i].reset = (uint8_t)(ints[i] & 3);
		h[i].pos.counts = counts + i * buckets;
		h[i].neg.counts = counts + i * buckets + h[i].pos.n_counts;
	}
	for (size_t k = 0; k < buckets + 3; k++) {
		if (!floats_get(r, column, n, ints))
			return false;
		for (size_t i = 0; i < n; i++) {
			if (k == 0)
				h[i].sum = column[i];
			else if (k == 1)
				h[i].count = column[i];
			else if (k == 2)
				h[i].zero_count = column[i];
			else
				counts[i * buckets + k - 3] = column[i];
		}
	}
	return true;
}

static bool get_hists(struct rd *r, struct cols *c, size_t n, int64_t *ints, struct arena *a)
{
	struct hist *layout = hist_code_get_layout(r, a), *h;
	double *column;
	struct err e;

	if (layout == NULL || !cols_need_hist(c))
		return false;
	h = ARENA_ARRAY(a, n, struct hist);
	column = ARENA_ARRAY(a, n, double);
	if (h == NULL || column == NULL)
		return false;
	h[0] = *layout;
	if (!get_hist_columns(r, h, n, ints, column, a))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (hist_check(&h[i], &e) != 0)
			return false;
		c->h[c->n + i] = &h[i];
		c->v[c->n + i] = 0;
	}
	return true;
}

static bool ascends_slowly(const int64_t *t, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (t[i - 1] >= t[i])
			return false;
	}
	return true;
}

#define NEAR (UINT64_C(1) << 61) /* no difference of times below that wraps */

/* Each above the one before: two at a time and without a way out, which would cost more. */
static bool ascends(const int64_t *t, size_t n)
{
	uint64_t __attribute__((vector_size(16))) a, b, below = {0, 0}, far = {0, 0};

	if (n < 2)
		return true;
	for (size_t i = 1; i + 2 <= n; i += 2) {
		memcpy(&a, t + i - 1, sizeof a);
		memcpy(&b, t + i, sizeof b);
		below |= b - a - 1;
		far |= a + NEAR;
	}
	if ((far[0] | far[1] | ((uint64_t)t[n - 2] + NEAR) | ((uint64_t)t[n - 1] + NEAR)) >> 62 !=
		0)
		return ascends_slowly(t, n);
	return (below[0] | below[1]) >> 63 == 0 && t[n - 2] < t[n - 1];
}

static bool get_rows(
	struct rd *r, unsigned kind, size_t n, struct cols *c, int64_t *ints, struct arena *a)
{
	if (!ints_get(r, c->t + c->n, n) || !ascends(c->t + c->n, n))
		return false;
	if (kind & KIND_START) {
		if (!cols_need_start(c) || !ints_get(r, c->start + c->n, n))
			return false;
	} else if (c->start != NULL) {
		memset(c->start + c->n, 0, n * sizeof *c->start);
	}
	if ((kind & ~(unsigned)KIND_START) == KIND_HISTS)
		return get_hists(r, c, n, ints, a);
	for (size_t i = 0; c->h != NULL && i < n; i++)
		c->h[c->n + i] = NULL;
	return floats_get(r, c->v + c->n, n, ints);
}

int codec_decode(struct str chunk, struct cols *c, struct arena *a, struct err *e)
{
	struct rd r = rd_of(chunk);
	unsigned kind = rd_u8(&r), plain = kind & ~(unsigned)KIND_START;
	uint64_t n = rd_varint(&r);
	int64_t UNINIT few[ROWS_STACK];
	int64_t *ints = few;
	bool ok;

	if (r.bad || (plain != KIND_FLOATS && plain != KIND_HISTS) || n == 0 || n > CODEC_ROWS)
		return malformed(e);
	if (n > ROWS_STACK)
		ints = malloc(n * sizeof *ints);
	if (ints == NULL || !cols_reserve(c, n)) {
		if (ints != few)
			free(ints);
		return err_set(e, ERR_LIMIT, 0, "no memory to read a chunk");
	}
	ok = get_rows(&r, kind, n, c, ints, a) && !rd_more(&r);
	if (ints != few)
		free(ints);
	if (a->failed || c->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to read a chunk");
	if (!ok)
		return malformed(e);
	c->n += n;
	return 0;
}
