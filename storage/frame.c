/* SPDX-License-Identifier: Apache-2.0 */
/* frame - commit groups to bytes and back; see frame.h. */
#include "storage/frame.h"

#include <snappy-c.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/rd.h"
#include "storage/hist_code.h"

enum {
	RUN_NEXT = 1,   /* series id is the one before + 1 */
	RUN_ONE = 2,    /* one row, in order */
	RUN_SAME_T = 4, /* RUN_ONE at the time of the row before */
	RUN_HIST = 8,   /* a byte a row: 1 = histogram bytes follow */
	RUN_START = 16, /* start timestamp a row */
};

#define COMPRESS_FROM 4096u /* new series' labels are worth compressing */

void frame_init(struct frame_writer *w)
{
	*w = (struct frame_writer){0};
	buf_init(&w->out, FRAME_BYTES);
	buf_init(&w->runs, FRAME_BYTES);
	buf_init(&w->values, FRAME_BYTES);
	buf_init(&w->packed, FRAME_BYTES);
}

void frame_fini(struct frame_writer *w)
{
	buf_fini(&w->out);
	buf_fini(&w->runs);
	buf_fini(&w->values);
	buf_fini(&w->packed);
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static void put_str(struct buf *b, struct str s)
{
	buf_varint(b, s.n);
	buf_str(b, s);
}

static void put_series(struct buf *b, const struct index *x, uint32_t id)
{
	const struct series *s = index_get(x, id);

	buf_varint(b, id);
	buf_varint(b, s->n_pairs);
	for (uint32_t i = 0; i < s->n_pairs; i++) {
		put_str(b, symtab_str(&x->sym, x->pairs[s->pairs[i]].name));
		put_str(b, symtab_str(&x->sym, x->pairs[s->pairs[i]].value));
	}
}

static char *put_raw_varint(char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (char)(v | 0x80);
	*p++ = (char)v;
	return p;
}

static void put_hist_row(struct buf *b, const struct hist *h)
{
	struct buf one;

	if (h == NULL) {
		buf_ch(b, 0);
		return;
	}
	buf_init(&one, FRAME_BYTES);
	hist_code_put(&one, h, NULL);
	buf_ch(b, 1);
	put_str(b, buf_view(&one));
	b->failed = b->failed || one.failed;
	buf_fini(&one);
}

static void put_rows(struct frame_writer *w, const struct batch *b, const struct batch_run *r,
	uint32_t rows, unsigned flags)
{
	for (uint32_t i = r->first; i < r->first + rows; i++) {
		if (!(flags & RUN_SAME_T))
			buf_varint(&w->runs, zigzag(b->t[i] - w->last_t));
		w->last_t = b->t[i];
		if (flags & RUN_START)
			buf_varint(&w->runs, zigzag(b->start[i]));
		if (flags & RUN_HIST)
			put_hist_row(&w->runs, b->h[i]);
		if (!(flags & RUN_HIST) || b->h[i] == NULL)
			buf_add(&w->values, &b->v[i], sizeof b->v[i]);
	}
}

static unsigned run_flags(const struct frame_writer *w, const struct batch *b,
	const struct batch_run *r, uint32_t rows)
{
	unsigned flags = r->id == w->last_id + 1 ? RUN_NEXT : 0;

	if (rows == 1 && r->late == 0)
		flags |= RUN_ONE | (b->t[r->first] == w->last_t ? RUN_SAME_T : 0u);
	for (uint32_t i = r->first; i < r->first + rows; i++) {
		flags |= b->h != NULL && b->h[i] != NULL ? RUN_HIST : 0u;
		flags |= b->start != NULL && b->start[i] != 0 ? RUN_START : 0u;
	}
	return flags;
}

static void put_run(struct frame_writer *w, const struct batch *b, const struct batch_run *r)
{
	uint32_t rows = r->in_order + r->late;
	unsigned flags;
	char *p;

	if (rows == 0)
		return;
	flags = run_flags(w, b, r, rows);
	p = buf_reserve(&w->runs, 32);
	if (p == NULL)
		return;
	*p++ = (char)flags;
	if (!(flags & RUN_NEXT))
		p = put_raw_varint(p, zigzag((int64_t)r->id - (int64_t)w->last_id));
	if (!(flags & RUN_ONE)) {
		p = put_raw_varint(p, r->in_order);
		p = put_raw_varint(p, r->late);
	}
	w->runs.n = (size_t)(p - w->runs.p);
	w->last_id = r->id;
	w->n_runs++;
	put_rows(w, b, r, rows, flags);
}

static void put_facts(struct buf *b, const struct frame_item *items, size_t n_items)
{
	size_t facts = 0, metas = 0;

	for (size_t i = 0; i < n_items; i++) {
		if (items[i].from == 0 && items[i].journal) {
			facts += items[i].b->n_facts;
			metas += items[i].b->n_metas;
		}
	}
	buf_varint(b, facts);
	for (size_t i = 0; i < n_items && facts > 0; i++) {
		const struct batch *x = items[i].b;

		for (size_t k = 0; items[i].from == 0 && items[i].journal && k < x->n_facts; k++) {
			put_str(b, x->facts[k].key);
			put_str(b, x->facts[k].value);
		}
	}
	buf_varint(b, metas);
	for (size_t i = 0; i < n_items && metas > 0; i++) {
		const struct batch *x = items[i].b;

		for (size_t k = 0; items[i].from == 0 && items[i].journal && k < x->n_metas; k++) {
			put_str(b, x->metas[k].metric);
			put_str(b, x->metas[k].type);
			put_str(b, x->metas[k].help);
			put_str(b, x->metas[k].unit);
		}
	}
}

static struct str compress(struct frame_writer *w)
{
	size_t n = snappy_max_compressed_length(w->out.n - 1);
	char *p;

	buf_reset(&w->packed);
	buf_ch(&w->packed, 1);
	p = buf_reserve(&w->packed, n);
	if (p == NULL || snappy_compress(w->out.p + 1, w->out.n - 1, p, &n) != SNAPPY_OK)
		return buf_view(&w->out);
	w->packed.n += n;
	return buf_view(&w->packed);
}

struct str frame_encode(struct frame_writer *w, const struct index *x, const uint32_t *new_ids,
	size_t n_new, const struct frame_item *items, size_t n_items)
{
	buf_reset(&w->out);
	buf_reset(&w->runs);
	buf_reset(&w->values);
	w->last_id = 0;
	w->last_t = 0;
	w->n_runs = 0;
	buf_ch(&w->out, 0);
	buf_varint(&w->out, n_new);
	for (size_t i = 0; i < n_new; i++)
		put_series(&w->out, x, new_ids[i]);
	put_facts(&w->out, items, n_items);
	for (size_t i = 0; i < n_items; i++) {
		for (size_t k = items[i].from; items[i].journal && k < items[i].to; k++)
			put_run(w, items[i].b, &items[i].b->runs[k]);
	}
	buf_varint(&w->out, w->n_runs);
	put_str(&w->out, buf_view(&w->runs));
	put_str(&w->out, buf_view(&w->values));
	if (w->out.failed || w->runs.failed || w->values.failed)
		return STR_NULL;
	return n_new > 0 && w->out.n > COMPRESS_FROM ? compress(w) : buf_view(&w->out);
}

/* --- reading --- */

static int malformed(struct err *e)
{
	return err_set(e, ERR_CORRUPT, 0, "malformed journal frame");
}

static struct str get_str(struct rd *r)
{
	return rd_bytes(r, rd_varint(r));
}

static int read_series(struct rd *r, const struct frame_sink *k, struct err *e)
{
	struct label v[LIMIT_LABELS];
	uint64_t n = rd_varint(r);

	for (; n > 0; n--) {
		uint64_t id = rd_varint(r), labels = rd_varint(r);

		if (r->bad || id == 0 || id > UINT32_MAX || labels > LIMIT_LABELS)
			return malformed(e);
		for (uint64_t i = 0; i < labels; i++) {
			v[i].name = get_str(r);
			v[i].value = get_str(r);
		}
		if (r->bad)
			return malformed(e);
		if (k->series(k->arg, (uint32_t)id, (struct labels){v, labels}, e) != 0)
			return -1;
	}
	return 0;
}

static int read_facts(struct rd *r, const struct frame_sink *k, struct err *e)
{
	uint64_t n = rd_varint(r);

	for (; n > 0 && !r->bad; n--) {
		struct str key = get_str(r), value = get_str(r);

		if (r->bad || k->fact(k->arg, key, value, e) != 0)
			return r->bad ? malformed(e) : -1;
	}
	n = rd_varint(r);
	for (; n > 0 && !r->bad; n--) {
		struct batch_meta m;

		m.metric = get_str(r);
		m.type = get_str(r);
		m.help = get_str(r);
		m.unit = get_str(r);
		if (r->bad || k->meta(k->arg, &m, e) != 0)
			return r->bad ? malformed(e) : -1;
	}
	return r->bad ? malformed(e) : 0;
}

struct run_reader {
	struct rd runs, values;
	int64_t id, t;
	const struct frame_sink *sink;
	struct arena *a;
};

static int read_row(struct run_reader *x, unsigned flags, bool late, struct err *e)
{
	const struct hist *h = NULL;
	int64_t start = 0;
	double v = 0;

	if (!(flags & RUN_SAME_T) && i64_add(x->t, rd_zigzag(&x->runs), &x->t))
		return malformed(e);
	if (flags & RUN_START)
		start = rd_zigzag(&x->runs);
	if ((flags & RUN_HIST) && rd_u8(&x->runs) == 1) {
		struct rd r = rd_of(get_str(&x->runs));

		h = hist_code_get(&r, NULL, x->a);
		if (h == NULL)
			return malformed(e);
	} else {
		v = f64_from_bits(rd_fixed64(&x->values));
	}
	if (x->runs.bad || x->values.bad)
		return malformed(e);
	return x->sink->row(x->sink->arg, (uint32_t)x->id, late, x->t, v, h, start, e);
}

static int read_run(struct run_reader *x, struct err *e)
{
	unsigned flags = rd_u8(&x->runs);
	uint64_t in_order = 1, late = 0;
	int64_t step = (flags & RUN_NEXT) ? 1 : rd_zigzag(&x->runs);

	if (!(flags & RUN_ONE)) {
		in_order = rd_varint(&x->runs);
		late = rd_varint(&x->runs);
	}
	if (x->runs.bad || i64_add(x->id, step, &x->id) || x->id <= 0 || x->id > UINT32_MAX)
		return malformed(e);
	for (uint64_t i = 0; i < in_order; i++) {
		if (read_row(x, flags, false, e) != 0)
			return -1;
	}
	for (uint64_t i = 0; i < late; i++) {
		if (read_row(x, flags, true, e) != 0)
			return -1;
	}
	return 0;
}

static struct str uncompress(struct str packed, struct arena *a, struct err *e)
{
	size_t n;
	char *p;

	if (snappy_uncompressed_length(packed.p, packed.n, &n) != SNAPPY_OK || n > FRAME_BYTES) {
		(void)malformed(e);
		return STR_NULL;
	}
	p = ARENA_ARRAY(a, n, char);
	if (p == NULL || snappy_uncompress(packed.p, packed.n, p, &n) != SNAPPY_OK) {
		(void)malformed(e);
		return STR_NULL;
	}
	return str_n(p, n);
}

int frame_decode(struct str frame, const struct frame_sink *sink, struct arena *a, struct err *e)
{
	struct run_reader x = {.sink = sink, .a = a};
	struct str body;
	struct rd r;
	uint64_t n;

	if (frame.n < 1 || (unsigned char)frame.p[0] > 1)
		return malformed(e);
	body = str_sub(frame, 1, frame.n);
	if (frame.p[0] == 1)
		body = uncompress(body, a, e);
	if (body.p == NULL)
		return -1;
	r = rd_of(body);
	if (read_series(&r, sink, e) != 0 || read_facts(&r, sink, e) != 0)
		return -1;
	n = rd_varint(&r);
	x.runs = rd_of(get_str(&r));
	x.values = rd_of(get_str(&r));
	if (r.bad)
		return malformed(e);
	for (; n > 0; n--) {
		if (read_run(&x, e) != 0)
			return -1;
	}
	return rd_more(&x.runs) || rd_more(&x.values) || rd_more(&r) ? malformed(e) : 0;
}
