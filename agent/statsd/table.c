/* SPDX-License-Identifier: Apache-2.0 */
/* table - keys, cells and what a line does to them; see table.h. */
#include "agent/statsd/table.h"

#include <stdlib.h>

#include "agent/statsd/key.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"

#define FIRST_SLOTS 1024u
#define LABEL_ARENA (1u << 20) /* of one new series' labels while they are made */

struct statsd_key {
	struct statsd_cell *cell;
	struct statsd_key *next; /* of the same cell */
	uint64_t hash;
	uint32_t name_n, tags_n, container_n;
	uint8_t kind;
	char bytes[]; /* name, tags, container */
};

/* ---- indexes ---- */

static void index_init(struct statsd_index *x, size_t slots)
{
	x->slots = calloc(slots, sizeof *x->slots);
	ASSERT(x->slots != NULL);
	x->mask = slots - 1;
	x->used = 0;
}

static void index_put(struct statsd_index *x, uint64_t hash, void *p)
{
	size_t i = hash & x->mask;

	while (x->slots[i].p != NULL)
		i = (i + 1) & x->mask;
	x->slots[i] = (struct statsd_slot){hash, p};
	x->used++;
}

static void index_add(struct statsd_index *x, uint64_t hash, void *p)
{
	struct statsd_index bigger;

	if ((x->used + 1) * 2 > x->mask + 1) {
		index_init(&bigger, (x->mask + 1) * 2);
		for (size_t i = 0; i <= x->mask; i++) {
			if (x->slots[i].p != NULL)
				index_put(&bigger, x->slots[i].hash, x->slots[i].p);
		}
		free(x->slots);
		*x = bigger;
	}
	index_put(x, hash, p);
}

static void index_clear(struct statsd_index *x)
{
	memset(x->slots, 0, (x->mask + 1) * sizeof *x->slots);
	x->used = 0;
}

/* ---- keys ---- */

static uint64_t key_hash(const struct statsd_line *l)
{
	uint64_t h = hash_str(l->name) + l->kind * UINT64_C(0x9e3779b97f4a7c15);

	if (l->tags.n > 0)
		h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93) ^ hash_str(l->tags);
	if (l->container.n > 0)
		h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93) ^ hash_str(l->container);
	return h;
}

static bool key_is(const struct statsd_key *k, const struct statsd_line *l)
{
	return k->kind == l->kind && k->name_n == l->name.n && k->tags_n == l->tags.n &&
	       k->container_n == l->container.n && memcmp(k->bytes, l->name.p, k->name_n) == 0 &&
	       (k->tags_n == 0 || memcmp(k->bytes + k->name_n, l->tags.p, k->tags_n) == 0) &&
	       (k->container_n == 0 || memcmp(k->bytes + k->name_n + k->tags_n, l->container.p,
					       k->container_n) == 0);
}

static struct statsd_cell *find_key(
	const struct statsd_table *t, uint64_t hash, const struct statsd_line *l)
{
	const struct statsd_index *x = &t->keys;

	for (size_t i = hash & x->mask; x->slots[i].p != NULL; i = (i + 1) & x->mask) {
		const struct statsd_key *k = x->slots[i].p;

		if (x->slots[i].hash == hash && key_is(k, l))
			return k->cell;
	}
	return NULL;
}

static void add_key(
	struct statsd_table *t, uint64_t hash, const struct statsd_line *l, struct statsd_cell *c)
{
	size_t bytes = sizeof(struct statsd_key) + l->name.n + l->tags.n + l->container.n;
	struct statsd_key *k = malloc(bytes);
	char *p;

	ASSERT(k != NULL);
	*k = (struct statsd_key){c, c->keys, hash, (uint32_t)l->name.n, (uint32_t)l->tags.n,
		(uint32_t)l->container.n, (uint8_t)l->kind};
	p = k->bytes;
	memcpy(p, l->name.p, l->name.n);
	if (l->tags.n > 0)
		memcpy(p + l->name.n, l->tags.p, l->tags.n);
	if (l->container.n > 0)
		memcpy(p + l->name.n + l->tags.n, l->container.p, l->container.n);
	c->keys = k;
	c->bytes += bytes;
	t->bytes += bytes;
	index_add(&t->keys, hash, k);
}

/* ---- cells ---- */

static struct label *labels_block(struct labels ls, size_t *bytes)
{
	size_t n = ls.n * sizeof(struct label);
	struct label *v;
	char *p;

