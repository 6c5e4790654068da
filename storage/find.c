/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find - from matchers to series ids; see find.h.
 *
 * The most selective matcher that needs a label (equality, or a regular expression's literals,
 * else all values of the label) gives candidates; each candidate is then held against all
 * matchers. Verdicts on (matcher, value) are remembered, so that a regular expression runs once a
 * value and not once a series.
 */
#include "storage/find.h"

#include <stdlib.h>

#include "base/num.h"
#include "base/stop.h"

#define SLICE 2000u /* candidates looked at under one hold of the lock */
#define MEMO  256u  /* verdicts remembered per matcher */
/* Work of matching under one hold of the lock, and between two looks at the clock: milliseconds. */
#define WORK ((size_t)4 << 20)

/* What holding a value against a matcher may cost: linear in both (RE2), about a nanosecond each.
 */
static size_t match_work(const struct matcher *m, struct str text)
{
	return 64 + (m->re != NULL ? (text.n + 1) * m->value.n : text.n);
}

static bool given_up(void)
{
	struct err e;

	return stop_check(&e) != 0;
}

static void id_push(struct id_list *l, const uint32_t *ids, size_t n)
{
	if (l->failed || n == 0)
		return;
	if (l->n + n > l->cap) {
		size_t cap = MAX_OF(l->n + n, l->cap + l->cap / 2 + 64);
		uint32_t *v = realloc(l->v, cap * sizeof *v);

		if (v == NULL) {
			l->failed = true;
			return;
		}
		l->v = v;
		l->cap = cap;
	}
	memcpy(l->v + l->n, ids, n * sizeof *ids);
	l->n += n;
}

static int by_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void push_pair(struct id_list *l, const struct index *x, uint32_t pair)
{
	if (pair != 0)
		id_push(l, postings_ids(&x->pairs[pair].post), x->pairs[pair].post.n);
}

static void push_all(struct id_list *l, struct store *st)
{
	uint32_t id = 1, n;

	do {
		store_rdlock(st);
		n = st->index.next_id;
		for (uint32_t end = MIN_OF(n, id + SLICE); id < end; id++) {
			if (index_get(&st->index, id) != NULL)
				id_push(l, &id, 1);
		}
		store_unlock(st);
	} while (id < n && !stop_asked());
}

/* The values of one label as (pair, text): the text never moves. */
struct value {
	uint32_t pair;
	struct str text;
};

static struct value *copy_values(struct store *st, struct str name, size_t *n)
{
	const struct index *x = &st->index;
	struct value *v = NULL;
	uint32_t at;

	*n = 0;
	store_rdlock(st);
	at = index_name_find(x, name);
	if (at != UINT32_MAX) {
		const struct index_name *nm = &x->names[at];

		v = malloc(MAX_OF(nm->n, 1u) * sizeof *v);
		for (uint32_t i = 0; v != NULL && i < nm->n; i++)
			v[i] = (struct value){
				nm->pairs[i], symtab_str(&x->sym, x->pairs[nm->pairs[i]].value)};
		*n = v != NULL ? nm->n : 0;
	}
	store_unlock(st);
	return v;
}

/* Candidates of a matcher that does not match an absent label. */
static void push_matching(struct id_list *l, struct store *st, const struct matcher *m)
{
	size_t n = 0;
	const struct str *lit = m->op == MATCH_RE ? regex_literals(m->re, &n) : NULL;
	struct value *v;

	if (m->op == MATCH_EQ || lit != NULL) {
		store_rdlock(st);
		if (m->op == MATCH_EQ)
			push_pair(l, &st->index, index_pair_find(&st->index, m->name, m->value));
		for (size_t i = 0; lit != NULL && i < n; i++)
			push_pair(l, &st->index, index_pair_find(&st->index, m->name, lit[i]));
		store_unlock(st);
		if (lit == NULL)
			return;
	} else {
		size_t kept = 0, work = 0;

		v = copy_values(st, m->name, &n);
		for (size_t i = 0; i < n && !stop_asked(); i++) {
			if (work >= WORK) {
				if (given_up())
					break;
				work = 0;
			}
			work += match_work(m, v[i].text);
			if (matcher_matches(m, v[i].text))
				v[kept++] = v[i];
		}
		store_rdlock(st);
		for (size_t i = 0; i < kept; i++)
			push_pair(l, &st->index, v[i].pair);
		store_unlock(st);
		free(v);
	}
	if (l->n > 1) {
		size_t kept = 1;

		stop_sort(l->v, l->n, sizeof *l->v, by_id);
		for (size_t i = 1; i < l->n; i++) {
			if (l->v[i] != l->v[kept - 1])
				l->v[kept++] = l->v[i];
		}
		l->n = kept;
	}
}

static size_t cost(struct store *st, const struct matcher *m)
{
	uint32_t pair, name;
	size_t n = 0;

	if (m->op == MATCH_EQ) {
		pair = index_pair_find(&st->index, m->name, m->value);
		return pair == 0 ? 0 : st->index.pairs[pair].post.n;
	}
	if (m->op == MATCH_RE && regex_literals(m->re, &n) != NULL)
		return n * 1000 + 1000;
	name = index_name_find(&st->index, m->name);
	return name == UINT32_MAX ? 0 : SIZE_MAX / 2 - 1 + (st->index.names[name].n > 1000);
}

