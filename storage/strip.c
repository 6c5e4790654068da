/* SPDX-License-Identifier: Apache-2.0 */
/* strip - appending, reading back and restoring open chunks; see strip.h. */
#include "storage/strip.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/rd.h"
#include "base/uninit.h"
#include "storage/hist_code.h"

enum {
	OP_SAME = 0,
	OP_RUN = 1,
	OP_START = 2,
	OP_HIST = 3,
	OP_INT = 8,
	OP_XOR = 16,
	OP_END = 80,
	OP_STEP = 0x80,
};

#define OP_MAX 48u /* bytes of the longest row without a histogram, START and RUN included */

#define LIMIT_STRIP ((size_t)1 << 20) /* one histogram of LIMIT_HIST_BUCKETS fits */

struct strip_extra {
	int64_t start;
	struct hist *h; /* one allocation; NULL: the last row was a float, or there is none */
};

void strip_init(struct strip *s)
{
	*s = (struct strip){0};
}

static void free_hist(struct cells *m, struct hist *h)
{
	if (h != NULL)
		m->extra_bytes -= hist_bytes(h);
	free(h);
}

void strip_fini(struct cells *m, struct strip *s)
{
	chain_free(m, &s->bytes);
	if (s->extra != NULL) {
		free_hist(m, s->extra->h);
		m->extra_bytes -= sizeof *s->extra;
	}
	free(s->extra);
	strip_init(s);
}

