/* SPDX-License-Identifier: Apache-2.0 */
/* pack - writing and walking packs; see pack.h. */
#include "storage/pack.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/num.h"

#define PACK_BYTES ((size_t)64 << 20)

void pack_init(struct pack_writer *w)
{
	*w = (struct pack_writer){.mint = INT64_MAX, .maxt = INT64_MIN};
	buf_init(&w->head, PACK_BYTES);
	buf_init(&w->body, PACK_BYTES);
}

void pack_fini(struct pack_writer *w)
{
	buf_fini(&w->head);
	buf_fini(&w->body);
}

void pack_reset(struct pack_writer *w)
{
	buf_reset(&w->head);
	buf_reset(&w->body);
	w->n = w->last = 0;
	w->mint = INT64_MAX;
	w->maxt = INT64_MIN;
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

void pack_add(struct pack_writer *w, uint32_t series, int64_t mint, int64_t maxt, struct str chunk)
{
	ASSERT(series >= w->last);
	ASSERT(mint <= maxt);
	if (w->n == 0)
		w->base = mint;
	buf_varint(&w->head, series - w->last);
	buf_varint(&w->head, zigzag(mint - w->base));
	buf_varint(&w->head, (uint64_t)(maxt - mint));
	buf_varint(&w->head, chunk.n);
	buf_str(&w->body, chunk);
	w->last = series;
	w->mint = MIN_OF(w->mint, mint);
	w->maxt = MAX_OF(w->maxt, maxt);
	w->n++;
}

bool pack_finish(struct pack_writer *w, struct buf *out)
{
	uint32_t sum;

	buf_reset(out);
	buf_ch(out, 1);
	buf_varint(out, w->n);
	buf_add(out, &w->base, sizeof w->base);
	buf_str(out, buf_view(&w->head));
	buf_str(out, buf_view(&w->body));
	if (out->failed || w->head.failed || w->body.failed)
		return false;
	sum = (uint32_t)hash_fixed(out->p, out->n);
	buf_add(out, &sum, sizeof sum);
	return !out->failed;
}

static int malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, 0, "pack of chunks: %s", what);
}

/* Walk the directory once to find where the bodies begin. */
static int find_body(struct pack_reader *r, const uint8_t *end, struct err *e)
{
	struct rd d = r->dir;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < r->left; i++) {
		uint64_t len;

		(void)rd_varint(&d);
		(void)rd_varint(&d);
		(void)rd_varint(&d);
		len = rd_varint(&d);
		if (d.bad || len > PACK_BYTES)
			return malformed(e, "broken directory");
		bytes += len;
	}
	if (bytes != (uint64_t)(end - d.p))
		return malformed(e, "lengths do not add up");
	r->body = d.p;
	r->end = end;
	r->dir.end = d.p;
	return 0;
}

int pack_open(struct pack_reader *r, struct str blob, bool verify, struct err *e)
{
	uint32_t sum;
	uint64_t n;

	if (blob.n < sizeof sum + 2)
		return malformed(e, "too short");
	memcpy(&sum, blob.p + blob.n - sizeof sum, sizeof sum);
	blob.n -= sizeof sum;
	if (verify && sum != (uint32_t)hash_fixed(blob.p, blob.n))
		return malformed(e, "checksum differs");
	*r = (struct pack_reader){.dir = rd_of(blob)};
	if (rd_u8(&r->dir) != 1)
		return malformed(e, "unknown format");
	n = rd_varint(&r->dir);
	if (r->dir.bad || n > PACK_CHUNKS_MAX)
		return malformed(e, "broken count");
	r->left = (uint32_t)n;
	r->base = (int64_t)rd_fixed64(&r->dir);
	return find_body(r, (const uint8_t *)blob.p + blob.n, e);
}

int pack_next(struct pack_reader *r, struct pack_entry *out, struct err *e)
{
	uint64_t id, len, span;
	int64_t offset;

	if (r->left == 0)
		return 0;
	r->left--;
	id = r->last + rd_varint(&r->dir);
	offset = rd_zigzag(&r->dir);
	span = rd_varint(&r->dir);
	len = rd_varint(&r->dir);
	if (r->dir.bad || id > UINT32_MAX || len > (uint64_t)(r->end - r->body) ||
		i64_add(r->base, offset, &out->mint) || span > INT64_MAX ||
		i64_add(out->mint, (int64_t)span, &out->maxt))
		return malformed(e, "broken entry");
	out->series = r->last = (uint32_t)id;
	out->chunk = str_n((const char *)r->body, (size_t)len);
	r->body += len;
	return 1;
}