	for (size_t i = 0; i < ls.n; i++)
		n += ls.v[i].name.n + ls.v[i].value.n;
	v = malloc(n);
	ASSERT(v != NULL);
	p = (char *)(v + ls.n);
	for (size_t i = 0; i < ls.n; i++) {
		memcpy(p, ls.v[i].name.p, ls.v[i].name.n);
		v[i].name = str_n(p, ls.v[i].name.n);
		p += ls.v[i].name.n;
		memcpy(p, ls.v[i].value.p, ls.v[i].value.n);
		v[i].value = str_n(p, ls.v[i].value.n);
		p += ls.v[i].value.n;
	}
	*bytes = n;
	return v;
}

static struct statsd_cell *find_labels(
	const struct statsd_table *t, struct labels ls, uint64_t hash)
{
	const struct statsd_index *x = &t->by_labels;

	for (size_t i = hash & x->mask; x->slots[i].p != NULL; i = (i + 1) & x->mask) {
		struct statsd_cell *c = x->slots[i].p;

		if (x->slots[i].hash == hash && labels_eq(c->labels, ls))
			return c;
	}
	return NULL;
}

static struct statsd_cell *add_cell(
	struct statsd_table *t, enum statsd_kind kind, struct labels ls, uint64_t hash)
{
	struct statsd_cell *c = calloc(1, sizeof *c);
	size_t bytes;

	ASSERT(c != NULL);
	c->kind = (uint8_t)kind;
	c->hash = hash;
	c->label_mem = labels_block(ls, &bytes);
	c->labels = (struct labels){c->label_mem, ls.n};
	c->bytes = bytes + sizeof *c;
	if (kind == STATSD_TIMER)
		timer_init(&c->timer);
	else if (kind == STATSD_SET)
		set_init(&c->set);
	if (t->n_cells == t->cap_cells) {
		t->cap_cells = t->cap_cells == 0 ? 256 : t->cap_cells * 2;
		t->cells = reallocarray(t->cells, t->cap_cells, sizeof(struct statsd_cell *));
		ASSERT(t->cells != NULL);
	}
	t->cells[t->n_cells++] = c;
	t->bytes += c->bytes;
	index_add(&t->by_labels, hash, c);
	return c;
}

static void free_cell(struct statsd_cell *c)
{
	struct statsd_key *k, *next;

	for (k = c->keys; k != NULL; k = next) {
		next = k->next;
		free(k);
	}
	if (c->kind == STATSD_TIMER)
		timer_fini(&c->timer);
	else if (c->kind == STATSD_SET)
		set_fini(&c->set);
	free(c->label_mem);
	free(c);
}

static bool is_full(const struct statsd_table *t)
{
	return t->n_cells >= LIMIT_STATSD_SERIES || t->keys.used >= LIMIT_STATSD_SERIES ||
	       t->bytes >= LIMIT_STATSD_BYTES;
}

/* A key that was never seen: make its labels, find or make their cell. */
static enum statsd_reason add_series(struct statsd_table *t, uint64_t hash,
	const struct statsd_line *l, struct statsd_cell **out)
{
	struct arena a;
	struct labels ls = {0};
	struct err e;
	enum statsd_reason r;
	uint64_t labels_h;

	if (is_full(t))
		return STATSD_LIMIT;
	arena_init(&a, LABEL_ARENA);
	r = statsd_labels(l, str_c(t->suffix), &a, &ls);
	if (r == STATSD_OK && labels_check(ls, true, &e) != 0)
		r = STATSD_TOO_LONG;
	if (r == STATSD_OK) {
		labels_h = labels_hash(ls);
		*out = find_labels(t, ls, labels_h);
		if (*out == NULL) {
			*out = add_cell(t, l->kind, ls, labels_h);
			(*out)->starts = true;
		}
		if ((*out)->kind == l->kind)
			add_key(t, hash, l, *out);
		else
			r = STATSD_CONFLICT;
	}
	arena_fini(&a);
	return r;
}

/* ---- lines ---- */

static enum statsd_reason add_to_counter(
	struct statsd_cell *c, const struct statsd_line *l, double v)
{
	if (v < 0)
		return STATSD_NEGATIVE;
	c->number += v * l->weight;
	return STATSD_OK;
}

static enum statsd_reason add_value(
	struct statsd_cell *c, const struct statsd_line *l, struct str text)
{
	double v;

	if (!statsd_number(text, &v))
		return STATSD_BAD_VALUE;
	switch ((enum statsd_kind)c->kind) {
	case STATSD_COUNTER: return add_to_counter(c, l, v);
	case STATSD_GAUGE:
		if (text.p[0] == '+' || text.p[0] == '-') {
			c->number += v;
		} else {
			c->number = v;
			c->absolute = true;
		}
		return STATSD_OK;
	case STATSD_TIMER:
		timer_add(&c->timer, l->is_ms ? v / 1000 : v, l->weight);
		return STATSD_OK;
	case STATSD_SET:
	case STATSD_KINDS: break;
	}
	return STATSD_BAD_TYPE;
}

