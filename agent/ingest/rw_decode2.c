/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_decode2 - remote write 2.0: labels are indexes into the request's symbols, which are gathered
 * first. Each symbol is hashed once a request; a series' key is made of its symbols' hashes in
 * order, so that equal labels have equal keys whatever the symbol table looks like.
 */
#include "agent/ingest/rw_wire.h"
#include "base/hash.h"
#include "base/limits.h"

#define REFS_MAX (2u * LIMIT_LABELS + 2u)

struct symbol {
	struct str text;
	struct rw_key key;
};

struct request {
	struct rw_decoder *d;
	struct symbol *symbols;
	size_t n_symbols;
};

struct meta {
	uint64_t type;
	uint32_t help, unit;
	bool given;
};

/* One series after the first walk over it. */
struct series {
	uint32_t refs[REFS_MAX];
	size_t n_refs; /* may be one over what is kept: refused then */
	size_t rows, exemplars;
	int64_t created_ms;
	struct meta meta;
};

static void add_ref(struct series *s, uint64_t ref)
{
	if (s->n_refs < REFS_MAX)
		s->refs[s->n_refs++] = ref > UINT32_MAX ? UINT32_MAX : (uint32_t)ref;
}

static void take_refs(struct series *s, struct rd *r, uint32_t tag)
{
	struct rd in;

	if ((tag & 7) == WIRE_VARINT) {
		add_ref(s, rd_varint(r));
		return;
	}
	in = rd_of(wire_bytes(r));
	while (!r->bad && rd_more(&in)) {
		uint64_t ref;

		if (*in.p < 0x80) { /* most are one or two bytes */
			ref = *in.p++;
		} else if (in.end - in.p > 1 && in.p[1] < 0x80) {
			ref = (in.p[0] & 0x7fu) | (uint32_t)in.p[1] << 7;
			in.p += 2;
		} else {
			ref = rd_varint(&in);
		}
		if (!in.bad)
			add_ref(s, ref);
	}
	r->bad |= in.bad;
}

static void take_meta(struct series *s, struct rd *r)
{
	struct rd in = rd_of(wire_bytes(r));
	uint32_t tag;

	s->meta = (struct meta){.given = true}; /* given twice: the last one */
	while (!r->bad && (tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_VARINT))
			s->meta.type = rd_varint(&in);
		else if (tag == WIRE_TAG(3, WIRE_VARINT))
			s->meta.help = (uint32_t)rd_varint(&in);
		else if (tag == WIRE_TAG(4, WIRE_VARINT))
			s->meta.unit = (uint32_t)rd_varint(&in);
		else if (tag >> 3 <= 4 && tag >> 3 != 2)
			in.bad = true;
		else
			wire_skip(&in, tag);
	}
	r->bad |= in.bad;
}

static void walk(struct series *s, struct rd *r)
{
	uint32_t tag;

	while ((tag = wire_tag(r)) != 0) {
		switch (tag) {
		case WIRE_TAG(1, WIRE_LEN):
		case WIRE_TAG(1, WIRE_VARINT): take_refs(s, r, tag); break;
		case WIRE_TAG(2, WIRE_LEN):
		case WIRE_TAG(3, WIRE_LEN):
			s->rows++;
			wire_skip(r, tag);
			break;
		case WIRE_TAG(4, WIRE_LEN):
			s->exemplars++;
			wire_skip(r, tag);
			break;
		case WIRE_TAG(5, WIRE_LEN): take_meta(s, r); break;
		case WIRE_TAG(6, WIRE_VARINT): s->created_ms = (int64_t)rd_varint(r); break;
		default: wire_other(r, tag, 6); break;
		}
	}
}

static void sample(struct rw_decoder *d, struct rd *r, int64_t start)
{
	struct rd in = rd_of(wire_bytes(r));
	int64_t t = 0;
	double v = 0;
	uint32_t tag;

	while (!r->bad && (tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_64))
			v = wire_double(&in);
		else if (tag == WIRE_TAG(2, WIRE_VARINT))
			t = (int64_t)rd_varint(&in);
		else if (tag == WIRE_TAG(3, WIRE_VARINT))
			start = (int64_t)rd_varint(&in);
		else
			wire_other(&in, tag, 3);
	}
	r->bad |= in.bad;
	if (!r->bad)
		d->sink.sample(d->sink.ctx, t, v, start);
}

