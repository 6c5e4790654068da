/* SPDX-License-Identifier: Apache-2.0 */
/* head - open strips, closed strips and late rows in memory; see head.h. */
#include "storage/head.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/uninit.h"
#include "storage/part.h"

void head_init(struct head *h, struct index *x)
{
	*h = (struct head){.index = x};
	cells_init(&h->cells);
}

static void late_free(struct late *l)
{
	for (uint32_t i = 0; l != NULL && i < l->n; i++)
		free(l->rows[i].h);
	free(l);
}

static void series_free(struct head *h, struct head_series *hd)
{
	strip_fini(&h->cells, &hd->open);
	late_free(hd->late);
	free(hd);
}

void head_fini(struct head *h)
{
	for (size_t i = h->first_closed; i < h->n_closed; i++)
		free(h->closed[i]);
	for (uint32_t i = 0; i < h->n; i++)
		series_free(h, h->v[i]);
	free(h->v);
	free(h->closed);
	cells_fini(&h->cells);
	head_init(h, h->index);
}

static void *must(void *p)
{
	ASSERT(p !=
		NULL); /* the samples are committed: without memory for them there's no going on */
	return p;
}

struct head_series *head_get(struct head *h, uint32_t id)
{
	struct series *s = index_get(h->index, id);
	struct head_series *hd;

	ASSERT(s != NULL);
	if (s->hd != NULL)
		return s->hd;
	hd = must(calloc(1, sizeof *hd));
	hd->id = id;
	hd->last_t = hd->disk_maxt = s->maxt;
	hd->seen_s = h->now_s;
	hd->slot = h->n;
	if (h->n == h->cap) {
		h->cap = h->cap + h->cap / 4 + 256;
		h->v = must(realloc(h->v, h->cap * sizeof(struct head_series *)));
	}
	h->v[h->n++] = hd;
	s->hd = hd;
	return hd;
}

void head_evict(struct head *h, struct head_series *hd)
{
	struct series *s = index_get(h->index, hd->id);

	ASSERT(hd->closed == NULL);
	ASSERT(hd->open.n == 0);
	ASSERT(hd->late == NULL);
	h->v[hd->slot] = h->v[--h->n];
	h->v[hd->slot]->slot = hd->slot;
	s->hd = NULL;
	series_free(h, hd);
}

static void add_closed(struct head *h, struct head_series *hd, struct closed *c)
{
	if (h->n_closed == h->cap_closed) {
		h->cap_closed = h->cap_closed * 2 + 256;
		h->closed = must(realloc(h->closed, h->cap_closed * sizeof(struct closed *)));
	}
	h->closed[h->n_closed++] = c;
	h->closed_bytes += sizeof *c + c->len;
	c->series = hd->id;
	c->next = hd->closed;
	hd->closed = c;
}

void head_add_closed(
	struct head *h, struct head_series *hd, const struct closed *like, struct str bytes)
{
	struct closed *c = must(malloc(sizeof *c + bytes.n));

	*c = *like;
	c->len = (uint32_t)bytes.n;
	if (bytes.n > 0)
		memcpy(c->bytes, bytes.p, bytes.n);
	add_closed(h, hd, c);
}

/* Close a strip whose rows all lie in the partition given. */
static void close_strip(
	struct head *h, struct head_series *hd, struct strip *s, uint8_t level, int64_t part_start)
{
	struct closed *c;

	ASSERT(s->n > 0);
	ASSERT(strip_finish(&h->cells, s));
	c = must(malloc(sizeof *c + s->bytes.len));
	*c = (struct closed){.mint = s->t0,
		.maxt = s->t,
		.part_start = part_start,
		.level = level,
		.len = s->bytes.len};
	chain_copy(&h->cells, &s->bytes, c->bytes);
	add_closed(h, hd, c);
}

void head_close_open(struct head *h, struct head_series *hd)
{
	if (hd->open.n == 0)
		return;
	close_strip(h, hd, &hd->open, hd->level, hd->part_start);
	strip_fini(&h->cells, &hd->open);
}

static void widen(struct head *h, uint32_t id, int64_t t)
{
	struct series *s = index_get(h->index, id);

	s->mint = MIN_OF(s->mint, t);
	s->maxt = MAX_OF(s->maxt, t);
}

static void open_at(struct head *h, struct head_series *hd, int64_t t)
{
	part_bounds(t, h->now, &hd->level, &hd->part_start, &hd->part_end);
}

/* Series that begin together would fill and close their strips together for ever: first strips
 * close at different sizes. */
static bool is_first_full(const struct head_series *hd)
{
	return hd->disk_maxt == INT64_MIN && hd->closed == NULL &&
	       hd->open.bytes.len >= STRIP_BYTES / 4 * (1 + hd->id % 4) &&
	       hd->open.bytes.len < STRIP_BYTES;
}

