/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept - which rows of a batch are taken: series are found or made, times and repeats checked.
 *
 * The accepted rows of a run end up at its front, first those in order, then the late ones. For
 * the common row this is a comparison with the series' last time; a late row is compared with
 * what stands at its time, in memory and on disk, which needs all earlier rows to be published:
 * then accept_runs stops and asks for a commit.
 */
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "storage/store_int.h"

/* The bounds that hold for the rows of one batch. */
struct gate {
	int64_t ahead;    /* newer is refused */
	int64_t in_order; /* older is refused, though in order within its series */
	int64_t late;     /* older is refused when late */
	bool rules;
};

static struct gate make_gate(const struct store *st, const struct batch *b)
{
	int64_t window = atomic_load(&st->ooo_window_ms);
	/* a clock that was set back must not shut out everything until it has caught up */
	bool set_back = st->newest > i64_add_sat(st->now, LIMIT_AHEAD_MS);
	int64_t newest = set_back ? st->now : st->newest;
	struct gate g = {.ahead = STORE_TIME_MAX,
		.in_order = -STORE_TIME_MAX,
		.late = -STORE_TIME_MAX,
		.rules = b->source == BATCH_RULES};

	if (b->source == BATCH_IMPORT || window == INT64_MAX)
		return g;
	g.ahead = i64_add_sat(st->now, LIMIT_AHEAD_MS);
	g.late = MAX_OF(i64_sub_sat(newest, window), -STORE_TIME_MAX);
	g.in_order =
		MAX_OF(i64_sub_sat(newest, MAX_OF(window, STORE_IN_ORDER_MS)), -STORE_TIME_MAX);
	if (g.rules) /* they write at their time: late ones only when the clock was set back */
		g.late = g.in_order;
	return g;
}

static void count_refusal(enum batch_refusal why, size_t rows)
{
	switch (why) {
	case REFUSED_TOO_OLD: METRIC_DROP("storage", "too_old", rows); break;
	case REFUSED_TOO_NEW: METRIC_DROP("storage", "too_new", rows); break;
	case REFUSED_DUPLICATE: METRIC_DROP("storage", "duplicate", rows); break;
	case REFUSED_SERIES_LIMIT: METRIC_DROP("storage", "series_limit", rows); break;
	case REFUSED_NONE:
	case REFUSED_LABELS:
	case REFUSED_HISTOGRAM:
	case REFUSED_KINDS: METRIC_DROP("storage", "unknown_series", rows); break;
	}
}

static void note_row(struct batch *b, const struct batch_run *r, struct store *st,
	enum batch_refusal why, size_t row)
{
	static const char *const text[REFUSED_KINDS] = {
		[REFUSED_TOO_OLD] = "too old",
		[REFUSED_TOO_NEW] = "too far ahead of the clock",
		[REFUSED_DUPLICATE] = "another value stands at this time",
		[REFUSED_SERIES_LIMIT] = "storage.max_series is reached",
		[REFUSED_LABELS] = "the series is no longer known",
	};
	char name[180] = "";
	struct buf out;
	struct labels ls = r->ls;

	if (b->result.first == REFUSED_NONE) {
		const struct series *s = index_get(&st->index, r->id);

		if (ls.n == 0 && s != NULL)
			ls = index_labels(&st->index, s, &b->a);
		buf_init(&out, 4096 + 64 * LIMIT_LABEL_NAME);
		labels_print(&out, ls, true);
		if (out.p != NULL) {
			size_t n = MIN_OF(out.n, sizeof name - 1);

			memcpy(name, out.p, n);
			name[n] = 0;
		}
		buf_fini(&out);
	}
	count_refusal(why, 1);
	batch_note(b, why, 1, "%s at %lld: %s", name, (long long)b->t[row],
		text[why] != NULL ? text[why] : "refused");
}

