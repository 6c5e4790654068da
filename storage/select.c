/* SPDX-License-Identifier: Apache-2.0 */
/* select - store_select and its set; the newest sample of a series; see store.h. */
#include <stdlib.h>

#include "base/num.h"
#include "base/stop.h"
#include "storage/find.h"
#include "storage/read_ahead.h"
#include "storage/store_int.h"

#define LABEL_SLICE  2000u
#define DECODE_BYTES ((size_t)512 << 20) /* histograms of one series in one fetch */

struct sel_entry {
	struct labels ls;
	uint32_t id;
};

/* Fetches one after the other of the same time are read ahead. */
struct in_order {
	size_t next; /* the series that goes on with it */
	size_t n;    /* fetches in order so far */
	size_t warm; /* series before this one were asked for */
	int64_t mint, maxt;
	uint32_t *ids; /* of all series, for the helper */
	struct read_ahead *ahead;
	bool alone; /* no helper was to be had */
};

struct store_sel {
	struct store *st;
	struct sel_entry *v;
	size_t n;
	struct cols cols;
	struct arena arena;
	struct read_memo memo;
	struct in_order order;
};

static int by_labels(const void *a, const void *b)
{
	const struct sel_entry *x = a, *y = b;

	return labels_cmp(x->ls, y->ls);
}

/* The series that come next, and the pairs of those that come before them. */
static void ask_ahead(const struct index *x, const struct id_list *ids, size_t i)
{
	const struct series *s;

	if (i + 8 < ids->n)
		index_prefetch(x, ids->v[i + 8]);
	if (i + 4 < ids->n && (s = index_get(x, ids->v[i + 4])) != NULL)
		__builtin_prefetch(s->pairs);
}

static void take_labels(struct store_sel *sel, const struct id_list *ids, struct arena *a)
{
	for (size_t i = 0; i < ids->n && !a->failed && !stop_asked();) {
		size_t end = MIN_OF(i + LABEL_SLICE, ids->n);

		store_rdlock(sel->st);
		for (; i < end; i++) {
			const struct series *s = index_get(&sel->st->index, ids->v[i]);

			ask_ahead(&sel->st->index, ids, i);
			if (s == NULL)
				continue;
			sel->v[sel->n].ls = index_labels(&sel->st->index, s, a);
			sel->v[sel->n++].id = ids->v[i];
		}
		store_unlock(sel->st);
	}
}

int store_select(struct store *st, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct store_sel **out, struct err *e)
{
	struct id_list ids;
	struct store_sel *sel;

	*out = NULL;
	if (find_series(st, m, n, mint, maxt, &ids, e) != 0)
		return -1;
	sel = calloc(1, sizeof *sel);
	if (sel == NULL || (sel->v = calloc(MAX_OF(ids.n, 1), sizeof *sel->v)) == NULL) {
		free(sel);
		free(ids.v);
		return err_set(e, ERR_LIMIT, 0, "no memory for a selection");
	}
	sel->st = st;
	cols_init(&sel->cols);
	arena_init(&sel->arena, DECODE_BYTES);
	take_labels(sel, &ids, a);
	free(ids.v);
	if (a->failed) {
		store_sel_close(sel);
		return err_set(e, ERR_LIMIT, 0, "too many series for the memory of a query");
	}
	stop_sort(sel->v, sel->n, sizeof *sel->v, by_labels);
	if (stop_check(e) != 0) {
		store_sel_close(sel);
		return -1;
	}
	*out = sel;
	return 0;
}

size_t store_sel_count(const struct store_sel *sel)
{
	return sel->n;
}

struct labels store_sel_labels(const struct store_sel *sel, size_t i)
{
	return sel->v[i].ls;
}

static void end_order(struct in_order *o)
{
	read_ahead_stop(o->ahead);
	o->ahead = NULL;
	o->n = 0;
}