void head_append(struct head *h, struct head_series *hd, int64_t t, double v,
	const struct hist *hist, int64_t start)
{
	if (hd->open.n > 0 && (t >= hd->part_end || is_first_full(hd)))
		head_close_open(h, hd);
	if (hd->open.n == 0)
		open_at(h, hd, t);
	if (!strip_append(&h->cells, &hd->open, t, v, hist, start)) {
		head_close_open(h, hd);
		open_at(h, hd, t);
		ASSERT(strip_append(&h->cells, &hd->open, t, v, hist, start));
	}
	widen(h, hd->id, t);
	if (t >= hd->last_t) {
		hd->last_t = t;
		hd->last_v = v;
		hd->last_known = hist == NULL;
	}
}

static uint32_t late_find(const struct late *l, int64_t t)
{
	uint32_t lo = 0, n = l->n;

	if (n == 0 || l->rows[n - 1].t < t)
		return n;
	while (n > 0) {
		uint32_t half = n / 2;

		if (l->rows[lo + half].t < t) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

static void late_grow(struct head *h, struct head_series *hd)
{
	struct late *l = hd->late;
	uint32_t cap = l == NULL ? 4 : l->cap * 2;

	l = must(realloc(l, sizeof *l + cap * sizeof *l->rows));
	if (hd->late == NULL)
		l->n = l->cap = 0;
	h->late_bytes += (cap - l->cap) * sizeof *l->rows;
	l->cap = cap;
	hd->late = l;
}

void head_late(struct head *h, struct head_series *hd, int64_t t, double v, const struct hist *hist,
	int64_t start)
{
	struct late *l;
	uint32_t i;

	if (hd->late != NULL && hd->late->n >= HEAD_LATE_ROWS)
		head_close_late(h, hd);
	if (hd->late == NULL || hd->late->n == hd->late->cap)
		late_grow(h, hd);
	l = hd->late;
	i = late_find(l, t);
	if (i < l->n && l->rows[i].t == t)
		return;
	memmove(&l->rows[i + 1], &l->rows[i], (l->n - i) * sizeof *l->rows);
	l->rows[i] = (struct late_row){.t = t, .start = start, .v = v};
	if (hist != NULL)
		l->rows[i].h = must(strip_hist_dup(hist));
	l->n++;
	widen(h, hd->id, t);
	if (t > hd->last_t) { /* only at replay, after samples that were not journalled */
		hd->last_t = t;
		hd->last_known = false;
	}
}

void head_close_late(struct head *h, struct head_series *hd)
{
	struct late *l = hd->late;
	int64_t start = 0, end = INT64_MIN;
	uint8_t level = 0;
	struct strip s;

	if (l == NULL)
		return;
	strip_init(&s);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct late_row *r = &l->rows[i];

		if (s.n > 0 &&
			(r->t >= end || !strip_append(&h->cells, &s, r->t, r->v, r->h, r->start))) {
			close_strip(h, hd, &s, level, start);
			strip_fini(&h->cells, &s);
		} else if (s.n > 0) {
			continue;
		}
		part_bounds(r->t, h->now, &level, &start, &end);
		ASSERT(strip_append(&h->cells, &s, r->t, r->v, r->h, r->start));
	}
	if (s.n > 0)
		close_strip(h, hd, &s, level, start);
	strip_fini(&h->cells, &s);
	h->late_bytes -= l->cap * sizeof *l->rows;
	late_free(l);
	hd->late = NULL;
}

/* --- order --- */

struct keyed {
	uint64_t key; /* place of the partition, then series */
	struct closed *c;
};

struct place {
	int64_t start;
	uint8_t level;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (int)x->level - (int)y->level;
}

/* The distinct partitions of the strips, sorted; their number. */
static size_t list_places(struct closed *const *v, size_t n, struct place **out)
{
	struct place *p = must(malloc(n * sizeof *p));
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) { /* runs of one partition are the rule */
		struct place x = {v[i]->part_start, v[i]->level};

		if (kept == 0 || by_place(&p[kept - 1], &x) != 0)
			p[kept++] = x;
	}
	qsort(p, kept, sizeof *p, by_place);
	n = 0;
	for (size_t i = 0; i < kept; i++) {
		if (n == 0 || by_place(&p[n - 1], &p[i]) != 0)
			p[n++] = p[i];
	}
	*out = p;
	return n;
}

static size_t find_place(const struct place *p, size_t n, struct place x)
{
	size_t lo = 0;

	while (n > 1) {
		size_t half = n / 2;

		if (by_place(&p[lo + half], &x) <= 0)
			lo += half;
		n -= half;
	}
	return lo;
}

/* Stable, least significant digits first: the order of closing stays within a series. */
static void radix_sort(struct keyed *v, struct keyed *tmp, size_t n, unsigned bits)
{
	for (unsigned shift = 0; shift < bits; shift += 11) {
		size_t at[2049] = {0};
		struct keyed *swap = v;

		for (size_t i = 0; i < n; i++)
			at[(v[i].key >> shift & 2047) + 1]++;
		for (size_t d = 1; d < 2049; d++)
			at[d] += at[d - 1];
		for (size_t i = 0; i < n; i++)
			tmp[at[v[i].key >> shift & 2047]++] = v[i];
		v = tmp;
		tmp = swap;
	}
}

