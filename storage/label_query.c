/* SPDX-License-Identifier: Apache-2.0 */
/* label_query - label names and values, metadata, facts and the largest names; see store.h. */
#include <stdlib.h>

#include "base/num.h"
#include "base/rd.h"
#include "base/stop.h"
#include "storage/find.h"
#include "storage/store_control.h"
#include "storage/store_int.h"

#define SLICE 2000u

static int by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

/* Sort, and cut to the limit. */
static void settle(struct str *v, size_t *n)
{
	size_t kept = 0;

	stop_sort(v, *n, sizeof *v, by_text);
	for (size_t i = 0; i < *n; i++) {
		if (kept == 0 || !str_eq(v[kept - 1], v[i]))
			v[kept++] = v[i];
	}
	*n = kept;
}

static bool in_range(const struct index *x, const struct postings *p, int64_t mint, int64_t maxt)
{
	const uint32_t *ids = postings_ids(p);

	for (uint32_t i = p->n; i > 0; i--) { /* newer series first: mostly the ones alive */
		const struct series *s = index_get(x, ids[i - 1]);

		if (s != NULL && s->mint <= maxt && s->maxt >= mint)
			return true;
	}
	return false;
}

static bool name_in_range(
	const struct index *x, const struct index_name *nm, int64_t mint, int64_t maxt)
{
	for (uint32_t i = nm->n; i > 0; i--) {
		if (in_range(x, &x->pairs[nm->pairs[i - 1]].post, mint, maxt))
			return true;
	}
	return false;
}

/* Marks of symbols (names or values) already taken. */
struct marks {
	uint8_t *v;
	size_t n;
};

static bool mark(struct marks *k, uint32_t symbol)
{
	if (symbol >= k->n || k->v[symbol])
		return false;
	k->v[symbol] = 1;
	return true;
}

/* Names of all labels of these series, or the values of one (name symbol != 0). */
static void collect(struct store *st, const struct id_list *ids, uint32_t name, struct marks *k,
	struct str *out, size_t *n)
{
	const struct index *x = &st->index;

	for (size_t i = 0; i < ids->n && !stop_asked();) {
		size_t end = MIN_OF(i + SLICE, ids->n);

		store_rdlock(st);
		for (; i < end; i++) {
			const struct series *s = index_get(x, ids->v[i]);

			for (uint32_t p = 0; s != NULL && p < s->n_pairs; p++) {
				const struct pair *pr = &x->pairs[s->pairs[p]];
				uint32_t symbol = name == 0 ? pr->name : pr->value;

				if ((name == 0 || pr->name == name) && mark(k, symbol))
					out[(*n)++] = symtab_str(&x->sym, symbol);
			}
		}
		store_unlock(st);
	}
}

/* NOLINTNEXTLINE(readability-function-size): the public functions' arguments */
static int by_matchers(struct store *st, uint32_t name, const struct matcher *m, size_t n,
	int64_t mint, int64_t maxt, struct str **out, size_t *n_out, struct err *e)
{
	struct id_list ids;
	struct marks k;
	int rc = 0;

	if (find_series(st, m, n, mint, maxt, &ids, e) != 0)
		return -1;
	store_rdlock(st);
	k.n = st->index.sym.n;
	store_unlock(st);
	k.v = calloc(k.n + 1, 1);
	*out = malloc((k.n + 1) * sizeof **out);
	if (k.v == NULL || *out == NULL)
		rc = err_set(e, ERR_LIMIT, 0, "no memory for label names");
	else
		collect(st, &ids, name, &k, *out, n_out);
	free(k.v);
	free(ids.v);
	return rc;
}

