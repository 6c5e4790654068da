/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint - all that is only in memory becomes the base of a new journal segment.
 *
 * Order: partitions are synced, the catalog is brought up to date, the new segment is written and
 * completed in one transaction, the old one is unlinked. A crash between two steps leaves the old
 * segment as the truth, and doing the steps again does no harm.
 * A blob holds records of series: id, range, what was accepted last, open strip, closed strips,
 * late rows (as a strip).
 */
#include "base/assert.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rd.h"
#include "base/seam.h"
#include "storage/store_int.h"

#define BLOB_BYTES ((size_t)1 << 20)

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static void put_i64(struct buf *b, int64_t v)
{
	buf_varint(b, zigzag(v));
}

static void put_fixed(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof v);
}

static void put_chain(struct buf *b, const struct cells *m, const struct chain *h)
{
	char *p;

	buf_varint(b, h->len);
	p = buf_reserve(b, h->len);
	if (p == NULL)
		return;
	chain_copy(m, h, p);
	b->n += h->len;
}

static bool put_late(struct buf *b, struct cells *m, const struct late *l)
{
	struct strip s;

	buf_varint(b, l != NULL ? l->n : 0);
	for (uint32_t i = 0; l != NULL && i < l->n;) {
		const struct late_row *r = &l->rows[i];

		/* each row a strip of its own: few, and never too large for one */
		strip_init(&s);
		if (!strip_append(m, &s, r->t, r->v, r->h, r->start)) {
			strip_fini(m, &s);
			return false;
		}
		put_chain(b, m, &s.bytes);
		strip_fini(m, &s);
		i++;
	}
	return true;
}

static bool put_series(
	struct buf *b, const struct index *x, struct cells *m, const struct head_series *hd)
{
	const struct series *s = index_get(x, hd->id);
	uint64_t n = 0;

	buf_varint(b, hd->id);
	put_fixed(b, (uint64_t)s->mint);
	put_fixed(b, (uint64_t)s->maxt);
	buf_ch(b, hd->last_known ? 1 : 0);
	put_fixed(b, f64_bits(hd->last_v));
	put_fixed(b, (uint64_t)hd->disk_maxt);
	buf_ch(b, (char)hd->level);
	put_i64(b, hd->part_start);
	put_i64(b, hd->part_end);
	put_chain(b, m, &hd->open.bytes);
	buf_varint(b, hd->open.run);
	for (const struct closed *c = hd->closed; c != NULL; c = c->next)
		n++;
	buf_varint(b, n);
	for (const struct closed *c = hd->closed; c != NULL; c = c->next) {
		put_i64(b, c->mint);
		put_i64(b, c->maxt);
		put_i64(b, c->part_start);
		buf_ch(b, (char)c->level);
		buf_varint(b, c->len);
		buf_add(b, c->bytes, c->len);
	}
	return put_late(b, m, hd->late) && !b->failed;
}

static int write_base(struct store *st, struct journal *j, struct err *e)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, (size_t)256 << 20);
	for (uint32_t i = 0; i < st->head.n && rc == 0; i++) {
		if (!put_series(&b, &st->index, &st->head.cells, st->head.v[i]))
			rc = err_set(e, ERR_LIMIT, 0, "no memory for a checkpoint");
		if (rc == 0 && b.n >= BLOB_BYTES) {
			rc = journal_add_base(j, buf_view(&b), e);
			buf_reset(&b);
		}
	}
	if (rc == 0 && b.n > 0)
		rc = journal_add_base(j, buf_view(&b), e);
	buf_fini(&b);
	return rc;
}

static int settle_parts(struct store *st, struct err *e)
{
	for (size_t i = 0; i < st->parts.n; i++) {
		if (st->parts.v[i]->wal_bytes > 0 && part_settle(st->parts.v[i], false, e) != 0)
			return -1;
	}
	return 0;
}

