/* SPDX-License-Identifier: Apache-2.0 */
/* message_pack - varints, labels_blobs and doubles in a fixed order; see message_pack.h. */
#include "exporters/message_pack.h"

#include "base/f64.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/rd.h"
#include "storage/labels_blob.h"

#define VERSION 1 /* a row of another form goes without: it is not rendered anew */

static void put_str(struct buf *b, struct str s)
{
	buf_varint(b, s.n);
	buf_str(b, s);
}

static void put_labels(struct buf *b, struct labels ls)
{
	struct buf one;

	buf_init(&one, (size_t)16 << 20);
	labels_blob_write(&one, ls);
	put_str(b, buf_view(&one));
	buf_fini(&one);
}

static void put_f64(struct buf *b, double v)
{
	uint64_t bits = f64_bits(v);

	buf_add(b, &bits, sizeof bits);
}

void message_pack(const struct message *m, struct buf *out)
{
	buf_varint(out, VERSION);
	buf_varint(out, (uint64_t)m->reason);
	buf_varint(out, (uint64_t)m->now_ms);
	buf_varint(out, (uint64_t)m->incident_ms);
	put_labels(out, m->group_labels);
	put_labels(out, m->route_labels);
	buf_varint(out, m->n);
	for (size_t i = 0; i < m->n; i++) {
		const struct message_alert *al = &m->alerts[i];

		buf_varint(out, al->firing);
		buf_add(out, &al->fingerprint, sizeof al->fingerprint);
		buf_varint(out, (uint64_t)al->starts_at_ms);
		buf_varint(out, (uint64_t)al->ends_at_ms);
		put_f64(out, al->value);
		put_f64(out, al->current);
		put_f64(out, al->worst);
		put_f64(out, al->threshold);
		put_str(out, str_c(al->op));
		put_str(out, al->rule);
		put_str(out, al->group);
		put_str(out, al->expr);
		put_str(out, al->generator_url);
		put_labels(out, al->labels);
		put_labels(out, al->annotations);
	}
	put_str(out, m->thread); /* older rows end before it */
}

static struct str get_str(struct rd *r)
{
	return rd_bytes(r, rd_varint(r));
}

static struct labels get_labels(struct rd *r, struct arena *a)
{
	struct labels ls = {NULL, 0};
	struct str blob = get_str(r);
	struct err e;

	if (!r->bad && labels_blob_read(blob, a, &ls, &e) != 0)
		r->bad = true;
	return ls;
}

static const char *get_op(struct rd *r)
{
	static const char *const ops[] = {">", ">=", "<", "<=", "==", "!="};
	struct str op = get_str(r);

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (str_eq(op, str_c(ops[i])))
			return ops[i];
	}
	return "";
}

static void get_alert(struct rd *r, struct arena *a, struct message_alert *al)
{
	al->firing = rd_varint(r) != 0;
	al->fingerprint = rd_fixed64(r);
	al->starts_at_ms = (int64_t)rd_varint(r);
	al->ends_at_ms = (int64_t)rd_varint(r);
	al->value = f64_from_bits(rd_fixed64(r));
	al->current = f64_from_bits(rd_fixed64(r));
	al->worst = f64_from_bits(rd_fixed64(r));
	al->threshold = f64_from_bits(rd_fixed64(r));
	al->op = get_op(r);
	al->rule = get_str(r);
	al->group = get_str(r);
	al->expr = get_str(r);
	al->generator_url = get_str(r);
	al->labels = get_labels(r, a);
	al->annotations = get_labels(r, a);
}

int message_unpack(struct str bytes, struct arena *a, struct message *m, struct err *e)
{
	struct rd r = rd_of(bytes);
	struct message_alert *v;
	uint64_t n;

	if (rd_varint(&r) != VERSION)
		return err_set(e, ERR_CORRUPT, 0, "a stored message of an unknown form");
	m->reason = (enum message_reason)rd_varint(&r);
	m->now_ms = (int64_t)rd_varint(&r);
	m->incident_ms = (int64_t)rd_varint(&r);
	m->group_labels = get_labels(&r, a);
	m->route_labels = get_labels(&r, a);
	n = rd_varint(&r);
	if (r.bad || n == 0 || n > rd_left(&r) || (unsigned)m->reason > REASON_REPEAT)
		return err_set(e, ERR_CORRUPT, 0, "a damaged stored message");
	v = ARENA_ARRAY(a, n, struct message_alert);
	for (size_t i = 0; v != NULL && i < n; i++)
		get_alert(&r, a, &v[i]);
	if (rd_more(&r))
		m->thread = get_str(&r);
	if (v == NULL || a->failed || r.bad)
		return err_set(e, r.bad ? ERR_CORRUPT : ERR_LIMIT, 0,
			r.bad ? "a damaged stored message" : "a stored message is too large");
	message_finish(m, v, n, a);
	return 0;
}
