/* SPDX-License-Identifier: Apache-2.0 */
/* pack_cache - see pack_cache.h. */
#include "storage/pack_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "storage/db.h"
#include "storage/pack.h"

#define DIR_ROW (-1) /* the directory's key where packs have their row */

/* What a look-up touches stands in front. */
struct cached {
	_Atomic unsigned refs;
	bool used; /* since it was listed: it is listed again when it should go */
	uint64_t uid, content;
	int64_t row;
	union {
		struct pack_dir dir;
		struct cached_pack pack;
	} u;
	size_t bytes;
	uint64_t hash;
	struct cached *newer, *older;
	/* the arrays and, for packs, the bytes stand behind */
};

static uint64_t key_hash(uint64_t uid, int64_t row)
{
	uint64_t h = uid * UINT64_C(0x9e3779b97f4a7c15) ^
		     (uint64_t)(row + 2) * UINT64_C(0xc2b2ae3d27d4eb4f);

	h ^= h >> 29;
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

void pack_cache_init(struct pack_cache *c)
{
	for (size_t i = 0; i < PACK_CACHE_SHARDS; i++) {
		(void)pthread_mutex_init(&c->shard[i].lock, NULL);
		map_init(&c->shard[i].map);
		c->shard[i].newest = c->shard[i].oldest = NULL;
		c->shard[i].bytes = 0;
	}
}

static struct cached *new_object(size_t extra)
{
	struct cached *o = calloc(1, sizeof *o + extra);

	if (o == NULL)
		return NULL;
	atomic_init(&o->refs, 1);
	o->bytes = sizeof *o + extra;
	return o;
}

void cached_put(struct cached *ref)
{
	if (ref != NULL && atomic_fetch_sub(&ref->refs, 1) == 1)
		free(ref);
}

size_t cached_bytes(const struct cached *ref)
{
	return ref->bytes;
}

/* --- a shard, under its lock --- */

static void unlist(struct pack_cache *c, size_t s, struct cached *o)
{
	struct cached **newer = o->newer != NULL ? &o->newer->older : &c->shard[s].newest;
	struct cached **older = o->older != NULL ? &o->older->newer : &c->shard[s].oldest;

	*newer = o->older;
	*older = o->newer;
	o->newer = o->older = NULL;
}

static void list_newest(struct pack_cache *c, size_t s, struct cached *o)
{
	o->older = c->shard[s].newest;
	o->newer = NULL;
	if (o->older != NULL)
		o->older->newer = o;
	else
		c->shard[s].oldest = o;
	c->shard[s].newest = o;
	o->used = false;
}

static void drop(struct pack_cache *c, size_t s, struct cached *o)
{
	unlist(c, s, o);
	map_remove(&c->shard[s].map, o->hash, o);
	c->shard[s].bytes -= o->bytes;
	cached_put(o);
}

void pack_cache_fini(struct pack_cache *c)
{
	for (size_t i = 0; i < PACK_CACHE_SHARDS; i++) {
		while (c->shard[i].oldest != NULL)
			drop(c, i, c->shard[i].oldest);
		map_fini(&c->shard[i].map);
		(void)pthread_mutex_destroy(&c->shard[i].lock);
	}
}

size_t pack_cache_bytes(struct pack_cache *c)
{
	size_t sum = 0;

	for (size_t i = 0; i < PACK_CACHE_SHARDS; i++) {
		(void)pthread_mutex_lock(&c->shard[i].lock);
		sum += c->shard[i].bytes;
		(void)pthread_mutex_unlock(&c->shard[i].lock);
	}
	return sum;
}

static struct cached *find(struct pack_cache *c, size_t s, uint64_t hash, uint64_t uid, int64_t row)
{
	struct map_iter it;

	for (struct cached *o = map_first(&c->shard[s].map, hash, &it); o != NULL;
		o = map_next(&c->shard[s].map, &it)) {
		if (o->uid == uid && o->row == row)
			return o;
	}
	return NULL;
}

/* A reference to what is cached, or NULL. content: of a directory; 0 for packs. */
static struct cached *take(struct pack_cache *c, uint64_t uid, int64_t row, uint64_t content)
{
	uint64_t hash = key_hash(uid, row);
	size_t s = hash >> 60 & (PACK_CACHE_SHARDS - 1);
	struct cached *o;

	(void)pthread_mutex_lock(&c->shard[s].lock);
	o = find(c, s, hash, uid, row);
	if (o != NULL && o->content != content) {
		drop(c, s, o);
		o = NULL;
	}
	if (o != NULL) {
		o->used = true;
		atomic_fetch_add(&o->refs, 1);
	}
	(void)pthread_mutex_unlock(&c->shard[s].lock);
	return o;
}

void pack_cache_ask(struct pack_cache *c, uint64_t uid, int64_t row, bool object)
{
	uint64_t hash = key_hash(uid, row);
	size_t s = hash >> 60 & (PACK_CACHE_SHARDS - 1);
	struct map_iter it;

	(void)pthread_mutex_lock(&c->shard[s].lock);
	if (object)
		__builtin_prefetch(map_first(&c->shard[s].map, hash, &it), 1);
	else
		map_prefetch(&c->shard[s].map, hash);
	(void)pthread_mutex_unlock(&c->shard[s].lock);
}

/* Frees the oldest that nobody took since it was listed. */
static void drop_oldest(struct pack_cache *c, size_t s)
{
	struct cached *o = c->shard[s].oldest;

	for (; o->used; o = c->shard[s].oldest) {
		unlist(c, s, o);
		list_newest(c, s, o);
	}
	drop(c, s, o);
}

/* Keeps an object; the caller's reference stays the caller's. */
static void keep(struct pack_cache *c, struct cached *o)
{
	size_t s, limit = PACK_CACHE_BYTES / PACK_CACHE_SHARDS;
	struct cached *old;

	o->hash = key_hash(o->uid, o->row);
	s = o->hash >> 60 & (PACK_CACHE_SHARDS - 1);
	if (o->bytes > limit)
		return;
	(void)pthread_mutex_lock(&c->shard[s].lock);
	old = find(c, s, o->hash, o->uid, o->row);
	if (old != NULL) /* somebody else read it at the same time */
		drop(c, s, old);
	while (c->shard[s].bytes + o->bytes > limit && c->shard[s].oldest != NULL)
		drop_oldest(c, s);
	atomic_fetch_add(&o->refs, 1);
	map_add(&c->shard[s].map, o->hash, o);
	list_newest(c, s, o);
	c->shard[s].bytes += o->bytes;
	(void)pthread_mutex_unlock(&c->shard[s].lock);
}

/* --- directories --- */

static int by_group(const void *va, const void *vb)
{
	const struct pack_place *a = va, *b = vb;

	if (a->grp != b->grp)
		return a->grp < b->grp ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

struct place_list {
	struct pack_place *v;
	size_t n, cap;
};

static int read_places(struct part_reader *r, struct place_list *l, struct err *e)
{
	int rc;

	while ((rc = db_step_row(r->list, "read a partition's directory", e)) == 1) {
		if (l->n == l->cap) {
			size_t cap = l->cap * 2 + 1024;
			struct pack_place *more = realloc(l->v, cap * sizeof *more);

			if (more == NULL)
				return err_set(e, ERR_LIMIT, 0, "no memory to read a partition");
			l->v = more;
			l->cap = cap;
		}
		l->v[l->n++] =
			(struct pack_place){.grp = (uint32_t)sqlite3_column_int64(r->list, 0),
				.row = sqlite3_column_int64(r->list, 1),
				.mint = sqlite3_column_int64(r->list, 2),
				.maxt = sqlite3_column_int64(r->list, 3)};
	}
	return rc;
}

/* How many groups to list by number: none when that were more than the packs by far. */
static size_t count_groups(const struct pack_place *v, size_t n)
{
	size_t groups = n > 0 ? (size_t)v[n - 1].grp + 1 : 0;

	return n < UINT32_MAX && groups <= 4 * n + 1024 ? groups : 0;
}

static void list_groups(uint32_t *first, size_t groups, const struct pack_place *v, size_t n)
{
	for (size_t g = 0, i = 0; g < groups; g++) {
		while (i < n && v[i].grp < g)
			i++;
		first[g] = (uint32_t)i;
	}
}

static struct cached *dir_of(struct place_list *l, struct err *e)
{
	struct pack_place *copy;
	_Atomic uint64_t *ids;
	struct cached *o;
	uint32_t *first;
	size_t groups;

	if (l->n > 0)
		qsort(l->v, l->n, sizeof *l->v, by_group);
	groups = count_groups(l->v, l->n);
	o = new_object(l->n * (sizeof *l->v + sizeof *ids) + groups * sizeof *first);
	if (o == NULL) {
		(void)err_set(e, ERR_LIMIT, 0, "no memory to read a partition");
		return NULL;
	}
	copy = (struct pack_place *)(o + 1);
	ids = (_Atomic uint64_t *)(copy + l->n);
	first = (uint32_t *)((char *)(copy + l->n) + l->n * sizeof *ids);
	if (l->n > 0)
		memcpy(copy, l->v, l->n * sizeof *copy);
	for (size_t i = 0; i < l->n; i++)
		atomic_init(&ids[i], UINT64_MAX);
	list_groups(first, groups, copy, l->n);
	o->u.dir = (struct pack_dir){copy, ids, l->n, groups > 0 ? first : NULL, groups};
	o->row = DIR_ROW;
	return o;
}

static struct cached *load_dir(struct part *p, uint64_t content, struct err *e)
{
	struct part_reader *r = part_reader_get(p, e);
	struct place_list l = {0};
	struct cached *o = NULL;

	if (r == NULL)
		return NULL;
	if (read_places(r, &l, e) == 0)
		o = dir_of(&l, e);
	part_reader_put(r);
	free(l.v);
	if (o != NULL) {
		o->uid = p->uid;
		o->content = content;
	}
	return o;
}

int pack_cache_dir(struct pack_cache *c, struct part *p, struct cached **ref, struct pack_dir *out,
	struct err *e)
{
	/* read before the rows are: at worst the directory is newer than it says */
	uint64_t content = atomic_load(&p->content);
	struct cached *o = take(c, p->uid, DIR_ROW, content);

	if (o == NULL) {
		o = load_dir(p, content, e);
		if (o == NULL)
			return -1;
		keep(c, o);
	}
	*ref = o;
	*out = o->u.dir;
	return 0;
}

/* --- packs --- */

static int by_series(const void *va, const void *vb)
{
	const struct cached_chunk *a = va, *b = vb;

	if (a->series != b->series)
		return a->series < b->series ? -1 : 1;
	return a->mint < b->mint ? -1 : a->mint > b->mint;
}

static int parse_pack(struct cached *o, char *bytes, size_t n_bytes, size_t n, struct err *e)
{
	struct cached_chunk *v = (struct cached_chunk *)(o + 1);
	struct pack_reader r;
	struct pack_entry x;
	uint64_t ids = 0;
	bool sorted = true;
	size_t at = 0;
	int rc;

	if (pack_open(&r, str_n(bytes, n_bytes), false, e) != 0)
		return -1;
	while (at < n && (rc = pack_next(&r, &x, e)) == 1) {
		v[at] = (struct cached_chunk){.series = x.series,
			.len = (uint32_t)x.chunk.n,
			.mint = x.mint,
			.maxt = x.maxt,
			.p = x.chunk.p};
		ids |= pack_id_bit(x.series);
		sorted = sorted && (at == 0 || by_series(&v[at - 1], &v[at]) <= 0);
		at++;
	}
	if (at < n)
		return -1;
	if (!sorted)
		qsort(v, n, sizeof *v, by_series);
	o->u.pack = (struct cached_pack){v, n, ids, (size_t)__builtin_popcountll(ids) == n};
	return 0;
}

struct pack_range pack_group(const struct pack_dir *d, uint32_t grp)
{
	struct pack_range r;
	size_t lo = 0, n = d->n;

	if (d->first != NULL) {
		r.from = grp < d->n_first ? d->first[grp] : d->n;
		r.to = grp + 1 < d->n_first ? d->first[grp + 1] : d->n;
		return r;
	}
	while (n > 0) {
		size_t half = n / 2;

		if (d->v[lo + half].grp < grp) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	r.from = r.to = lo;
	while (r.to < d->n && d->v[r.to].grp == grp)
		r.to++;
	return r;
}

size_t pack_find(const struct cached_pack *k, uint32_t series)
{
	size_t lo = 0, n = k->n;

	if (k->single) {
		lo = pack_rank(k, series);
		if (lo < n && k->v[lo].series == series)
			return lo;
		lo = 0;
	}
	while (n > 0) {
		size_t half = n / 2;

		if (k->v[lo + half].series < series) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

static struct cached *copy_pack(struct str blob, struct err *e)
{
	struct pack_reader r;
	struct cached *o;
	size_t n;
	char *bytes;

	if (pack_open(&r, blob, true, e) != 0)
		return NULL;
	n = r.left;
	o = new_object(n * sizeof(struct cached_chunk) + blob.n);
	if (o == NULL) {
		(void)err_set(e, ERR_LIMIT, 0, "no memory to read chunks");
		return NULL;
	}
	bytes = (char *)(o + 1) + n * sizeof(struct cached_chunk);
	memcpy(bytes, blob.p, blob.n);
	if (parse_pack(o, bytes, blob.n, n, e) != 0) {
		cached_put(o);
		return NULL;
	}
	return o;
}

static struct cached *load_pack(struct part *p, int64_t row, struct err *e)
{
	struct part_reader *r = part_reader_get(p, e);
	struct cached *o = NULL;
	int rc;

	if (r == NULL)
		return NULL;
	(void)sqlite3_bind_int64(r->get, 1, row);
	rc = db_step_row(r->get, "read chunks", e);
	if (rc == 1)
		o = copy_pack(db_column_str(r->get, 0), e);
	else if (rc == 0)
		(void)err_set(e, ERR_CORRUPT, 0, "row %lld of chunks is gone", (long long)row);
	part_reader_put(r);
	if (o != NULL) {
		o->uid = p->uid;
		o->row = row;
	}
	return o;
}

bool pack_cache_has(struct pack_cache *c, uint64_t uid, int64_t row, struct cached **ref,
	struct cached_pack *out)
{
	struct cached *o = take(c, uid, row, 0);

	if (o == NULL)
		return false;
	*ref = o;
	*out = o->u.pack;
	return true;
}

int pack_cache_pack(struct pack_cache *c, struct part *p, int64_t row, struct cached **ref,
	struct cached_pack *out, struct err *e)
{
	struct cached *o;

	if (pack_cache_has(c, p->uid, row, ref, out))
		return 0;
	o = load_pack(p, row, e);
	if (o == NULL)
		return -1;
	keep(c, o);
	*ref = o;
	*out = o->u.pack;
	return 0;
}
