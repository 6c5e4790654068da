/* SPDX-License-Identifier: Apache-2.0 */
/* rw_encode - see rw_encode.h; field numbers: agent/ingest/proto/. */
#include "agent/ingest/rw_encode.h"

#include <string.h>

#include "agent/ingest/rw_wire.h"

static void tag(struct buf *b, unsigned field, enum wire w)
{
	buf_varint(b, WIRE_TAG(field, w));
}

void rw_encode_bytes(struct buf *b, unsigned field, struct str s)
{
	tag(b, field, WIRE_LEN);
	buf_varint(b, s.n);
	buf_str(b, s);
}

void rw_encode_varint(struct buf *b, unsigned field, uint64_t v)
{
	tag(b, field, WIRE_VARINT);
	buf_varint(b, v);
}

static void put_f64(struct buf *b, unsigned field, double v)
{
	tag(b, field, WIRE_64);
	buf_add(b, &v, sizeof v);
}

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

/* A message of few bytes, written in place. */
static void end_message(struct buf *out, unsigned field, const struct buf *b)
{
	rw_encode_bytes(out, field, buf_view(b));
}

static void put_label(struct buf *out, const struct label *l, struct buf *part)
{
	buf_reset(part);
	rw_encode_bytes(part, 1, l->name);
	rw_encode_bytes(part, 2, l->value);
	end_message(out, 1, part);
}

static void put_sample(struct buf *out, int64_t t, double v, int64_t start, struct buf *part)
{
	buf_reset(part);
	put_f64(part, 1, v);
	rw_encode_varint(part, 2, (uint64_t)t);
	if (start != 0)
		rw_encode_varint(part, 3, (uint64_t)start);
	end_message(out, 2, part);
}

/* --- histograms --- */

/* Numbers of one packed field: its length is known beforehand, or measured. */
static void put_doubles(struct buf *b, unsigned field, const double *v, uint32_t n)
{
	if (n > 0)
		rw_encode_bytes(b, field, str_n((const char *)v, n * sizeof *v));
}

static size_t varint_len(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static void put_deltas(struct buf *b, unsigned field, const struct hist_side *s)
{
	int64_t last = 0;
	size_t len = 0;

	for (uint32_t i = 0; i < s->n_counts; i++) {
		len += varint_len(zigzag((int64_t)s->counts[i] - last));
		last = (int64_t)s->counts[i];
	}
	if (len == 0)
		return;
	tag(b, field, WIRE_LEN);
	buf_varint(b, len);
	last = 0;
	for (uint32_t i = 0; i < s->n_counts; i++) {
		buf_varint(b, zigzag((int64_t)s->counts[i] - last));
		last = (int64_t)s->counts[i];
	}
}

static void put_side(struct buf *b, unsigned spans, const struct hist_side *s, bool is_int)
{
	for (uint32_t i = 0; i < s->n_spans; i++) {
		uint64_t offset = zigzag(s->spans[i].offset), length = s->spans[i].length;

		tag(b, spans, WIRE_LEN);
		buf_varint(b, 2 + varint_len(offset) + varint_len(length));
		rw_encode_varint(b, 1, offset);
		rw_encode_varint(b, 2, length);
	}
	if (is_int)
		put_deltas(b, spans + 1, s);
	else
		put_doubles(b, spans + 2, s->counts, s->n_counts);
}

static void put_hist(
	struct buf *out, int64_t t, const struct hist *h, int64_t start, struct buf *part)
{
	buf_reset(part);
	if (h->is_int)
		rw_encode_varint(part, 1, (uint64_t)h->count);
	else
		put_f64(part, 2, h->count);
	put_f64(part, 3, h->sum);
	rw_encode_varint(part, 4, zigzag(h->schema));
	put_f64(part, 5, h->zero_threshold);
	if (h->is_int)
		rw_encode_varint(part, 6, (uint64_t)h->zero_count);
	else
		put_f64(part, 7, h->zero_count);
	put_side(part, 8, &h->neg, h->is_int);
	put_side(part, 11, &h->pos, h->is_int);
	rw_encode_varint(part, 14, h->reset);
	rw_encode_varint(part, 15, (uint64_t)t);
	put_doubles(part, 16, h->custom, h->n_custom);
	if (start != 0)
		rw_encode_varint(part, 17, (uint64_t)start);
	end_message(out, 4, part);
}

void rw_encode_series(struct buf *out, unsigned field, struct labels ls, const struct store_cols *c,
	struct buf *scratch)
{
	struct buf part;

	buf_init(&part, scratch->max);
	buf_reset(scratch);
	for (size_t i = 0; i < ls.n; i++)
		put_label(scratch, &ls.v[i], &part);
	for (size_t i = 0; i < c->n; i++) {
		int64_t start = c->start != NULL ? c->start[i] : 0;

		if (c->h != NULL && c->h[i] != NULL)
			put_hist(scratch, c->t[i], c->h[i], start, &part);
		else
			put_sample(scratch, c->t[i], c->v[i], start, &part);
	}
	if (part.failed || scratch->failed)
		out->failed = true;
	else
		rw_encode_bytes(out, field, buf_view(scratch));
	buf_fini(&part);
}