/* Find or make the series of a run; false when its rows were refused. */
static bool resolve(struct store *st, struct batch *b, struct batch_run *r, const struct gate *g)
{
	struct series *s;
	bool any = false;

	if (r->ls.n > 0)
		r->id = index_find(&st->index, r->ls, r->hash);
	s = index_get(&st->index, r->id);
	if (s != NULL && s->hd != NULL)
		return true;
	if (s == NULL && r->ls.n == 0) {
		note_row(b, r, st, REFUSED_LABELS, r->first);
		b->result.refused[REFUSED_LABELS] += r->n - 1;
		return false;
	}
	for (uint32_t i = r->first; s == NULL && i < r->first + r->n && !any; i++)
		any = b->t[i] <= g->ahead && b->t[i] >= g->in_order;
	if (s == NULL && !any) {
		for (uint32_t i = r->first; i < r->first + r->n; i++)
			note_row(b, r, st, b->t[i] > g->ahead ? REFUSED_TOO_NEW : REFUSED_TOO_OLD,
				i);
		return false;
	}
	if (st->head.n >= atomic_load(&st->max_series) || st->index.n_series >= LIMIT_MAX_SERIES) {
		METRIC_LIMIT("max_series");
		for (uint32_t i = r->first; i < r->first + r->n; i++)
			note_row(b, r, st, REFUSED_SERIES_LIMIT, i);
		r->id = 0;
		return false;
	}
	store_wrlock(st);
	if (s == NULL)
		r->id = index_add(&st->index, r->ls, r->hash);
	if (r->id != 0)
		(void)head_get(&st->head, r->id);
	store_unlock(st);
	if (r->id == 0)
		note_row(b, r, st, REFUSED_SERIES_LIMIT, r->first);
	return r->id != 0;
}

/* What a late row is compared with. */
struct known {
	struct cols cols;
	struct arena arena;
	bool loaded;
};

static int load_known(struct store *st, const struct batch *b, const struct batch_run *r,
	uint32_t from, struct known *k, struct err *e)
{
	int64_t lo = INT64_MAX, hi = INT64_MIN;

	for (uint32_t i = from; i < r->first + r->n; i++) {
		lo = MIN_OF(lo, b->t[i]);
		hi = MAX_OF(hi, b->t[i]);
	}
	cols_init(&k->cols);
	arena_init(&k->arena, (size_t)256 << 20);
	k->loaded = true;
	return series_read(st, r->id, lo, hi, &k->cols, &k->arena, NULL, e);
}

static size_t find_time(const int64_t *t, size_t n, int64_t x)
{
	size_t lo = 0, left = n;

	while (left > 0) {
		size_t half = left / 2;

		if (t[lo + half] < x) {
			lo += half + 1;
			left -= half + 1;
		} else {
			left = half;
		}
	}
	return lo < n && t[lo] == x ? lo : SIZE_MAX;
}

static const struct hist *row_hist(const struct batch *b, size_t i)
{
	return b->h != NULL ? b->h[i] : NULL;
}

/* 0: nothing stands at the row's time; 1: the same value; 2: another. */
static int compare_late(
	const struct batch *b, const struct batch_run *r, uint32_t row, const struct known *k)
{
	size_t at = find_time(k->cols.t, k->cols.n, b->t[row]);
	uint32_t end = r->first + r->in_order + r->late;

	if (at != SIZE_MAX)
		return cols_same_value(k->cols.v[at], k->cols.h ? k->cols.h[at] : NULL, b->v[row],
			       row_hist(b, row))
			       ? 1
			       : 2;
	at = find_time(b->t + r->first, r->in_order, b->t[row]);
	if (at == SIZE_MAX) { /* late rows of this run: few, in order of arrival */
		for (uint32_t i = r->first + r->in_order; i < end; i++) {
			if (b->t[i] == b->t[row])
				at = i - r->first;
		}
	}
	if (at == SIZE_MAX)
		return 0;
	at += r->first;
	return cols_same_value(b->v[at], row_hist(b, at), b->v[row], row_hist(b, row)) ? 1 : 2;
}

/* Move row i behind the accepted rows of its kind. The rows between are not yet looked at, or
 * refused. */
static void take_row(struct batch *b, struct batch_run *r, uint32_t i, bool late)
{
	uint32_t to = r->first + r->in_order + r->late;

	if (i != to)
		batch_swap(b, i, to);
	if (late) {
		r->late++;
		return;
	}
	if (r->late > 0) /* keep the rows in order in front; late ones have no order */
		batch_swap(b, to, r->first + r->in_order);
	r->in_order++;
}

/* An evaluation that a crash interrupted, done once more: what was written first stays. */
static void repeated_by_rule(struct batch *b)
{
	METRIC_DROP("storage", "rules_repeated", 1);
	b->result.stored++;
}

