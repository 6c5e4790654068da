/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_hist - a native histogram of remote write 1.0 or 2.0 (the same fields): integer buckets come
 * as deltas and leave as absolute counts.
 */
#include <string.h>

#include "agent/ingest/rw_wire.h"
#include "base/limits.h"
#include "base/num.h"

/* A repeated field, packed or not, gathered in an array of the arena that doubles. */
struct gather {
	double *v;
	size_t n, cap;
	bool over;
};

struct side {
	struct gather deltas, counts;
	struct hist_span *spans;
	size_t n_spans, cap_spans;
};

struct parts {
	struct arena *a;
	struct side pos, neg;
	struct gather custom;
	bool count_is_int;
	bool over, overflow;
	int64_t sum[2]; /* running counts behind the deltas: neg, pos */
};

static void *more(struct arena *a, const void *old, size_t n, size_t *cap, size_t elem)
{
	void *p;

	*cap = *cap > 0 ? *cap * 2 : 16;
	p = arena_alloc(a, *cap, elem);
	if (p != NULL && n > 0)
		memcpy(p, old, n * elem);
	return p;
}

static void put(struct parts *x, struct gather *g, double v, size_t max)
{
	if (g->n == max)
		x->over = true;
	if (x->over)
		return;
	if (g->n == g->cap)
		g->v = more(x->a, g->v, g->n, &g->cap, sizeof *g->v);
	if (g->v == NULL)
		x->over = true;
	else
		g->v[g->n++] = v;
}

static void put_delta(struct parts *x, bool positive, int64_t delta)
{
	int64_t *sum = &x->sum[positive];

	if (i64_add(*sum, delta, sum))
		x->overflow = true;
	put(x, positive ? &x->pos.deltas : &x->neg.deltas, (double)*sum, LIMIT_HIST_BUCKETS);
}

static void deltas(struct parts *x, struct rd *r, uint32_t tag, bool positive)
{
	struct rd in;

	if ((tag & 7) == WIRE_VARINT) {
		put_delta(x, positive, rd_zigzag(r));
		return;
	}
	in = rd_of(wire_bytes(r));
	while (!r->bad && rd_more(&in))
		put_delta(x, positive, rd_zigzag(&in));
	r->bad |= in.bad;
}

static void doubles(struct parts *x, struct rd *r, uint32_t tag, struct gather *g, size_t max)
{
	struct rd in;

	if ((tag & 7) == WIRE_64) {
		put(x, g, wire_double(r), max);
		return;
	}
	in = rd_of(wire_bytes(r));
	while (!r->bad && rd_more(&in)) {
		double v = wire_double(&in);

		if (!in.bad)
			put(x, g, v, max);
	}
	r->bad |= in.bad;
}

/* sint32 on the wire may be any varint: protobuf takes the low 32 bits. */
static int32_t sint32(struct rd *r)
{
	uint32_t u = (uint32_t)rd_varint(r);

	return (int32_t)(u >> 1) ^ -(int32_t)(u & 1);
}

static void span(struct parts *x, struct rd *r, struct side *s)
{
	struct rd in = rd_of(wire_bytes(r));
	struct hist_span got = {0, 0};
	uint32_t tag;

	while ((tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_VARINT))
			got.offset = sint32(&in);
		else if (tag == WIRE_TAG(2, WIRE_VARINT))
			got.length = (uint32_t)rd_varint(&in);
		else
			wire_other(&in, tag, 2);
	}
	r->bad |= in.bad;
	if (s->n_spans == LIMIT_HIST_SPANS)
		x->over = true;
	if (r->bad || x->over)
		return;
	if (s->n_spans == s->cap_spans)
		s->spans = more(x->a, s->spans, s->n_spans, &s->cap_spans, sizeof *s->spans);
	if (s->spans == NULL)
		x->over = true;
	else
		s->spans[s->n_spans++] = got;
}

