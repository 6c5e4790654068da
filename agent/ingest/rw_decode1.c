/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rw_decode1 - remote write 1.0. A series is its label block (the run of label fields it begins
 * with) and its rows; the block's bytes are the cache's key, so that for a known series no label
 * is looked at. Series whose labels stand elsewhere are legal and take the slow way.
 */
#include "agent/ingest/rw_wire.h"
#include "base/limits.h"

#define LABEL_TAG WIRE_TAG(1, WIRE_LEN)

/* What a walk over a series without its label block finds. */
struct rest {
	size_t rows, exemplars;
	bool labels; /* there are label fields outside the block */
};

static struct rest scan_rest(struct rd *r)
{
	struct rest x = {0};
	uint32_t tag;

	while ((tag = wire_tag(r)) != 0) {
		if (tag == WIRE_TAG(2, WIRE_LEN) || tag == WIRE_TAG(4, WIRE_LEN))
			x.rows++;
		else if (tag == WIRE_TAG(3, WIRE_LEN))
			x.exemplars++;
		else if (tag == LABEL_TAG)
			x.labels = true;
		else if (tag >> 3 <= 4)
			r->bad = true;
		wire_skip(r, tag);
	}
	return x;
}

static struct label label(struct rd *r)
{
	struct rd in = rd_of(wire_bytes(r));
	struct label l = {STR(""), STR("")};
	uint32_t tag;

	while (!r->bad && (tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_LEN))
			l.name = wire_bytes(&in);
		else if (tag == WIRE_TAG(2, WIRE_LEN))
			l.value = wire_bytes(&in);
		else
			wire_other(&in, tag, 2);
	}
	r->bad |= in.bad;
	return l;
}

/* All labels of the message, wherever they stand. */
static uint32_t name_series(struct rw_decoder *d, struct rd *msg, size_t rows)
{
	struct label few[LIMIT_LABELS + 1];
	struct rd r = *msg;
	uint32_t tag;
	size_t n = 0;

	while ((tag = wire_tag(&r)) != 0) {
		if (tag == LABEL_TAG) {
			struct label l = label(&r);

			if (n < LIMIT_LABELS + 1) /* one over the limit is enough to refuse it */
				few[n++] = l;
		} else {
			wire_skip(&r, tag);
		}
	}
	if (r.bad) {
		msg->bad = true;
		return RW_REFUSED;
	}
	return d->sink.series_labels(d->sink.ctx, few, n, rows);
}

static void sample(struct rw_decoder *d, struct rd *r)
{
	struct rd in = rd_of(wire_bytes(r));
	int64_t t = 0, start = 0;
	double v = 0;
	uint32_t tag;

	while (!r->bad && (tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_64))
			v = wire_double(&in);
		else if (tag == WIRE_TAG(2, WIRE_VARINT))
			t = (int64_t)rd_varint(&in);
		else if (d->starts && tag == WIRE_TAG(3, WIRE_VARINT))
			start = (int64_t)rd_varint(&in);
		else
			wire_other(&in, tag, 2);
	}
	r->bad |= in.bad;
	if (!r->bad)
		d->sink.sample(d->sink.ctx, t, v, start);
}

static int histogram(struct rw_decoder *d, struct rd *r)
{
	struct arena_mark mark = arena_mark(d->scratch);
	struct rd in = rd_of(wire_bytes(r));
	struct rw_hist x;
	struct err e = {0};

	if (r->bad || rw_hist(in, d->scratch, &x, &e) != 0)
		return -1;
	if (x.sound)
		d->sink.hist(d->sink.ctx, x.t_ms, &x.h, d->starts ? x.start_ms : 0);
	else
		d->sink.bad_hist(d->sink.ctx, e.msg);
	arena_release(d->scratch, mark);
	return 0;
}

static void rows(struct rw_decoder *d, struct rd *r)
{
	uint32_t tag;

	while ((tag = wire_tag(r)) != 0) {
		if (tag == WIRE_TAG(2, WIRE_LEN))
			sample(d, r);
		else if (tag == WIRE_TAG(4, WIRE_LEN))
			r->bad |= histogram(d, r) != 0;
		else
			wire_skip(r, tag);
	}
}