/* Timers and sets grow with what they are given. */
static void count_growth(struct statsd_table *t, struct statsd_cell *c, size_t before)
{
	size_t after = c->kind == STATSD_TIMER ? timer_bytes(&c->timer) : set_bytes(&c->set);

	c->bytes += after - before;
	t->bytes += after - before;
}

static void refuse(struct statsd_table *t, enum statsd_reason r, struct str line)
{
	char q[LOG_Q_MAX];

	t->refused[r]++;
	if (t->refused[r] <= 3) /* of those since the counts were last taken: formatting costs */
		log_debug("statsd", "msg=\"not taken\" reason=%s line=%s", statsd_reason_name(r),
			log_q(q, line));
}

static void add_values(struct statsd_table *t, struct statsd_cell *c, const struct statsd_line *l)
{
	struct str rest = l->values, value;
	enum statsd_reason r;
	bool any = false;

	while (statsd_next_value(&rest, &value)) {
		r = add_value(c, l, value);
		if (r == STATSD_OK)
			any = true;
		else
			refuse(t, r, value);
	}
	c->dirty |= any;
}

static enum statsd_reason check_first_value(const struct statsd_line *l)
{
	struct str rest = l->values, value;
	double v;

	if (l->kind == STATSD_SET)
		return l->values.n > 0 ? STATSD_OK : STATSD_BAD_VALUE;
	while (statsd_next_value(&rest, &value)) {
		if (statsd_number(value, &v))
			return v < 0 && l->kind == STATSD_COUNTER ? STATSD_NEGATIVE : STATSD_OK;
	}
	return STATSD_BAD_VALUE;
}

/* The cell of a line whose key is not in the table, made if need be; NULL: refused. */
static struct statsd_cell *new_key(
	struct statsd_table *t, uint64_t hash, const struct statsd_line *l, struct str text)
{
	struct statsd_cell *c = NULL;
	enum statsd_reason r = check_first_value(l); /* a line without a value makes no series */

	if (r == STATSD_OK)
		r = add_series(t, hash, l, &c);
	if (r == STATSD_OK)
		return c;
	refuse(t, r, text);
	return NULL;
}

static void apply(struct statsd_table *t, const struct statsd_waiting *w)
{
	const struct statsd_line *l = &w->line;
	struct statsd_cell *c = w->cell;
	size_t before;

	if (c == NULL) /* perhaps a line before it made the key */
		c = find_key(t, w->hash, l);
	if (c == NULL)
		c = new_key(t, w->hash, l, w->text);
	if (c == NULL)
		return;
	if (c->kind == STATSD_SET) {
		before = set_bytes(&c->set);
		if (l->values.n == 0) {
			refuse(t, STATSD_BAD_VALUE, w->text);
			return;
		}
		set_add(&c->set, l->values);
		c->dirty = true;
		count_growth(t, c, before);
	} else if (c->kind == STATSD_TIMER) {
		before = timer_bytes(&c->timer);
		add_values(t, c, l);
		count_growth(t, c, before);
	} else {
		add_values(t, c, l);
	}
}

/* ---- lines in company ---- */

/* A line touches a slot, its key, its cell and a timer's buckets, each found through the one
 * before and none of them likely in a cache: one line after another would wait for memory four
 * times. So lines are taken in groups, and each step is asked for over the whole group. */

static const struct statsd_key *likely_key(const struct statsd_table *t, uint64_t hash)
{
	const struct statsd_index *x = &t->keys;

	for (size_t i = hash & x->mask; x->slots[i].p != NULL; i = (i + 1) & x->mask) {
		if (x->slots[i].hash == hash)
			return x->slots[i].p;
	}
	return NULL;
}

static void fetch_cell(const struct statsd_cell *c)
{
	__builtin_prefetch(&c->kind, 1);
	__builtin_prefetch(&c->number, 1);
	__builtin_prefetch((const char *)&c->number + 64, 1);
}

static void fetch_buckets(const struct timer_side *s)
{
	if (s->n == 0)
		return;
	__builtin_prefetch(s->index + s->n / 2);
	__builtin_prefetch(s->count + s->n / 2, 1);
}