static int histogram(struct rw_decoder *d, struct rd *r, int64_t created_ms)
{
	struct arena_mark mark = arena_mark(d->scratch);
	struct rd in = rd_of(wire_bytes(r));
	struct rw_hist x;
	struct err e = {0};

	if (r->bad || rw_hist(in, d->scratch, &x, &e) != 0)
		return -1;
	if (x.sound)
		d->sink.hist(d->sink.ctx, x.t_ms, &x.h, x.start_ms != 0 ? x.start_ms : created_ms);
	else
		d->sink.bad_hist(d->sink.ctx, e.msg);
	arena_release(d->scratch, mark);
	return 0;
}

static void rows(struct rw_decoder *d, const struct series *s, struct rd *r)
{
	uint32_t tag;

	while ((tag = wire_tag(r)) != 0) {
		if (tag == WIRE_TAG(2, WIRE_LEN))
			sample(d, r, s->created_ms);
		else if (tag == WIRE_TAG(3, WIRE_LEN))
			r->bad |= histogram(d, r, s->created_ms) != 0;
		else
			wire_skip(r, tag);
	}
}

/* A multilinear hash of the symbols' seeded hashes: each place has odd multipliers of its own, so
 * that order matters, and no step waits for the one before. */
static struct rw_key series_key(const struct request *q, const struct series *s)
{
	struct rw_key k = {s->n_refs, 0};
	uint64_t m = UINT64_C(0x9e3779b97f4a7c15), p = UINT64_C(0xc2b2ae3d27d4eb4f);

	for (size_t i = 0; i < s->n_refs; i++) {
		const struct rw_key *x = &q->symbols[s->refs[i]].key;

		k.lo += x->lo * m;
		k.hi += x->hi * p;
		m += UINT64_C(0xd6e8feb86659fd92); /* even: stays odd */
		p += UINT64_C(0xa0761d6478bd642e);
	}
	k.lo ^= k.hi >> 32; /* the table takes the low bits of lo */
	return k;
}

static uint32_t name_series(const struct request *q, const struct series *s)
{
	const struct rw_sink *sink = &q->d->sink;
	struct label few[LIMIT_LABELS + 1];
	size_t n = 0;

	for (; n < LIMIT_LABELS + 1 && 2 * n + 1 < s->n_refs; n++) {
		few[n].name = q->symbols[s->refs[2 * n]].text;
		few[n].value = q->symbols[s->refs[2 * n + 1]].text;
	}
	return sink->series_labels(sink->ctx, few, n, s->rows);
}

/* Metadata comes with every series of every request: handed on when it is new or has changed. */
static void tell_metadata(const struct request *q, const struct series *s, struct rw_entry *e)
{
	struct str help = q->symbols[s->meta.help].text, unit = q->symbols[s->meta.unit].text;
	struct str metric = STR("");
	uint32_t h = (uint32_t)(q->symbols[s->meta.help].key.lo * 31 +
				q->symbols[s->meta.unit].key.lo * 7 + s->meta.type) |
		     1;

	if (e == NULL || e->meta == h)
		return;
	e->meta = h;
	for (size_t i = 0; i + 1 < s->n_refs; i += 2) {
		if (str_eq(q->symbols[s->refs[i]].text, LABEL_NAME)) /* may stand twice */
			metric = q->symbols[s->refs[i + 1]].text;
	}
	if (metric.n > 0 && (s->meta.type != 0 || help.n > 0 || unit.n > 0))
		q->d->sink.metadata(q->d->sink.ctx, metric, rw_type_name(s->meta.type), help, unit);
}

/* References that lead nowhere make the request undecodable. */
static bool refs_sound(const struct request *q, const struct series *s)
{
	for (size_t i = 0; i < s->n_refs; i++) {
		if (s->refs[i] >= q->n_symbols)
			return false;
	}
	if (s->n_refs % 2 != 0)
		return false;
	return !s->meta.given || (s->meta.help < q->n_symbols && s->meta.unit < q->n_symbols);
}