/* The entry that was expected here, if the series begins with exactly its label block. */
static struct rw_entry *as_expected(struct rw_cache *c, struct rd msg)
{
	struct rw_entry *e = c != NULL ? rw_cache_expected(c) : NULL;
	size_t n = rd_left(&msg);
	struct rw_key key;

	if (e == NULL || e->raw_len == 0 || n < e->raw_len ||
		(n > e->raw_len && msg.p[e->raw_len] == LABEL_TAG))
		return NULL;
	key = rw_key_of(c, msg.p, e->raw_len);
	return key.lo == e->key.lo && key.hi == e->key.hi ? e : NULL;
}

static size_t block_len(struct rd msg)
{
	const uint8_t *from = msg.p;

	while (rd_more(&msg) && *msg.p == LABEL_TAG) {
		msg.p++;
		(void)wire_bytes(&msg);
	}
	return msg.bad ? 0 : (size_t)(msg.p - from);
}

/* Names the series to the sink; false when its rows are to be skipped. */
static bool series_begins(struct rw_decoder *d, struct rd *msg, struct rd *rest)
{
	struct rw_cache *c = d->cache;
	struct rw_entry *e = as_expected(c, *msg);
	size_t len = e != NULL ? e->raw_len : block_len(*msg);
	struct rw_key key = {0, 0};
	struct rest x;
	uint32_t id;

	rest->p = msg->p + len;
	{
		struct rd look = *rest;

		x = scan_rest(&look);
		if (look.bad) {
			msg->bad = true;
			return false;
		}
	}
	if (x.exemplars > 0)
		d->sink.exemplars(d->sink.ctx, x.exemplars);
	if (c != NULL && e == NULL && !x.labels && len > 0) {
		key = rw_key_of(c, msg->p, len);
		e = rw_cache_find(c, &key);
	}
	if (e != NULL && !x.labels) {
		rw_cache_came(c, e);
		if (x.rows > 0)
			d->sink.series_id(d->sink.ctx, e->id);
		return x.rows > 0;
	}
	id = name_series(d, msg, x.rows);
	if (c != NULL && id != 0 && id != RW_REFUSED && !x.labels && len > 0)
		(void)rw_cache_add(c, &key, (uint32_t)len, id);
	else if (c != NULL)
		rw_cache_broke(c);
	return id != RW_REFUSED && !msg->bad;
}

static void series(struct rw_decoder *d, struct rd *r)
{
	struct rd msg = rd_of(wire_bytes(r)), rest;

	if (r->bad)
		return;
	rest = msg;
	if (series_begins(d, &msg, &rest))
		rows(d, &rest);
	r->bad |= msg.bad || rest.bad;
}

static void metadata(struct rw_decoder *d, struct rd *r)
{
	struct rd in = rd_of(wire_bytes(r));
	struct str metric = STR(""), help = STR(""), unit = STR("");
	uint64_t type = 0;
	uint32_t tag;

	while (!r->bad && (tag = wire_tag(&in)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_VARINT))
			type = rd_varint(&in);
		else if (tag == WIRE_TAG(2, WIRE_LEN))
			metric = wire_bytes(&in);
		else if (tag == WIRE_TAG(4, WIRE_LEN))
			help = wire_bytes(&in);
		else if (tag == WIRE_TAG(5, WIRE_LEN))
			unit = wire_bytes(&in);
		else if (tag >> 3 <= 5 && tag >> 3 != 3)
			in.bad = true;
		else
			wire_skip(&in, tag);
	}
	r->bad |= in.bad;
	if (!r->bad)
		d->sink.metadata(d->sink.ctx, metric, rw_type_name(type), help, unit);
}

int rw_decode1(struct rw_decoder *d, struct str body, struct err *e)
{
	struct rd r = rd_of(body);
	const uint8_t *at = r.p;
	uint32_t tag;

	while ((tag = wire_tag(&r)) != 0) {
		if (tag == WIRE_TAG(1, WIRE_LEN))
			series(d, &r);
		else if (tag == WIRE_TAG(3, WIRE_LEN))
			metadata(d, &r);
		else if (tag >> 3 == 1 || tag >> 3 == 3)
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