static void take_late(struct store *st, struct batch *b, struct batch_run *r, uint32_t row,
	const struct gate *g, struct known *k)
{
	struct err e;
	int same;

	if (g->rules && b->t[row] == index_get(&st->index, r->id)->hd->last_t) {
		repeated_by_rule(b);
		return;
	}
	if (b->t[row] < g->late) {
		note_row(b, r, st, REFUSED_TOO_OLD, row);
		return;
	}
	if (!k->loaded && load_known(st, b, r, row, k, &e) != 0) {
		log_warn("storage", "msg=\"late samples are not compared\" err=\"%s\"", e.msg);
		k->cols.n = 0;
	}
	same = compare_late(b, r, row, k);
	if (same == 2 && g->rules) {
		repeated_by_rule(b);
		return;
	}
	if (same == 2) {
		note_row(b, r, st, REFUSED_DUPLICATE, row);
		return;
	}
	b->result.stored++;
	if (same == 0)
		take_row(b, r, row, true);
}

static void touch(const struct store *st, struct head_series *hd)
{
	hd->group = st->group;
	hd->seen_s = st->head.now_s;
}

/* True when row i repeats the last one: nothing is to be done. */
static bool repeats_last(const struct head_series *hd, const struct batch *b, uint32_t i)
{
	return b->t[i] == hd->last_t && hd->last_known && row_hist(b, i) == NULL &&
	       f64_bits(b->v[i]) == f64_bits(hd->last_v);
}

/* Of what was taken now: a series that is ahead of a clock that was set back says nothing. An
 * import of the far future moves no window. */
static void note_newest(struct store *st, const struct batch *b, const struct batch_run *r)
{
	int64_t most = i64_add_sat(st->now, LIMIT_AHEAD_MS);
	uint32_t end = r->first + r->in_order + r->late;

	for (uint32_t i = r->first; i < end; i++)
		st->newest = MAX_OF(st->newest, MIN_OF(b->t[i], most));
}

static void accept_run(struct store *st, struct batch *b, struct batch_run *r, const struct gate *g)
{
	struct head_series *hd = index_get(&st->index, r->id)->hd;
	struct known k = {.loaded = false};

	for (uint32_t i = r->first; i < r->first + r->n; i++) {
		int64_t t = b->t[i];

		if (t > g->ahead || t > STORE_TIME_MAX) {
			note_row(b, r, st, REFUSED_TOO_NEW, i);
		} else if (t < -STORE_TIME_MAX) {
			note_row(b, r, st, REFUSED_TOO_OLD, i);
		} else if (t > hd->last_t) {
			if (t < g->in_order) {
				note_row(b, r, st, REFUSED_TOO_OLD, i);
				continue;
			}
			hd->last_t = t;
			hd->last_v = b->v[i];
			hd->last_known = row_hist(b, i) == NULL;
			b->result.stored++;
			take_row(b, r, i, false);
		} else if (repeats_last(hd, b, i)) {
			b->result.stored++;
		} else {
			take_late(st, b, r, i, g, &k);
		}
	}
	if (k.loaded) {
		cols_fini(&k.cols);
		arena_fini(&k.arena);
	}
	note_newest(st, b, r);
	touch(st, hd);
}

/* Rows that are not above the series' last one are compared with what is published. */
static bool has_late(const struct head_series *hd, const struct batch *b, const struct batch_run *r)
{
	for (uint32_t i = r->first; i < r->first + r->n; i++) {
		if (b->t[i] <= hd->last_t && !repeats_last(hd, b, i))
			return true;
	}
	return false;
}

/* Ids are scattered over memory: ask for what the coming runs need. */
static inline void prefetch(const struct store *st, const struct batch *b, size_t i)
{
	if (i + 12 < b->n_runs)
		index_prefetch(&st->index, b->runs[i + 12].id);
	if (i + 6 < b->n_runs) {
		const struct series *s = index_get(&st->index, b->runs[i + 6].id);

		if (s != NULL)
			__builtin_prefetch((const char *)s->hd + 64);
	}
}

size_t accept_runs(struct store *st, struct batch *b, size_t from)
{
	struct gate g = make_gate(st, b);

	for (size_t i = from; i < b->n_runs; i++) {
		struct batch_run *r = &b->runs[i];
		struct series *s;

		prefetch(st, b, i);
		if (r->n == 0) {
			if (r->ls.n > 0)
				r->id = index_find(&st->index, r->ls, r->hash);
			continue;
		}
		if (!resolve(st, b, r, &g))
			continue;
		s = index_get(&st->index, r->id);
		if (s->hd->group == st->group && has_late(s->hd, b, r))
			return i;
		if (!s->logged)
			writer_log_series(st, r->id);
		accept_run(st, b, r, &g);
	}
	return b->n_runs;
}
