/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_encode - PNG (ISO 15948) with a palette. Colours are counted with five bits a channel:
 * finer shades of smoothed edges are not seen; the most frequent 112 are kept. Level 7 of deflate
 * takes a third of the time of 9, and a seventh more bytes.
 */
#include "exporters/graph_encode.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/num.h"

#define CELLS  32768u /* colours of 15 bits */
#define COLORS 112u

struct palette {
	uint32_t count[CELLS];
	uint8_t index[CELLS];
	uint32_t sum[CELLS][3]; /* of the exact colours in a cell: their mean is shown */
	uint32_t cell[COLORS];
	size_t n;
};

static uint32_t pixel(const unsigned char *row, unsigned x)
{
	uint32_t v;

	memcpy(&v, row + (size_t)x * 4, sizeof v);
	return v & 0xffffff;
}

static uint32_t cell_of(uint32_t rgb)
{
	return (rgb >> 19 & 31) << 10 | (rgb >> 11 & 31) << 5 | (rgb >> 3 & 31);
}

struct ranked {
	uint32_t cell, count;
};

static int by_count(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->count != y->count ? (x->count > y->count ? -1 : 1)
				    : (x->cell > y->cell) - (x->cell < y->cell);
}

static uint32_t distance(uint32_t a, uint32_t b)
{
	int32_t d[3];

	for (unsigned i = 0; i < 3; i++)
		d[i] = (int32_t)(a >> 5 * i & 31) - (int32_t)(b >> 5 * i & 31);
	return (uint32_t)(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
}

static bool choose(struct palette *p)
{
	struct ranked *v = malloc(CELLS * sizeof *v);
	size_t used = 0;

	if (v == NULL)
		return false;
	for (uint32_t i = 0; i < CELLS; i++) {
		if (p->count[i] > 0)
			v[used++] = (struct ranked){i, p->count[i]};
	}
	qsort(v, used, sizeof *v, by_count);
	p->n = MIN_OF(used, (size_t)COLORS);
	for (size_t i = 0; i < used; i++) {
		size_t best = 0;

		for (size_t k = 0; i >= COLORS && k < COLORS; k++) {
			if (distance(p->cell[k], v[i].cell) < distance(p->cell[best], v[i].cell))
				best = k;
		}
		if (i < COLORS) {
			p->cell[i] = v[i].cell;
			best = i;
		}
		p->index[v[i].cell] = (uint8_t)best;
	}
	free(v);
	return true;
}

static void put_u32(unsigned char *to, uint32_t v)
{
	to[0] = (unsigned char)(v >> 24);
	to[1] = (unsigned char)(v >> 16);
	to[2] = (unsigned char)(v >> 8);
	to[3] = (unsigned char)v;
}

static void chunk(struct buf *out, const char *type, const unsigned char *data, size_t n)
{
	unsigned char word[4];
	uLong crc;

	put_u32(word, (uint32_t)n);
	buf_add(out, word, 4);
	buf_add(out, type, 4);
	buf_add(out, data, n);
	crc = crc32(0, (const Bytef *)type, 4);
	if (n > 0) /* crc32 of NULL would begin anew */
		crc = crc32(crc, data, (uInt)n);
	put_u32(word, (uint32_t)crc);
	buf_add(out, word, 4);
}

static void put_head(struct buf *out, unsigned width, unsigned height, const struct palette *p)
{
	unsigned char head[13] = {0}, colors[COLORS * 3];

	buf_add(out, "\x89PNG\r\n\x1a\n", 8);
	put_u32(head, width);
	put_u32(head + 4, height);
	head[8] = 8; /* bits */
	head[9] = 3; /* palette */
	chunk(out, "IHDR", head, sizeof head);
	for (size_t i = 0; i < p->n; i++) {
		for (size_t c = 0; c < 3; c++)
			colors[i * 3 + c] =
				(unsigned char)(p->sum[p->cell[i]][c] / p->count[p->cell[i]]);
	}
	chunk(out, "PLTE", colors, p->n * 3);
}

/* Rows of palette indices, each behind its filter byte (0: none, the best for a palette). */
static unsigned char *index_rows(const unsigned char *pixels, unsigned width, unsigned height,
	size_t stride, const struct palette *p)
{
	unsigned char *rows = malloc((size_t)height * (width + 1));

	for (unsigned y = 0; rows != NULL && y < height; y++) {
		unsigned char *to = rows + (size_t)y * (width + 1);

		*to++ = 0;
		for (unsigned x = 0; x < width; x++)
			to[x] = p->index[cell_of(pixel(pixels + y * stride, x))];
	}
	return rows;
}

int graph_encode_png(const unsigned char *pixels, unsigned width, unsigned height, size_t stride,
	struct buf *out, struct err *e)
{
	struct palette *p = calloc(1, sizeof *p);
	unsigned char *rows = NULL, *packed = NULL;
	uLong raw = (uLong)height * (width + 1);
	uLongf n = compressBound(raw);
	int rc = -1;

	for (unsigned y = 0; p != NULL && y < height; y++) {
		for (unsigned x = 0; x < width; x++) {
			uint32_t rgb = pixel(pixels + y * stride, x), c = cell_of(rgb);

			p->count[c]++;
			p->sum[c][0] += rgb >> 16 & 255;
			p->sum[c][1] += rgb >> 8 & 255;
			p->sum[c][2] += rgb & 255;
		}
	}
	if (p != NULL && choose(p)) {
		rows = index_rows(pixels, width, height, stride, p);
		packed = malloc(n);
	}
	if (rows != NULL && packed != NULL && compress2(packed, &n, rows, raw, 7) == Z_OK) {
		put_head(out, width, height, p);
		chunk(out, "IDAT", packed, n);
		chunk(out, "IEND", NULL, 0);
		rc = 0;
	}
	free(packed);
	free(rows);
	free(p);
	if (rc != 0)
		return err_set(e, ERR_LIMIT, 0, "cannot encode a graph: out of memory");
	return out->failed ? err_set(e, ERR_LIMIT, 0, "a graph larger than %zu bytes", out->max)
			   : 0;
}