void *strip_copy(const struct cells *m, const struct strip *s, void *few, size_t n_few)
{
	void *p = s->bytes.len <= n_few ? few : malloc(s->bytes.len);

	if (p != NULL)
		chain_copy(m, &s->bytes, p);
	return p;
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t u)
{
	return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* The difference of two integers as bytes, or 0 when either is none (or -0). */
static bool int_change(uint64_t from, uint64_t to, uint64_t *zz)
{
	double a = f64_from_bits(from), b = f64_from_bits(to);

	if (!(a > -4503599627370496.0 && a < 4503599627370496.0) ||
		!(b > -4503599627370496.0 && b < 4503599627370496.0))
		return false;
	if (f64_bits((double)(int64_t)a) != from || f64_bits((double)(int64_t)b) != to)
		return false;
	*zz = zigzag((int64_t)b - (int64_t)a);
	return true;
}

/* Op byte at `op`, payload from p on. */
static uint8_t *put_value(uint8_t *op, uint8_t *p, uint64_t from, uint64_t to)
{
	uint64_t x = from ^ to, zz = 0;
	unsigned lead, trail, len, bytes = 9;

	if (x == 0) {
		*op |= OP_SAME;
		return p;
	}
	lead = (unsigned)__builtin_clzll(x) / 8;
	trail = (unsigned)__builtin_ctzll(x) / 8;
	len = 8 - lead - trail;
	if (int_change(from, to, &zz))
		bytes = 8 - (unsigned)__builtin_clzll(zz | 1) / 8;
	if (bytes <= len) {
		*op = (uint8_t)(*op | (OP_INT + bytes - 1));
		memcpy(p, &zz, 8);
		return p + bytes;
	}
	x >>= trail * 8;
	*op = (uint8_t)(*op | (OP_XOR + lead * 8 + len - 1));
	memcpy(p, &x, 8);
	return p + len;
}

/* The waiting repeats as bytes. */
static uint8_t *put_run(uint8_t *p, const struct strip *s)
{
	if (s->run == 0)
		return p;
	*p++ = OP_RUN;
	return put_varint(p, s->run);
}

bool strip_finish(struct cells *m, struct strip *s)
{
	uint8_t tmp[OP_MAX];

	if (!chain_append(m, &s->bytes, tmp, (size_t)(put_run(tmp, s) - tmp)))
		return false;
	s->run = 0;
	return true;
}

static bool need_extra(struct cells *m, struct strip *s)
{
	if (s->extra != NULL)
		return true;
	s->extra = calloc(1, sizeof *s->extra);
	m->extra_bytes += s->extra != NULL ? sizeof *s->extra : 0;
	return s->extra != NULL;
}

/* A deep copy in one allocation. */
struct hist *strip_hist_dup(const struct hist *h)
{
	struct hist *c = malloc(hist_bytes(h));
	char *p = (char *)(c + 1);

	if (c == NULL)
		return NULL;
	*c = *h;
#define TAKE_ARRAY(field, n)                                                                       \
	do {                                                                                       \
		size_t bytes_ = (n) * sizeof *h->field;                                            \
		if (bytes_ > 0)                                                                    \
			memcpy(p, h->field, bytes_);                                               \
		c->field = (void *)p;                                                              \
		p += bytes_;                                                                       \
	} while (0)
	TAKE_ARRAY(pos.counts, h->pos.n_counts);
	TAKE_ARRAY(neg.counts, h->neg.n_counts);
	TAKE_ARRAY(custom, h->n_custom);
	TAKE_ARRAY(pos.spans, h->pos.n_spans);
	TAKE_ARRAY(neg.spans, h->neg.n_spans);
#undef TAKE_ARRAY
	return c;
}

/* head: what stands before the histogram, op byte and step included. */
static bool append_hist(
	struct cells *m, struct strip *s, const uint8_t *head, size_t n_head, const struct hist *h)
{
	struct hist *copy = strip_hist_dup(h);
	struct buf b, all;
	bool ok;

	buf_init(&b, LIMIT_STRIP);
	buf_init(&all, 2 * LIMIT_STRIP);
	hist_code_put(&b, h, s->extra->h);
	buf_add(&all, head, n_head);
	buf_varint(&all, b.n);
	buf_str(&all, buf_view(&b));
	ok = copy != NULL && !b.failed && !all.failed && chain_append(m, &s->bytes, all.p, all.n);
	if (ok) {
		free_hist(m, s->extra->h);
		m->extra_bytes += hist_bytes(copy);
		s->extra->h = copy;
		copy = NULL;
	}
	free(copy);
	buf_fini(&all);
	buf_fini(&b);
	return ok;
}

static bool is_full(const struct strip *s, const struct hist *h)
{
	if (s->n == 0)
		return false;
	return s->n >= STRIP_ROWS || s->bytes.len >= (h != NULL ? STRIP_HIST_BYTES : STRIP_BYTES);
}

/* A row that nothing is known of: extra exists when it is needed. */
static bool append_row(struct cells *m, struct strip *s, int64_t change, uint64_t bits,
	const struct hist *h, int64_t start)
{
	int64_t last_start = s->extra != NULL ? s->extra->start : 0;
	uint8_t tmp[OP_MAX], *p = put_run(tmp, s), *op;

	if (start != last_start) {
		*p++ = OP_START;
		p = put_varint(p, zigzag((int64_t)((uint64_t)start - (uint64_t)last_start)));
	}
	op = p++;
	*op = change != 0 ? OP_STEP : 0;
	if (change != 0)
		p = put_varint(p, zigzag(change));
	if (h != NULL) {
		*op |= OP_HIST;
		if (!append_hist(m, s, tmp, (size_t)(p - tmp), h))
			return false;
	} else {
		p = put_value(op, p, s->bits, bits);
		if (!chain_append(m, &s->bytes, tmp, (size_t)(p - tmp)))
			return false;
		s->bits = bits;
	}
	if (s->extra != NULL) {
		s->extra->start = start;
		if (h == NULL) {
			free_hist(m, s->extra->h);
			s->extra->h = NULL;
		}
	}
	s->run = 0;
	return true;
}

bool strip_append(
	struct cells *m, struct strip *s, int64_t t, double v, const struct hist *h, int64_t start)
{
	uint64_t bits = f64_bits(v);
	int64_t step = s->n > 0 ? t - s->t : 0;
	int64_t change = s->n > 0 ? step - s->step : t;
	int64_t last_start = s->extra != NULL ? s->extra->start : 0;

	ASSERT(s->n == 0 || t > s->t);
	if (s->n > 0 && h == NULL && change == 0 && bits == s->bits && start == last_start &&
		(s->extra == NULL || s->extra->h == NULL) && s->n < STRIP_ROWS) {
		s->run++;
		s->n++;
		s->t = t;
		return true;
	}
	if (is_full(s, h) || ((h != NULL || start != last_start) && !need_extra(m, s)) ||
		!append_row(m, s, change, bits, h, start))
		return false;
	if (s->n == 0)
		s->t0 = t;
	s->step = step;
	s->t = t;
	s->n++;
	return true;
}

struct reading {
	struct rd r;
	int64_t t, step, start;
	uint64_t bits;
	const struct hist *h;
	size_t n;
};

/* A number of 1 to 8 bytes. */
static uint64_t read_tail(struct rd *r, unsigned len)
{
	uint64_t u = 0;
	struct str b;

	if (rd_left(r) >= sizeof u) {
		memcpy(&u, r->p, sizeof u);
		r->p += len;
		return u & UINT64_MAX >> (64 - 8 * len);
	}
	b = rd_bytes(r, len);
	if (!r->bad)
		memcpy(&u, b.p, len);
	return u;
}

static bool read_value(struct reading *x, unsigned kind)
{
	unsigned len = kind < OP_XOR ? kind - OP_INT + 1 : (kind - OP_XOR) % 8 + 1;
	uint64_t u = read_tail(&x->r, len);

	if (x->r.bad)
		return false;
	if (kind < OP_XOR) {
		int64_t sum;
		double was = f64_from_bits(x->bits);

		if (!(was > -9007199254740992.0 && was < 9007199254740992.0) ||
			i64_add((int64_t)was, unzigzag(u), &sum))
			return false;
		x->bits = f64_bits((double)sum);
	} else {
		unsigned lead = (kind - OP_XOR) / 8;

		if (lead + len > 8)
			return false;
		x->bits ^= u << ((8 - lead - len) * 8);
	}
	return true;
}

static bool read_hist(struct reading *x, struct arena *a)
{
	struct str b = rd_bytes(&x->r, rd_varint(&x->r));
	struct rd r;

	if (x->r.bad)
		return false;
	r = rd_of(b);
	x->h = hist_code_get(&r, x->h, a);
	return x->h != NULL && !rd_more(&r);
}

static bool advance(struct reading *x, int64_t change)
{
	if (x->n == 0) {
		x->t = change;
		x->n = 1;
		return true;
	}
	x->n++;
	return !i64_add(x->step, change, &x->step) && x->step > 0 && !i64_add(x->t, x->step, &x->t);
}

/* A run of floats in columns that hold nothing else. */
static bool push_plain(struct reading *x, size_t n, struct cols *c)
{
	int64_t span, end;

	if (x->step <= 0 || i64_mul(x->step, (int64_t)n, &span) || i64_add(x->t, span, &end))
		return false;
	if (!cols_reserve(c, n))
		return true; /* c->failed says it */
	for (size_t i = 0; i < n; i++) {
		x->t += x->step;
		c->t[c->n] = x->t;
		c->v[c->n++] = f64_from_bits(x->bits);
	}
	x->n += n;
	return true;
}

static bool push_run(struct reading *x, uint64_t n, struct cols *c)
{
	if (x->n == 0 || x->h != NULL || n > STRIP_ROWS)
		return false;
	if (c->h == NULL && c->start == NULL && x->start == 0)
		return push_plain(x, (size_t)n, c);
	for (; n > 0; n--) {
		if (!advance(x, 0))
			return false;
		cols_push(c, x->t, f64_from_bits(x->bits), NULL, x->start);
	}
	return true;
}

static bool read_op(struct reading *x, struct cols *c, struct arena *a)
{
	uint8_t op = rd_u8(&x->r);
	unsigned kind = op & 0x7f;
	int64_t change = (op & OP_STEP) ? rd_zigzag(&x->r) : 0;

	if (kind == OP_RUN)
		return push_run(x, rd_varint(&x->r), c);
	if (kind == OP_START) {
		x->start = (int64_t)((uint64_t)x->start + (uint64_t)rd_zigzag(&x->r));
		return !x->r.bad;
	}
	if (x->r.bad || !advance(x, change))
		return false;
	if (kind == OP_HIST) {
		if (!read_hist(x, a))
			return false;
		cols_push(c, x->t, 0, x->h, x->start);
		return true;
	}
	x->h = NULL;
	if (kind != OP_SAME && (kind < OP_INT || kind >= OP_END || !read_value(x, kind)))
		return false;
	if (c->n < c->cap && c->h == NULL && c->start == NULL && x->start == 0) {
		c->t[c->n] = x->t;
		c->v[c->n++] = f64_from_bits(x->bits);
		return true;
	}
	cols_push(c, x->t, f64_from_bits(x->bits), NULL, x->start);
	return true;
}

#define FLOATS_BYTES 512u /* float strips are shorter */
#define FLOATS_AHEAD 32u  /* bytes of the longest operation here, and a load of 8 */

/* One varint of a step's change; *p moves. False: longer than any real one. */
static inline bool read_change(const uint8_t **p, int64_t *change)
{
	uint64_t u = 0;

	for (unsigned shift = 0; shift < 63; shift += 7) {
		uint8_t b = *(*p)++;

		u |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*change = unzigzag(u);
			return true;
		}
	}
	return false;
}

