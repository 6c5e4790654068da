/* SPDX-License-Identifier: Apache-2.0 */
/* overlay - see overlay.h. */
#include "rules/overlay.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/num.h"
#include "rules/rule_plan.h"

struct overlay_name {
	struct str name; /* of the first series' labels */
	struct overlay_series **v;
	size_t n, cap;
};

struct overlay_block {
	struct overlay_block *next;
	struct arena arena;
	int64_t until_ms; /* the newest sample in it */
};

#define BLOCK_BYTES ((size_t)16 << 20)

/* --- life --- */

static const struct rule_def **all_rules(const struct rule_set *rs, size_t *n)
{
	const struct rule_def **v =
		calloc(rs->n_rules > 0 ? rs->n_rules : 1, sizeof(const struct rule_def *));

	ASSERT(v != NULL);
	*n = 0;
	for (size_t g = 0; g < rs->n; g++) {
		for (size_t i = 0; i < rs->groups[g].n; i++)
			v[(*n)++] = &rs->groups[g].rules[i];
	}
	return v;
}

void overlay_init(struct overlay *o, const struct select_source *base, const struct rule_set *rs,
	int64_t from_ms, size_t max_bytes)
{
	*o = (struct overlay){.base = base, .from_ms = from_ms, .max_bytes = max_bytes};
	map_init(&o->series);
	map_init(&o->by_name);
	o->writers = all_rules(rs, &o->n_writers);
}

static void block_free(struct overlay *o, struct overlay_block *b)
{
	o->bytes -= MIN_OF(o->bytes, b->arena.used);
	arena_fini(&b->arena);
	free(b);
}

void overlay_fini(struct overlay *o)
{
	struct overlay_name *nm;
	size_t pos = 0;

	for (size_t i = 0; i < o->n; i++) {
		labels_unclone(o->v[i]->labels);
		free(o->v[i]->t);
		free(o->v[i]->v);
		free(o->v[i]->h);
		free(o->v[i]);
	}
	while ((nm = map_each(&o->by_name, &pos)) != NULL) {
		free(nm->v);
		free(nm);
	}
	while (o->blocks != NULL) {
		struct overlay_block *next = o->blocks->next;

		block_free(o, o->blocks);
		o->blocks = next;
	}
	map_fini(&o->series);
	map_fini(&o->by_name);
	free(o->writers);
	free(o->v);
}

/* --- writing --- */

static struct overlay_name *find_name(const struct overlay *o, struct str name)
{
	struct map_iter it;

	for (struct overlay_name *nm = map_first(&o->by_name, hash_str(name), &it); nm != NULL;
		nm = map_next(&o->by_name, &it)) {
		if (str_eq(nm->name, name))
			return nm;
	}
	return NULL;
}

/* Room for one more pointer. */
static struct overlay_series **grown(struct overlay_series **v, size_t n, size_t *cap)
{
	struct overlay_series **p = v;

	if (n < *cap)
		return v;
	*cap = *cap * 2 + 8;
	p = realloc(v, *cap * sizeof(struct overlay_series *));
	ASSERT(p != NULL);
	return p;
}

static void add_name(struct overlay *o, struct overlay_series *s)
{
	struct str name = labels_get(s->labels, LABEL_NAME);
	struct overlay_name *nm = find_name(o, name);

	if (nm == NULL) {
		nm = calloc(1, sizeof *nm);
		ASSERT(nm != NULL);
		nm->name = name;
		map_add(&o->by_name, hash_str(name), nm);
	}
	nm->v = grown(nm->v, nm->n, &nm->cap);
	nm->v[nm->n++] = s;
}

struct overlay_series *overlay_series(struct overlay *o, struct labels ls, uint64_t hash)
{
	struct overlay_series *s;
	struct map_iter it;

	for (s = map_first(&o->series, hash, &it); s != NULL; s = map_next(&o->series, &it)) {
		if (labels_eq(s->labels, ls))
			return s;
	}
	if (o->bytes >= o->max_bytes)
		return NULL;
	s = calloc(1, sizeof *s);
	ASSERT(s != NULL);
	s->labels = labels_clone(ls);
	s->hash = hash;
	map_add(&o->series, hash, s);
	o->v = grown(o->v, o->n, &o->cap);
	o->v[o->n++] = s;
	add_name(o, s);
	o->bytes += sizeof *s + 64 * (ls.n + 1);
	return s;
}