static void read_ahead_from(struct store_sel *sel, size_t i)
{
	struct in_order *o = &sel->order;

	if (o->ids == NULL) {
		o->ids = calloc(sel->n, sizeof *o->ids);
		for (size_t k = 0; o->ids != NULL && k < sel->n; k++)
			o->ids[k] = sel->v[k].id;
	}
	if (o->ids != NULL)
		o->ahead = read_ahead_start(sel->st, o->ids, sel->n, i, o->mint, o->maxt);
	o->alone = o->ahead == NULL;
}

/* Fetches in order: the next ones' memory is asked for at once. */
static void warm_from(struct store_sel *sel, size_t i)
{
	uint32_t ids[WARM_SERIES];
	size_t n = 0;

	for (; n < WARM_SERIES && i + n < sel->n; n++)
		ids[n] = sel->v[i + n].id;
	series_warm(sel->st, ids, n, sel->order.mint, sel->order.maxt, &sel->memo);
	sel->order.warm = i + n;
}

/* What a helper read of series i, or NULL. */
static const struct cols *from_ahead(struct store_sel *sel, size_t i, int64_t mint, int64_t maxt)
{
	struct in_order *o = &sel->order;

	if (i != o->next || mint != o->mint || maxt != o->maxt) {
		end_order(o);
		o->warm = i + 1; /* the first alone: it finds the directories */
	}
	o->next = i + 1;
	o->mint = mint;
	o->maxt = maxt;
	if (o->ahead == NULL && !o->alone && ++o->n > READ_AHEAD_AFTER &&
		sel->n - i >= READ_AHEAD_LEAST)
		read_ahead_from(sel, i);
	return o->ahead != NULL ? read_ahead_next(o->ahead, i) : NULL;
}

int store_sel_fetch(struct store_sel *sel, size_t i, int64_t mint, int64_t maxt,
	struct store_cols *out, struct err *e)
{
	const struct cols *ahead = from_ahead(sel, i, mint, maxt), *c = &sel->cols;

	*out = (struct store_cols){0};
	if (ahead != NULL) {
		c = ahead;
	} else {
		if (i >= sel->order.warm)
			warm_from(sel, i);
		cols_reset(&sel->cols);
		arena_reset(&sel->arena);
		if (series_read(sel->st, sel->v[i].id, mint, maxt, &sel->cols, &sel->arena,
			    &sel->memo, e) != 0)
			return -1;
	}
	*out = (struct store_cols){.n = c->n, .t = c->t, .v = c->v, .h = c->h, .start = c->start};
	return 0;
}

void store_sel_close(struct store_sel *sel)
{
	if (sel == NULL)
		return;
	end_order(&sel->order);
	free(sel->order.ids);
	read_memo_fini(&sel->memo);
	cols_fini(&sel->cols);
	arena_fini(&sel->arena);
	free(sel->v);
	free(sel);
}

static bool is_stale(const struct cols *c, size_t i)
{
	return is_stale_nan(c->h != NULL && c->h[i] != NULL ? c->h[i]->sum : c->v[i]);
}

bool store_last_sample(struct store *st, struct labels ls, struct arena *a, int64_t *t, double *v,
	const struct hist **h)
{
	uint32_t id = store_find_series(st, ls, labels_hash(ls));
	int64_t mint = INT64_MAX, maxt = INT64_MIN, width = 3600000;
	const struct series *s;
	struct cols c;
	struct err e;
	bool found = false;

	store_rdlock(st);
	s = index_get(&st->index, id);
	if (s != NULL) {
		mint = s->mint;
		maxt = s->maxt;
	}
	store_unlock(st);
	cols_init(&c);
	while (!found && mint <= maxt) {
		int64_t from = MAX_OF(mint, i64_sub_sat(maxt, width));

		cols_reset(&c);
		if (series_read(st, id, from, maxt, &c, a, NULL, &e) != 0)
			break;
		for (size_t i = c.n; i > 0 && !found; i--) {
			if (is_stale(&c, i - 1))
				continue;
			found = true;
			*t = c.t[i - 1];
			*v = c.v[i - 1];
			*h = c.h != NULL ? c.h[i - 1] : NULL;
		}
		if (from == mint)
			break;
		maxt = from - 1;
		width = width > INT64_MAX / 8 ? width : width * 8;
	}
	cols_fini(&c);
	return found;
}