static struct rw_entry *known(struct rw_cache *c, const struct rw_key *key)
{
	struct rw_entry *e = c != NULL ? rw_cache_expected(c) : NULL;

	if (e != NULL && e->key.lo == key->lo && e->key.hi == key->hi)
		return e;
	return c != NULL ? rw_cache_find(c, key) : NULL;
}

static bool series_begins(const struct request *q, const struct series *s)
{
	const struct rw_sink *sink = &q->d->sink;
	struct rw_cache *c = q->d->cache;
	struct rw_key key = series_key(q, s);
	struct rw_entry *e = known(c, &key);
	uint32_t id;

	if (s->exemplars > 0)
		sink->exemplars(sink->ctx, s->exemplars);
	if (e != NULL) {
		rw_cache_came(c, e);
		if (s->rows > 0)
			sink->series_id(sink->ctx, e->id);
		if (s->meta.given)
			tell_metadata(q, s, e);
		return s->rows > 0;
	}
	id = name_series(q, s);
	if (c != NULL && id != 0 && id != RW_REFUSED)
		e = rw_cache_add(c, &key, 0, id);
	else if (c != NULL)
		rw_cache_broke(c);
	if (s->meta.given && id != RW_REFUSED) {
		struct rw_entry fresh = {.meta = 0};

		tell_metadata(q, s, e != NULL ? e : &fresh);
	}
	return id != RW_REFUSED;
}

static void series(const struct request *q, struct rd *r)
{
	struct rd msg = rd_of(wire_bytes(r)), again = msg;
	struct series s;

	s.n_refs = s.rows = s.exemplars = 0;
	s.created_ms = 0;
	s.meta = (struct meta){0};
	if (!r->bad)
		walk(&s, &msg);
	if (r->bad || msg.bad || !refs_sound(q, &s)) {
		r->bad = true;
		return;
	}
	if (series_begins(q, &s))
		rows(q->d, &s, &again);
	r->bad |= again.bad;
}

static size_t count_symbols(struct rd r)
{
	uint32_t tag;
	size_t n = 0;

	while ((tag = wire_tag(&r)) != 0) {
		n += tag == WIRE_TAG(4, WIRE_LEN);
		wire_skip(&r, tag);
	}
	return r.bad ? 0 : n;
}

/* Views of the symbols with their keys. Their number is bounded by the body's bytes. */
static int gather_symbols(struct request *q, struct rd r, struct err *e)
{
	size_t n = count_symbols(r);
	uint32_t tag;

	q->symbols = ARENA_ARRAY(q->d->scratch, n + 1, struct symbol);
	if (q->symbols == NULL)
		return err_set(e, ERR_LIMIT, 0, "too many symbols");
	q->n_symbols = 0;
	while (q->n_symbols < n && (tag = wire_tag(&r)) != 0) {
		struct symbol *s = &q->symbols[q->n_symbols];

		if (tag != WIRE_TAG(4, WIRE_LEN)) {
			wire_skip(&r, tag);
			continue;
		}
		s->text = wire_bytes(&r);
		if (q->d->cache != NULL)
			s->key = rw_key_of(q->d->cache, s->text.p, s->text.n);
		q->n_symbols++;
	}
	return 0;
}

int rw_decode2(struct rw_decoder *d, struct str body, struct err *e)
{
	struct rd r = rd_of(body);
	const uint8_t *at = r.p;
	struct request q = {.d = d};
	uint32_t tag;

	if (gather_symbols(&q, r, e) != 0)
		return -1;
	while ((tag = wire_tag(&r)) != 0) {
		if (tag == WIRE_TAG(5, WIRE_LEN))
			series(&q, &r);
		else if (tag >> 3 == 5 || (tag >> 3 == 4 && (tag & 7) != WIRE_LEN))
			r.bad = true;
		else
			wire_skip(&r, tag);
		if (!r.bad)
			at = r.p;
	}
	if (r.bad)
		return err_set_at(e, ERR_INPUT, (size_t)(at - (const uint8_t *)body.p),
			"malformed protobuf in the message at byte %zu",
			(size_t)(at - (const uint8_t *)body.p));
	return 0;
}