int checkpoint_write(struct store *st, struct err *e)
{
	int64_t gen = MAX_OF(st->journal.gen, st->catalog.gen) + 1;
	struct journal next;
	bool sync = st->index.n_series > 0 || st->facts.n > 0; /* else there is nothing to lose */

	ASSERT(st->n_items == 0);
	if (st->journal.db != NULL)
		gen = st->journal.gen + 1; /* partitions hold rows of this generation */
	if (settle_parts(st, e) != 0)
		return -1;
	for (uint32_t i = 0; i < st->n_new; i++)
		index_get(&st->index, st->new_ids[i])->logged = false;
	if (catalog_save(&st->catalog, &st->index, &st->meta, &st->facts, gen, sync, e) != 0)
		return -1;
	SEAM_CRASH("catalog.written");
	if (journal_create(&next, st->dir, gen, st->db_flags, sync, e) != 0)
		return -1;
	if (write_base(st, &next, e) != 0 || journal_complete(&next, sync, e) != 0) {
		journal_discard(&next);
		return -1;
	}
	SEAM_CRASH("checkpoint.written");
	store_wrlock(st);
	smap_fini(&st->facts);
	store_unlock(st);
	if (st->journal.db != NULL)
		journal_discard(&st->journal);
	SEAM_CRASH("segment.unlinked");
	st->journal = next;
	st->journal_bad = false;
	upkeep_gap_end(st);
	for (uint32_t id = 1; id < st->index.next_id; id++) {
		struct series *s = index_get(&st->index, id);

		if (s != NULL)
			s->logged = true;
	}
	return 0;
}

/* --- reading --- */

static int malformed(struct err *e)
{
	return err_set(e, ERR_CORRUPT, 0, "malformed checkpoint");
}

static struct str get_str(struct rd *r)
{
	return rd_bytes(r, rd_varint(r));
}

static int get_open(struct store *st, struct head_series *hd, struct rd *r, struct err *e)
{
	struct str bytes;
	uint64_t run;

	hd->level = rd_u8(r);
	hd->part_start = rd_zigzag(r);
	hd->part_end = rd_zigzag(r);
	bytes = get_str(r);
	run = rd_varint(r);
	if (r->bad || hd->level >= PART_LEVELS || run > STRIP_ROWS || bytes.n > UINT32_MAX / 2)
		return malformed(e);
	if (bytes.n == 0)
		return 0;
	if (strip_restore(&st->head.cells, &hd->open, bytes, (uint16_t)run, e) != 0)
		return -1;
	return 0;
}

static int get_closed(struct store *st, struct head_series *hd, struct rd *r, struct err *e)
{
	uint64_t n = rd_varint(r);

	for (; n > 0 && !r->bad; n--) {
		struct closed like = {.mint = rd_zigzag(r), .maxt = rd_zigzag(r)};
		struct str bytes;

		like.part_start = rd_zigzag(r);
		like.level = rd_u8(r);
		bytes = get_str(r);
		if (r->bad || like.level >= PART_LEVELS || like.mint > like.maxt)
			return malformed(e);
		head_add_closed(&st->head, hd, &like, bytes);
	}
	return r->bad ? malformed(e) : 0;
}

static int get_late(struct store *st, struct head_series *hd, struct rd *r, struct err *e)
{
	uint64_t n = rd_varint(r);
	struct arena a;
	struct cols c;
	int rc = 0;

	cols_init(&c);
	arena_init(&a, (size_t)64 << 20);
	for (; n > 0 && rc == 0; n--) {
		struct str bytes = get_str(r);

		cols_reset(&c);
		if (r->bad || strip_decode(bytes, 0, &c, &a, e) != 0 || c.n != 1)
			rc = malformed(e);
		else
			head_late(&st->head, hd, c.t[0], c.v[0], c.h ? c.h[0] : NULL,
				c.start ? c.start[0] : 0);
	}
	cols_fini(&c);
	arena_fini(&a);
	return r->bad ? malformed(e) : rc;
}

static int get_series(struct store *st, struct rd *r, struct err *e)
{
	uint64_t id = rd_varint(r);
	int64_t mint = (int64_t)rd_fixed64(r), maxt = (int64_t)rd_fixed64(r);
	struct head_series *hd;
	struct series *s;

	s = id < UINT32_MAX ? index_get(&st->index, (uint32_t)id) : NULL;
	if (r->bad || s == NULL || s->hd != NULL)
		return malformed(e);
	hd = head_get(&st->head, (uint32_t)id);
	s->mint = MIN_OF(s->mint, mint);
	s->maxt = MAX_OF(s->maxt, maxt);
	hd->last_t = s->maxt;
	hd->last_known = rd_u8(r) != 0;
	hd->last_v = f64_from_bits(rd_fixed64(r));
	hd->disk_maxt = (int64_t)rd_fixed64(r);
	if (get_open(st, hd, r, e) != 0 || get_closed(st, hd, r, e) != 0)
		return -1;
	return get_late(st, hd, r, e);
}

int checkpoint_load(struct store *st, struct str blob, struct err *e)
{
	struct rd r = rd_of(blob);

	while (rd_more(&r)) {
		if (get_series(st, &r, e) != 0)
			return -1;
	}
	return 0;
}