void statsd_table_settle(struct statsd_table *t)
{
	struct statsd_waiting *w = t->waiting;
	size_t n = t->n_waiting;

	for (size_t i = 0; i < n; i++) {
		w[i].key = likely_key(t, w[i].hash);
		__builtin_prefetch(w[i].key);
		__builtin_prefetch((const char *)w[i].key + 64);
	}
	for (size_t i = 0; i < n; i++) {
		bool same = w[i].key != NULL && key_is(w[i].key, &w[i].line);

		w[i].cell = same ? w[i].key->cell : NULL;
		if (same)
			fetch_cell(w[i].cell);
	}
	for (size_t i = 0; i < n; i++) {
		if (w[i].cell != NULL && w[i].cell->kind == STATSD_TIMER)
			fetch_buckets(&w[i].cell->timer.pos);
	}
	for (size_t i = 0; i < n; i++)
		apply(t, &w[i]);
	t->n_waiting = 0;
}

static void take_line(struct statsd_table *t, struct str text)
{
	struct statsd_waiting *w = &t->waiting[t->n_waiting];
	enum statsd_reason r = statsd_parse(text, &w->line);

	t->lines++;
	if (w->line.bad_rate)
		t->refused[STATSD_BAD_RATE]++;
	if (r != STATSD_OK) {
		refuse(t, r, text);
		return;
	}
	w->text = text;
	w->hash = key_hash(&w->line);
	__builtin_prefetch(&t->keys.slots[w->hash & t->keys.mask]);
	if (++t->n_waiting == STATSD_GROUP)
		statsd_table_settle(t);
}

void statsd_table_queue(struct statsd_table *t, struct str packet)
{
	const char *p = packet.p, *end = packet.p + packet.n;

	t->packets++;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl != NULL ? nl : end;
		size_t n = (size_t)(stop - p);

		if (n > 0 && p[n - 1] == '\r')
			n--;
		if (n > 0)
			take_line(t, str_n(p, n));
		p = nl != NULL ? nl + 1 : end;
	}
}

void statsd_table_packet(struct statsd_table *t, struct str packet)
{
	statsd_table_queue(t, packet);
	statsd_table_settle(t);
}

/* ---- life ---- */

struct statsd_table *statsd_table_new(struct str counter_suffix)
{
	struct statsd_table *t = calloc(1, sizeof *t);

	ASSERT(t != NULL);
	hash_init();
	index_init(&t->keys, FIRST_SLOTS);
	index_init(&t->by_labels, FIRST_SLOTS);
	t->suffix = str_dup_c(counter_suffix.p != NULL ? counter_suffix : STR(""));
	ASSERT(t->suffix != NULL);
	return t;
}

void statsd_table_free(struct statsd_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_cells; i++)
		free_cell(t->cells[i]);
	free(t->cells);
	free(t->keys.slots);
	free(t->by_labels.slots);
	free(t->suffix);
	free(t);
}

void statsd_table_restore(struct statsd_table *t, enum statsd_kind kind, struct labels ls)
{
	uint64_t hash = labels_hash(ls);
	struct statsd_cell *c;

	if (is_full(t) || find_labels(t, ls, hash) != NULL)
		return;
	c = add_cell(t, kind, ls, hash);
	c->restored = true;
	c->has_fact = true;
}

void statsd_table_clear_set(struct statsd_table *t, struct statsd_cell *c)
{
	size_t before = set_bytes(&c->set);

	set_clear(&c->set);
	count_growth(t, c, before);
}

void statsd_table_bury(struct statsd_table *t, bool (*dead)(const struct statsd_cell *c))
{
	size_t out = 0;

	index_clear(&t->keys);
	index_clear(&t->by_labels);
	for (size_t i = 0; i < t->n_cells; i++) {
		struct statsd_cell *c = t->cells[i];

		if (dead(c)) {
			t->bytes -= c->bytes;
			free_cell(c);
			continue;
		}
		t->cells[out++] = c;
		index_put(&t->by_labels, c->hash, c);
		for (struct statsd_key *k = c->keys; k != NULL; k = k->next)
			index_put(&t->keys, k->hash, k);
	}
	t->n_cells = out;
}

void statsd_table_check(const struct statsd_table *t)
{
	size_t keys = 0, bytes = 0;

	ASSERT(t->by_labels.used == t->n_cells);
	for (size_t i = 0; i < t->n_cells; i++) {
		const struct statsd_cell *c = t->cells[i];
		struct err e;

		ASSERT(c->kind < STATSD_KINDS);
		ASSERT(labels_check(c->labels, true, &e) == 0);
		ASSERT(find_labels(t, c->labels, c->hash) == c);
		ASSERT(c->restored || c->keys != NULL);
		bytes += c->bytes;
		for (const struct statsd_key *k = c->keys; k != NULL; k = k->next) {
			ASSERT(k->cell == c);
			keys++;
		}
	}
	ASSERT(keys == t->keys.used);
	ASSERT(bytes == t->bytes);
}