/* The value after an operation of OP_INT to OP_END; *p moves. */
static inline bool next_bits(const uint8_t **p, unsigned kind, uint64_t *bits)
{
	uint64_t u;

	memcpy(&u, *p, sizeof u);
	if (kind < OP_XOR) {
		unsigned len = kind - OP_INT + 1;
		double was = f64_from_bits(*bits);
		int64_t sum;

		*p += len;
		u &= UINT64_MAX >> (64 - 8 * len);
		if (!(was > -9007199254740992.0 && was < 9007199254740992.0) ||
			i64_add((int64_t)was, unzigzag(u), &sum))
			return false;
		*bits = f64_bits((double)sum);
	} else {
		unsigned len = (kind - OP_XOR) % 8 + 1, lead = (kind - OP_XOR) / 8;

		*p += len;
		if (lead + len > 8)
			return false;
		*bits ^= (u & UINT64_MAX >> (64 - 8 * len)) << ((8 - lead - len) * 8);
	}
	return true;
}

/* Rows of floats from p on, until another operation comes or something is wrong: the way of
 * read_op, which tells, goes on there. p: FLOATS_AHEAD bytes behind the end may be read. */
static const uint8_t *read_floats(
	struct reading *x, const uint8_t *p, const uint8_t *end, struct cols *c)
{
	int64_t *t = c->t + c->n, now = x->t, step = x->step;
	double *v = c->v + c->n;
	size_t room = MIN_OF(c->cap - c->n, STRIP_ROWS - x->n), n = 0;
	uint64_t bits = x->bits;