void head_sort_closed(struct head *h)
{
	struct closed **v = h->closed + h->first_closed;
	size_t n = h->n_closed - h->first_closed, places, last = 0;
	struct keyed *k, *tmp;
	struct place *p;

	h->sorted_closed = h->n_closed;
	if (n < 2)
		return;
	places = list_places(v, n, &p);
	k = must(malloc(2 * n * sizeof *k));
	tmp = k + n;
	for (size_t i = 0; i < n; i++) {
		struct place x = {v[i]->part_start, v[i]->level};

		if (by_place(&p[last], &x) != 0)
			last = find_place(p, places, x);
		k[i] = (struct keyed){(uint64_t)last << 32 | v[i]->series, v[i]};
	}
	radix_sort(k, tmp, n, places > 1 ? 66 : 44); /* an even number of passes ends in k */
	for (size_t i = 0; i < n; i++)
		v[i] = k[i].c;
	free(k);
	free(p);
}

static void unlink_closed(struct head *h, struct closed *c)
{
	struct series *s = index_get(h->index, c->series);
	struct closed **p = &s->hd->closed;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	s->hd->disk_maxt = MAX_OF(s->hd->disk_maxt, c->maxt);
	h->closed_bytes -= sizeof *c + c->len;
	free(c);
}

void head_drop_closed(struct head *h, size_t n)
{
	size_t left;

	ASSERT(h->first_closed + n <= h->sorted_closed);
	for (size_t i = 0; i < n; i++)
		unlink_closed(h, h->closed[h->first_closed + i]);
	h->first_closed += n;
	left = h->n_closed - h->first_closed;
	if (left == 0 || (h->first_closed == h->sorted_closed && left < h->first_closed)) {
		if (left > 0)
			memmove(h->closed, h->closed + h->first_closed,
				left * sizeof(struct closed *));
		h->first_closed = h->sorted_closed = 0;
		h->n_closed = left;
	}
}

void head_forget_accepted(struct head *h, struct head_series *hd)
{
	const struct series *s = index_get(h->index, hd->id);

	hd->last_t = s->maxt;
	hd->last_known = hd->open.n > 0 && hd->open.t == s->maxt && hd->open.extra == NULL;
	if (hd->last_known)
		hd->last_v = f64_from_bits(hd->open.bits);
}

static int read_open(
	const struct head *h, const struct strip *s, struct cols *c, struct arena *a, struct err *e)
{
	uint8_t UNINIT few[1024];
	void *p = strip_copy(&h->cells, s, few, sizeof few);
	int rc;

	if (p == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory to read recent samples");
	rc = strip_decode(str_n(p, s->bytes.len), s->run, c, a, e);
	if (p != few)
		free(p);
	return rc;
}

int head_read(const struct head *h, const struct head_series *hd, int64_t mint, int64_t maxt,
	struct cols *c, struct arena *a, struct err *e)
{
	const struct late *l = hd->late;

	for (const struct closed *k = hd->closed; k != NULL; k = k->next) {
		if (k->mint <= maxt && k->maxt >= mint &&
			strip_decode(str_n((const char *)k->bytes, k->len), 0, c, a, e) != 0)
			return -1;
	}
	if (hd->open.n > 0 && hd->open.t0 <= maxt && hd->open.t >= mint &&
		read_open(h, &hd->open, c, a, e) != 0)
		return -1;
	for (uint32_t i = l != NULL ? late_find(l, mint) : 0; l != NULL && i < l->n; i++) {
		const struct late_row *r = &l->rows[i];
		const struct hist *copy = r->h != NULL ? hist_copy(a, r->h) : NULL;

		if (r->t > maxt)
			break;
		cols_push(c, r->t, r->v, copy, r->start);
	}
	if (c->failed || a->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to read recent samples");
	return 0;
}

size_t head_memory(const struct head *h)
{
	return cells_memory(&h->cells) + h->closed_bytes + h->late_bytes + h->cap * sizeof(void *) +
	       h->cap_closed * sizeof(void *) + h->n * (sizeof(struct head_series) + 8);
}

void head_check(const struct head *h)
{
	size_t closed = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		const struct head_series *hd = h->v[i];
		const struct series *s = index_get(h->index, hd->id);

		ASSERT(hd->slot == i);
		ASSERT(s != NULL && s->hd == hd);
		ASSERT(hd->open.n == 0 || hd->open.t <= s->maxt);
		for (const struct closed *c = hd->closed; c != NULL; c = c->next) {
			ASSERT(c->series == hd->id);
			ASSERT(c->mint >= s->mint && c->maxt <= s->maxt);
			closed++;
		}
		for (uint32_t k = 1; hd->late != NULL && k < hd->late->n; k++)
			ASSERT(hd->late->rows[k - 1].t < hd->late->rows[k].t);
	}
	ASSERT(closed == h->n_closed - h->first_closed);
}