static const struct hist *keep_hist(struct overlay *o, const struct hist *h, int64_t t)
{
	struct overlay_block *b = o->blocks;
	size_t used;
	struct hist *copy;

	if (b == NULL || b->arena.used >= BLOCK_BYTES) {
		b = calloc(1, sizeof *b);
		ASSERT(b != NULL);
		arena_init(&b->arena, 2 * BLOCK_BYTES);
		b->until_ms = INT64_MIN;
		b->next = o->blocks;
		o->blocks = b;
	}
	used = b->arena.used;
	copy = hist_copy(&b->arena, h);
	o->bytes += b->arena.used - used;
	b->until_ms = MAX_OF(b->until_ms, t);
	return copy;
}

/* Room for one more sample; false over the limit. */
static bool make_room(struct overlay *o, struct overlay_series *s, bool hist)
{
	size_t each = sizeof *s->t + sizeof *s->v + (s->h != NULL ? sizeof *s->h : 0);

	if (s->n == s->cap) {
		size_t cap = s->cap + s->cap / 2 + 32;

		if (o->bytes + (cap - s->cap) * each > o->max_bytes)
			return false;
		s->t = realloc(s->t, cap * sizeof *s->t);
		s->v = realloc(s->v, cap * sizeof *s->v);
		ASSERT(s->t != NULL && s->v != NULL);
		if (s->h != NULL) {
			s->h = realloc(s->h, cap * sizeof(const struct hist *));
			ASSERT(s->h != NULL);
		}
		o->bytes += (cap - s->cap) * each;
		s->cap = cap;
	}
	if (hist && s->h == NULL) {
		s->h = calloc(s->cap, sizeof(const struct hist *));
		ASSERT(s->h != NULL);
		o->bytes += s->cap * sizeof *s->h;
	}
	return true;
}

static bool is_mark(double v, const struct hist *h)
{
	return is_stale_nan(h != NULL ? h->sum : v);
}

static bool live_at(const struct overlay_series *s, size_t i)
{
	return !is_mark(s->v[i], s->h != NULL ? s->h[i] : NULL);
}

bool overlay_series_is_live(const struct overlay_series *s)
{
	return s->n > s->first && live_at(s, s->n - 1);
}

static int again(struct overlay_series *s, double v, const struct hist *h, struct err *e)
{
	const struct hist *had = s->h != NULL ? s->h[s->n - 1] : NULL;

	if (is_mark(v, h))
		return 0;
	if (had != NULL && h != NULL ? hist_eq(had, h)
				     : had == h && f64_bits(s->v[s->n - 1]) == f64_bits(v))
		return 0;
	return err_set(e, ERR_INPUT, 0, "another value stands at this time");
}

int overlay_add(struct overlay *o, struct overlay_series *s, int64_t t, double v,
	const struct hist *h, struct err *e)
{
	bool over = s->n > s->first && s->t[s->n - 1] == t;
	const struct hist *copy = NULL;

	if (s->n > s->first && s->t[s->n - 1] > t)
		return 0; /* older ones are ignored, as the store does */
	if (over && (live_at(s, s->n - 1) || is_mark(v, h)))
		return again(s, v, h, e);
	if (!make_room(o, s, h != NULL) || (h != NULL && (copy = keep_hist(o, h, t)) == NULL))
		return err_set(e, ERR_LIMIT, 0,
			"what the rules record needs more than %zu MiB of memory",
			o->max_bytes >> 20);
	s->n -= over;
	s->t[s->n] = t;
	s->v[s->n] = h != NULL ? 0 : v;
	if (s->h != NULL)
		s->h[s->n] = copy;
	s->n++;
	return 0;
}