	for (; n < room && p < end; n++) {
		const uint8_t *q = p + 1;
		unsigned kind = *p & 0x7f;
		int64_t change, next_step = step, next;
		uint64_t next_value = bits;

		if (*p & OP_STEP) {
			if (!read_change(&q, &change) || i64_add(step, change, &next_step))
				break;
		}
		if (next_step <= 0 || i64_add(now, next_step, &next))
			break;
		if (kind != OP_SAME &&
			(kind < OP_INT || kind >= OP_END || !next_bits(&q, kind, &next_value)))
			break;
		if (q > end)
			break;
		p = q;
		step = next_step;
		t[n] = now = next;
		bits = next_value;
		v[n] = f64_from_bits(bits);
	}
	x->t = now;
	x->step = step;
	x->bits = bits;
	x->n += n;
	c->n += n;
	return p;
}

/* What comes next may be floats and nothing else, in columns that hold nothing else. */
static bool is_plain(const struct reading *x, const struct cols *c)
{
	return x->n > 0 && x->h == NULL && x->start == 0 && c->h == NULL && c->start == NULL;
}

static int decode(struct reading *x, struct str bytes, uint16_t run, struct cols *c,
	struct arena *a, struct err *e)
{
	uint8_t UNINIT padded[FLOATS_BYTES + FLOATS_AHEAD];
	bool floats = bytes.n <= FLOATS_BYTES;

	if (floats && bytes.n > 0) {
		memcpy(padded, bytes.p, bytes.n);
		memset(padded + bytes.n, 0, FLOATS_AHEAD);
		bytes.p = (const char *)padded;
		(void)cols_reserve(c, bytes.n + run);
	}
	*x = (struct reading){.r = rd_of(bytes)};
	while (rd_more(&x->r)) {
		if (!read_op(x, c, a) || x->r.bad || x->n > STRIP_ROWS)
			return err_set(e, ERR_CORRUPT, 0, "malformed strip");
		if (floats && is_plain(x, c))
			x->r.p = read_floats(x, x->r.p, x->r.end, c);
	}
	if (run > 0 && !push_run(x, run, c))
		return err_set(e, ERR_CORRUPT, 0, "malformed run of a strip");
	if (c->failed || a->failed)
		return err_set(e, ERR_LIMIT, 0, "no memory to read a chunk");
	return 0;
}

int strip_decode(struct str bytes, uint16_t run, struct cols *c, struct arena *a, struct err *e)
{
	struct reading x;

	return decode(&x, bytes, run, c, a, e);
}

int strip_restore(struct cells *m, struct strip *s, struct str bytes, uint16_t run, struct err *e)
{
	struct reading x;
	struct cols c;
	struct arena a;
	int rc = -1;

	strip_init(s);
	cols_init(&c);
	arena_init(&a, (size_t)64 << 20);
	if (decode(&x, bytes, run, &c, &a, e) != 0)
		goto done;
	rc = 0;
	if (c.n == 0)
		goto done;
	if (!chain_append(m, &s->bytes, bytes.p, bytes.n) ||
		((x.h != NULL || x.start != 0) && !need_extra(m, s))) {
		rc = err_set(e, ERR_LIMIT, 0, "no memory for an open chunk");
		goto done;
	}
	s->n = (uint16_t)c.n;
	s->run = run;
	s->t0 = c.t[0];
	s->t = x.t;
	s->step = x.step;
	s->bits = x.bits;
	if (s->extra != NULL) {
		s->extra->start = x.start;
		s->extra->h = x.h != NULL ? strip_hist_dup(x.h) : NULL;
		m->extra_bytes += s->extra->h != NULL ? hist_bytes(s->extra->h) : 0;
	}
done:
	cols_fini(&c);
	arena_fini(&a);
	return rc;
}