static int copy_out(struct str *v, size_t n, size_t limit, struct arena *a, struct str **out,
	size_t *n_out, struct err *e)
{
	settle(v, &n);
	if (stop_check(e) != 0)
		return -1;
	if (limit > 0)
		n = MIN_OF(n, limit);
	*out = ARENA_ARRAY(a, n, struct str);
	if (*out == NULL)
		return err_set(e, ERR_LIMIT, 0, "too many labels for the memory of a query");
	if (n > 0 && v != NULL)
		memcpy(*out, v, n * sizeof **out);
	*n_out = n;
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the contract has these arguments */
int store_label_names(struct store *st, const struct matcher *m, size_t n, int64_t mint,
	int64_t maxt, size_t limit, struct arena *a, struct str **out, size_t *n_out, struct err *e)
{
	const struct index *x = &st->index;
	struct str *v = NULL;
	size_t got = 0;
	int rc = 0;

	*out = NULL;
	*n_out = 0;
	if (n > 0) {
		rc = by_matchers(st, 0, m, n, mint, maxt, &v, &got, e);
	} else {
		store_rdlock(st);
		v = malloc((x->n_names + 1) * sizeof *v);
		for (uint32_t i = 0; v != NULL && i < x->n_names; i++) {
			if (name_in_range(x, &x->names[i], mint, maxt))
				v[got++] = symtab_str(&x->sym, x->names[i].symbol);
		}
		store_unlock(st);
		if (v == NULL)
			rc = err_set(e, ERR_LIMIT, 0, "no memory for label names");
	}
	if (rc == 0)
		rc = copy_out(v, got, limit, a, out, n_out, e);
	free(v);
	return rc;
}

static int all_values(struct store *st, struct str name, int64_t mint, int64_t maxt,
	struct str **out, size_t *n_out, struct err *e)
{
	const struct index *x = &st->index;
	uint32_t at, i = 0, n = 0;

	store_rdlock(st);
	at = index_name_find(x, name);
	n = at == UINT32_MAX ? 0 : x->names[at].n;
	store_unlock(st);
	*out = malloc((n + 1) * sizeof **out);
	if (*out == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory for label values");
	while (i < n && !stop_asked()) {
		uint32_t end = MIN_OF(i + SLICE, n);

		store_rdlock(st);
		for (; i < end; i++) {
			const struct pair *p = &x->pairs[x->names[at].pairs[i]];

			if (in_range(x, &p->post, mint, maxt))
				(*out)[(*n_out)++] = symtab_str(&x->sym, p->value);
		}
		store_unlock(st);
	}
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the contract has these arguments */
int store_label_values(struct store *st, struct str name, const struct matcher *m, size_t n,
	int64_t mint, int64_t maxt, size_t limit, struct arena *a, struct str **out, size_t *n_out,
	struct err *e)
{
	struct str *v = NULL;
	uint32_t symbol;
	size_t got = 0;
	int rc = 0;

	*out = NULL;
	*n_out = 0;
	store_rdlock(st);
	symbol = symtab_find(&st->index.sym, name);
	store_unlock(st);
	if (symbol == 0)
		return 0;
	if (n > 0)
		rc = by_matchers(st, symbol, m, n, mint, maxt, &v, &got, e);
	else
		rc = all_values(st, name, mint, maxt, &v, &got, e);
	if (rc == 0)
		rc = copy_out(v, got, limit, a, out, n_out, e);
	free(v);
	return rc;
}

/* --- metadata and facts --- */

void store_put_meta(struct store *st, const struct batch_meta *m)
{
	struct buf b;

	if (st->meta.bytes > STORE_META_BYTES)
		return;
	buf_init(&b, 1u << 20);
	buf_varint(&b, m->type.n);
	buf_str(&b, m->type);
	buf_varint(&b, m->help.n);
	buf_str(&b, m->help);
	buf_str(&b, m->unit);
	if (!b.failed)
		(void)smap_set(&st->meta, m->metric, buf_view(&b)); /* a hint: may be left out */
	buf_fini(&b);
}

static struct store_metadata read_meta(const struct smap_entry *x, struct arena *a)
{
	struct rd r = rd_of(x->value);
	struct store_metadata m = {.metric = arena_str(a, x->key)};

	m.type = arena_str(a, rd_bytes(&r, rd_varint(&r)));
	m.help = arena_str(a, rd_bytes(&r, rd_varint(&r)));
	m.unit = arena_str(a, rd_bytes(&r, rd_left(&r)));
	return m;
}

int store_metadata(struct store *st, struct str metric, struct arena *a,
	struct store_metadata **out, size_t *n, struct err *e)
{
	const struct smap_entry *one;

	*n = 0;
	store_rdlock(st);
	one = metric.n > 0 ? smap_get(&st->meta, metric) : NULL;
	*out = ARENA_ARRAY(a, metric.n > 0 ? 1 : st->meta.n, struct store_metadata);
	if (*out != NULL && one != NULL)
		(*out)[(*n)++] = read_meta(one, a);
	for (size_t i = 0; *out != NULL && metric.n == 0 && i < st->meta.n; i++)
		(*out)[(*n)++] = read_meta(&st->meta.v[i], a);
	store_unlock(st);
	return a->failed ? err_set(e, ERR_LIMIT, 0, "no memory for metadata") : 0;
}

struct fact_merge {
	const struct smap *over;
	void (*fn)(struct str key, struct str value, void *arg);
	void *arg;
};

static void on_fact(struct str key, struct str value, void *arg)
{
	struct fact_merge *m = arg;

	if (smap_get(m->over, key) == NULL)
		m->fn(key, value, m->arg);
}

int store_state_each(struct store *st, struct str prefix,
	void (*fn)(struct str key, struct str value, void *arg), void *arg, struct err *e)
{
	struct fact_merge m = {.fn = fn, .arg = arg};
	struct smap copy;
	bool ok = true;
	int rc;

	smap_init(&copy);
	store_rdlock(st);
	for (size_t i = 0; ok && i < st->facts.n; i++) {
		if (str_starts(st->facts.v[i].key, prefix))
			ok = smap_set(&copy, st->facts.v[i].key, st->facts.v[i].value);
	}
	store_unlock(st);
	m.over = &copy;
	rc = ok ? catalog_each_fact(st->catalog.path, prefix, on_fact, &m, e)
		: err_set(e, ERR_LIMIT, 0, "no memory for facts");
	for (size_t i = 0; rc == 0 && i < copy.n; i++) {
		if (copy.v[i].value.n > 0)
			fn(copy.v[i].key, copy.v[i].value, arg);
	}
	smap_fini(&copy);
	return rc;
}

/* --- the largest --- */

static int by_count(const void *a, const void *b)
{
	const struct store_top *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static struct str pair_text(const struct index *x, const struct pair *p, struct arena *a)
{
	struct str n = symtab_str(&x->sym, p->name), v = symtab_str(&x->sym, p->value);

	return arena_printf(
		a, "%.*s=%.*s", (int)MIN_OF(n.n, 1024), n.p, (int)MIN_OF(v.n, 4096), v.p);
}

/* Keep the k largest in v[0..k): a small list, insertion by count. */
static void offer(struct store_top *v, size_t *n, size_t k, struct store_top x)
{
	size_t i = *n;

	if (x.count == 0 || (i == k && v[k - 1].count >= x.count))
		return;
	if (i < k)
		(*n)++;
	else
		i--;
	for (; i > 0 && v[i - 1].count < x.count; i--)
		v[i] = v[i - 1];
	v[i] = x;
}

int store_top(struct store *st, enum store_top_kind kind, size_t k, struct arena *a,
	struct store_top **out, size_t *n, struct err *e)
{
	const struct index *x = &st->index;
	struct store_top *v = ARENA_ARRAY(a, k + 1, struct store_top);
	uint32_t metric;

	*n = 0;
	*out = v;
	if (v == NULL)
		return err_set(e, ERR_LIMIT, 0, "no memory");
	store_rdlock(st);
	metric = index_name_find(x, LABEL_NAME);
	for (uint32_t i = 0; kind == STORE_TOP_LABEL_VALUES && k > 0 && i < x->n_names; i++)
		offer(v, n, k,
			(struct store_top){symtab_str(&x->sym, x->names[i].symbol), x->names[i].n});
	for (uint32_t i = 1; kind != STORE_TOP_LABEL_VALUES && k > 0 && i < x->n_pairs; i++) {
		const struct pair *p = &x->pairs[i];
		struct store_top t = {.count = p->post.n};

		if (kind == STORE_TOP_METRICS) {
			if (metric == UINT32_MAX || p->name != x->names[metric].symbol)
				continue;
			t.name = symtab_str(&x->sym, p->value);
		} else if (*n < k || t.count > v[k - 1].count) {
			t.name = pair_text(x, p, a);
		}
		offer(v, n, k, t);
	}
	store_unlock(st);
	qsort(v, *n, sizeof *v, by_count);
	return a->failed ? err_set(e, ERR_LIMIT, 0, "no memory") : 0;
}