/* Repeated fields; false when it is none of them. */
static bool repeated(struct parts *x, struct rd *r, uint32_t tag)
{
	switch (tag) {
	case WIRE_TAG(8, WIRE_LEN): span(x, r, &x->neg); return true;
	case WIRE_TAG(11, WIRE_LEN): span(x, r, &x->pos); return true;
	case WIRE_TAG(9, WIRE_LEN):
	case WIRE_TAG(9, WIRE_VARINT): deltas(x, r, tag, false); return true;
	case WIRE_TAG(12, WIRE_LEN):
	case WIRE_TAG(12, WIRE_VARINT): deltas(x, r, tag, true); return true;
	case WIRE_TAG(10, WIRE_LEN):
	case WIRE_TAG(10, WIRE_64):
		doubles(x, r, tag, &x->neg.counts, LIMIT_HIST_BUCKETS);
		return true;
	case WIRE_TAG(13, WIRE_LEN):
	case WIRE_TAG(13, WIRE_64):
		doubles(x, r, tag, &x->pos.counts, LIMIT_HIST_BUCKETS);
		return true;
	case WIRE_TAG(16, WIRE_LEN):
	case WIRE_TAG(16, WIRE_64): doubles(x, r, tag, &x->custom, LIMIT_HIST_CUSTOM); return true;
	default: return false;
	}
}

static void field(struct parts *x, struct rd *r, uint32_t tag, struct hist *h, int64_t times[2])
{
	switch (tag) {
	case WIRE_TAG(1, WIRE_VARINT):
		h->count = (double)rd_varint(r);
		x->count_is_int = true;
		break;
	case WIRE_TAG(2, WIRE_64):
		h->count = wire_double(r);
		x->count_is_int = false;
		break;
	case WIRE_TAG(3, WIRE_64): h->sum = wire_double(r); break;
	case WIRE_TAG(4, WIRE_VARINT): h->schema = sint32(r); break;
	case WIRE_TAG(5, WIRE_64): h->zero_threshold = wire_double(r); break;
	case WIRE_TAG(6, WIRE_VARINT): h->zero_count = (double)rd_varint(r); break;
	case WIRE_TAG(7, WIRE_64): h->zero_count = wire_double(r); break;
	case WIRE_TAG(14, WIRE_VARINT): {
		uint32_t hint = (uint32_t)rd_varint(r);

		h->reset = hint <= HIST_RESET_GAUGE ? (uint8_t)hint : HIST_RESET_UNKNOWN;
		break;
	}
	case WIRE_TAG(15, WIRE_VARINT): times[0] = (int64_t)rd_varint(r); break;
	case WIRE_TAG(17, WIRE_VARINT): times[1] = (int64_t)rd_varint(r); break;
	default:
		if (!repeated(x, r, tag))
			wire_other(r, tag, 17);
		break;
	}
}

/* Deltas make an integer histogram, counts a float one. */
static void side_done(struct hist_side *to, const struct side *from, bool is_int)
{
	const struct gather *g = is_int ? &from->deltas : &from->counts;

	to->spans = from->spans;
	to->n_spans = (uint32_t)from->n_spans;
	to->counts = g->v;
	to->n_counts = (uint32_t)g->n;
}

static int counts_sound(const struct hist_side *s, struct err *e)
{
	for (uint32_t i = 0; i < s->n_counts; i++) {
		if (s->counts[i] < 0)
			return err_set(e, ERR_INPUT, 0, "negative bucket count");
	}
	return 0;
}

int rw_hist(struct rd msg, struct arena *a, struct rw_hist *out, struct err *e)
{
	struct hist *h = &out->h;
	struct parts x = {.a = a};
	int64_t times[2] = {0, 0};
	uint32_t tag;

	memset(out, 0, sizeof *out);
	while ((tag = wire_tag(&msg)) != 0)
		field(&x, &msg, tag, h, times);
	if (msg.bad)
		return err_set(e, ERR_INPUT, 0, "malformed histogram");
	h->is_int = x.count_is_int || (x.pos.deltas.n + x.neg.deltas.n > 0);
	side_done(&h->pos, &x.pos, h->is_int);
	side_done(&h->neg, &x.neg, h->is_int);
	h->custom = x.custom.v;
	h->n_custom = (uint32_t)x.custom.n;
	out->t_ms = times[0];
	out->start_ms = times[1];
	if (x.over)
		(void)err_set(e, ERR_LIMIT, 0, "too many buckets");
	else if (x.overflow)
		(void)err_set(e, ERR_INPUT, 0, "bucket counts overflow");
	else if (counts_sound(&h->pos, e) == 0 && counts_sound(&h->neg, e) == 0 &&
		 hist_check(h, e) == 0)
		out->sound = true;
	return 0;
}

const char *rw_type_name(uint64_t type)
{
	static const char *const names[] = {"unknown", "counter", "gauge", "histogram",
		"gaugehistogram", "summary", "info", "stateset"};

	return type < ARRAY_LEN(names) ? names[type] : "unknown";
}