static void prune_series(struct overlay_series *s, int64_t before_ms)
{
	size_t left;

	while (s->first < s->n && s->t[s->first] < before_ms)
		s->first++;
	if (s->first * 2 < s->n || s->first == 0)
		return;
	left = s->n - s->first;
	memmove(s->t, s->t + s->first, left * sizeof *s->t);
	memmove(s->v, s->v + s->first, left * sizeof *s->v);
	if (s->h != NULL)
		memmove(s->h, s->h + s->first, left * sizeof *s->h);
	s->n = left;
	s->first = 0;
}

void overlay_prune(struct overlay *o, int64_t before_ms)
{
	struct overlay_block **at = &o->blocks;

	for (size_t i = 0; i < o->n; i++)
		prune_series(o->v[i], before_ms);
	while (*at != NULL) {
		struct overlay_block *b = *at;

		if (b->until_ms >= before_ms) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		block_free(o, b);
	}
}

/* --- reading --- */

struct entry {
	struct labels labels;
	size_t base; /* index in the base's set, or SIZE_MAX */
	const struct overlay_series *own;
	bool cut; /* the base's samples end at from_ms */
};

struct joined { /* recorded samples and ours behind each other */
	int64_t *t, *start;
	double *v;
	const struct hist **h;
	size_t cap;
};

struct overlay_set {
	struct overlay *o;
	struct select_set *base; /* NULL: not asked */
	struct entry *v;         /* NULL: the base's set as it is */
	size_t n;
	struct joined join;
};

static struct overlay_set *set_of(struct select_set *set)
{
	return (struct overlay_set *)(void *)set;
}

static const struct overlay_set *cset_of(const struct select_set *set)
{
	return (const struct overlay_set *)(const void *)set;
}

static bool is_written(const struct overlay *o, const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < o->n_writers; i++) {
		if (rule_writes_what(o->writers[i], m, n))
			return true;
	}
	return false;
}

static bool name_is_written(const struct overlay *o, struct str name)
{
	struct matcher m = {.op = MATCH_EQ, .name = LABEL_NAME, .value = name};

	return is_written(o, &m, 1);
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(((const struct entry *)a)->labels, ((const struct entry *)b)->labels);
}

static const struct matcher *exact_name(const struct matcher *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(m[i].name, LABEL_NAME) && m[i].op == MATCH_EQ)
			return &m[i];
	}
	return NULL;
}

/* Of a sorted list one entry a label set. */
static void join_equal(struct overlay_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct entry *last = n > 0 ? &set->v[n - 1] : NULL;

		if (last == NULL || !labels_eq(last->labels, set->v[i].labels)) {
			set->v[n++] = set->v[i];
			continue;
		}
		if (set->v[i].own != NULL)
			last->own = set->v[i].own;
		if (set->v[i].base != SIZE_MAX) {
			last->base = set->v[i].base;
			last->cut = set->v[i].cut;
		}
	}
	set->n = n;
}

static int make_entries(
	struct overlay_set *set, const struct matcher *m, size_t n, struct arena *a, struct err *e)
{
	const struct overlay *o = set->o;
	const struct matcher *name = exact_name(m, n);
	const struct overlay_name *nm = name != NULL ? find_name(o, name->value) : NULL;
	struct overlay_series *const *own = name == NULL ? o->v : nm != NULL ? nm->v : NULL;
	size_t n_own = name == NULL ? o->n : nm != NULL ? nm->n : 0;
	size_t n_base = o->base->count(set->base);
	bool all_written = name != NULL && name_is_written(o, name->value);

	set->v = ARENA_ARRAY(a, n_base + n_own, struct entry);
	if (set->v == NULL)
		return err_set(e, ERR_LIMIT, 0, "too many series for the memory of a query");
	for (size_t i = 0; i < n_base; i++) {
		struct labels ls = o->base->labels(set->base, i);

		set->v[set->n++] = (struct entry){.labels = ls,
			.base = i,
			.cut = all_written || name_is_written(o, labels_get(ls, LABEL_NAME))};
	}
	for (size_t i = 0; i < n_own; i++) {
		if (own[i]->n > own[i]->first && matchers_match(m, n, own[i]->labels))
			set->v[set->n++] = (struct entry){
				.labels = own[i]->labels, .base = SIZE_MAX, .own = own[i]};
	}
	qsort(set->v, set->n, sizeof *set->v, by_labels);
	join_equal(set);
	return 0;
}