static void candidates(struct id_list *l, struct store *st, const struct matcher *m, size_t n)
{
	const struct matcher *best = NULL;
	size_t best_cost = SIZE_MAX;

	store_rdlock(st);
	for (size_t i = 0; i < n; i++) {
		size_t c;

		if (matcher_matches(&m[i], STR("")))
			continue;
		c = cost(st, &m[i]);
		if (best == NULL || c < best_cost) {
			best = &m[i];
			best_cost = c;
		}
	}
	store_unlock(st);
	if (best == NULL)
		push_all(l, st);
	else
		push_matching(l, st, best);
}

struct check {
	const struct matcher *m;
	uint32_t pair; /* of an equality that needs the label: its postings are the verdict */
	uint32_t name; /* symbol, 0: no series has the label */
	bool absent;   /* the verdict on an absent label */
	struct {
		uint32_t pair;
		bool match;
	} memo[MEMO];
};

/* Adds to *work what it took. */
static bool check_series(
	const struct index *x, const struct series *s, struct check *c, size_t *work)
{
	for (uint32_t i = 0; c->name != 0 && i < s->n_pairs; i++) {
		uint32_t p = s->pairs[i], k = p % MEMO;

		if (x->pairs[p].name != c->name)
			continue;
		if (c->memo[k].pair != p) {
			struct str text = symtab_str(&x->sym, x->pairs[p].value);

			*work += match_work(c->m, text);
			c->memo[k].pair = p;
			c->memo[k].match = matcher_matches(c->m, text);
		}
		return c->memo[k].match;
	}
	return c->absent;
}

/* The first of n ascending ids that is not below id, at or after `at`: near ones are found soon. */
static size_t seek(const uint32_t *v, size_t n, size_t at, uint32_t id)
{
	size_t step = 1, end;

	while (at < n && v[at] < id) {
		at += step;
		step *= 2;
	}
	/* v[at - step / 2] was below */
	end = MIN_OF(at, n);
	at -= step / 2;
	while (at < end) {
		size_t mid = at + (end - at) / 2;

		if (v[mid] < id)
			at = mid + 1;
		else
			end = mid;
	}
	return at;
}

/* Candidates, which ascend, that stand in the postings of a pair. */
static void intersect(struct store *st, uint32_t pair, struct id_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n && !stop_asked();) {
		size_t end = MIN_OF(i + SLICE, l->n), at = 0;
		const struct postings *p;
		const uint32_t *ids;

		store_rdlock(st);
		p = &st->index.pairs[pair].post;
		ids = postings_ids(p);
		for (; i < end; i++) {
			at = seek(ids, p->n, at, l->v[i]);
			if (at < p->n && ids[at] == l->v[i])
				l->v[kept++] = l->v[i];
		}
		store_unlock(st);
	}
	l->n = kept;
}

static void filter(
	struct store *st, struct check *c, size_t n, int64_t mint, int64_t maxt, struct id_list *l)
{
	size_t kept = 0;

	for (size_t k = 0; k < n; k++) {
		if (c[k].pair != 0)
			intersect(st, c[k].pair, l);
	}

	for (size_t i = 0; i < l->n && !given_up();) {
		size_t end = MIN_OF(i + SLICE, l->n), work = 0;

		store_rdlock(st);
		for (; i < end && work < WORK; i++) {
			const struct series *s = index_get(&st->index, l->v[i]);
			bool ok = s != NULL && s->mint <= maxt && s->maxt >= mint;

			if (i + 8 < l->n)
				index_prefetch(&st->index, l->v[i + 8]);
			for (size_t k = 0; ok && k < n; k++)
				ok = c[k].pair != 0 || check_series(&st->index, s, &c[k], &work);
			if (ok)
				l->v[kept++] = l->v[i];
		}
		store_unlock(st);
	}
	l->n = kept;
}

int find_series(struct store *st, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct id_list *out, struct err *e)
{
	struct check *c = calloc(MAX_OF(n, 1), sizeof *c);

	*out = (struct id_list){0};
	if (c == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory for a search");
	candidates(out, st, m, n);
	/* after them: a label that a candidate has is known by now */
	for (size_t i = 0; i < n; i++) {
		c[i].m = &m[i];
		c[i].absent = matcher_matches(&m[i], STR(""));
		store_rdlock(st);
		c[i].name = symtab_find(&st->index.sym, m[i].name);
		if (m[i].op == MATCH_EQ && !c[i].absent)
			c[i].pair = index_pair_find(&st->index, m[i].name, m[i].value);
		store_unlock(st);
	}
	if (!out->failed)
		filter(st, c, n, mint, maxt, out);
	free(c);
	if (!out->failed && stop_check(e) == 0)
		return 0;
	if (out->failed)
		(void)err_set(e, ERR_LIMIT, 0, "no memory for a search");
	free(out->v);
	*out = (struct id_list){0};
	return -1;
}