static void source_close(struct select_set *s)
{
	struct overlay_set *set = set_of(s);

	set->o->base->close(set->base);
	free(set->join.t);
	free(set->join.start);
	free(set->join.v);
	free(set->join.h);
	free(set);
}

static int source_open(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	struct overlay *o = ctx;
	struct overlay_set *set = calloc(1, sizeof *set);

	ASSERT(set != NULL);
	set->o = o;
	if (o->base->open(o->base->ctx, m, n, mint, maxt, a, &set->base, e) != 0) {
		free(set);
		return -1;
	}
	*out = (struct select_set *)(void *)set;
	if (!is_written(o, m, n) || make_entries(set, m, n, a, e) == 0)
		return 0;
	source_close(*out);
	return -1;
}

static size_t source_count(const struct select_set *s)
{
	const struct overlay_set *set = cset_of(s);

	return set->v != NULL ? set->n : set->o->base->count(set->base);
}

static struct labels source_labels(const struct select_set *s, size_t i)
{
	const struct overlay_set *set = cset_of(s);

	return set->v != NULL ? set->v[i].labels : set->o->base->labels(set->base, i);
}

/* The first sample at or after t. */
static size_t lower(const struct overlay_series *s, int64_t t)
{
	size_t lo = s->first, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->t[mid] < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void own_cols(
	const struct overlay_series *s, int64_t mint, int64_t maxt, struct select_cols *out)
{
	size_t from = lower(s, mint), to = maxt == INT64_MAX ? s->n : lower(s, maxt + 1);

	*out = (struct select_cols){0};
	if (from < to)
		*out = (struct select_cols){.n = to - from,
			.t = s->t + from,
			.v = s->v + from,
			.h = s->h != NULL ? s->h + from : NULL};
}

static void join_room(struct joined *j, size_t n)
{
	if (n <= j->cap)
		return;
	j->cap = n + n / 2;
	j->t = realloc(j->t, j->cap * sizeof *j->t);
	j->start = realloc(j->start, j->cap * sizeof *j->start);
	j->v = realloc(j->v, j->cap * sizeof *j->v);
	j->h = realloc(j->h, j->cap * sizeof(const struct hist *));
	ASSERT(j->t != NULL && j->start != NULL && j->v != NULL && j->h != NULL);
}

static void join(struct joined *j, const struct select_cols *a, const struct select_cols *b,
	struct select_cols *out)
{
	const struct select_cols *const part[2] = {a, b};
	size_t n = 0;

	join_room(j, a->n + b->n);
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < part[k]->n; i++, n++) {
			j->t[n] = part[k]->t[i];
			j->v[n] = part[k]->v[i];
			j->h[n] = part[k]->h != NULL ? part[k]->h[i] : NULL;
			j->start[n] = part[k]->start != NULL ? part[k]->start[i] : 0;
		}
	}
	*out = (struct select_cols){.n = n,
		.t = j->t,
		.v = j->v,
		.h = a->h != NULL || b->h != NULL ? j->h : NULL,
		.start = a->start != NULL ? j->start : NULL};
}

static int source_fetch(struct select_set *s, size_t i, int64_t mint, int64_t maxt,
	struct select_cols *out, struct err *e)
{
	struct overlay_set *set = set_of(s);
	const struct overlay *o = set->o;
	struct select_cols old = {0}, own = {0};
	const struct entry *x;

	if (set->v == NULL)
		return o->base->fetch(set->base, i, mint, maxt, out, e);
	x = &set->v[i];
	if (x->own != NULL)
		own_cols(x->own, mint, maxt, &own);
	if (x->cut)
		maxt = MIN_OF(maxt, o->from_ms - 1);
	if (x->base != SIZE_MAX && mint <= maxt &&
		o->base->fetch(set->base, x->base, mint, maxt, &old, e) != 0)
		return -1;
	if (old.n == 0 || own.n == 0)
		*out = old.n > 0 ? old : own;
	else
		join(&set->join, &old, &own, out);
	return 0;
}

struct select_source overlay_source(struct overlay *o)
{
	return (struct select_source){
		o, source_open, source_count, source_labels, source_fetch, source_close};
}
