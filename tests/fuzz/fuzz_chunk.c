/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_chunk - everything the store reads back from blobs: chunks, strips, packs, frames.
 *
 * The first byte picks the reader. What a chunk decodes to is encoded again and must come back.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/num.h"
#include "storage/codec.h"
#include "storage/frame.h"
#include "storage/pack.h"
#include "storage/strip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct err e;

static void on_chunk(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg)
{
	struct cols back;
	struct arena a;

	(void)arg;
	cols_init(&back);
	arena_init(&a, 1u << 26);
	if (codec_decode(chunk, &back, &a, &e) != 0) {
		if (e.kind != ERR_LIMIT)
			abort();
	} else {
		for (size_t i = from; i < to; i++) {
			if (back.t[i - from] != c->t[i] ||
				!cols_same_value(back.v[i - from], back.h ? back.h[i - from] : NULL,
					c->v[i], c->h ? c->h[i] : NULL))
				abort();
		}
	}
	cols_fini(&back);
	arena_fini(&a);
}

static void again(struct cols *c)
{
	struct codec k;

	cols_settle(c);
	codec_init(&k);
	(void)codec_encode(&k, c, on_chunk, NULL);
	codec_fini(&k);
}

static void read_pack(struct str s)
{
	struct pack_reader r;
	struct pack_entry x;
	size_t bytes = 0;

	if (pack_open(&r, s, false, &e) != 0)
		return;
	while (pack_next(&r, &x, &e) == 1)
		bytes += x.chunk.n;
	if (bytes > s.n)
		abort();
}

static int on_series(void *arg, uint32_t id, struct labels ls, struct err *err)
{
	(void)arg;
	(void)err;
	return id == 0 && ls.n > 0;
}

static int on_fact(void *arg, struct str key, struct str value, struct err *err)
{
	(void)arg;
	(void)err;
	(void)key;
	(void)value;
	return 0;
}

static int on_meta(void *arg, const struct batch_meta *m, struct err *err)
{
	(void)arg;
	(void)m;
	(void)err;
	return 0;
}

static int on_row(void *arg, uint32_t id, bool late, int64_t t, double v, const struct hist *h,
	int64_t start, struct err *err)
{
	(void)id;
	(void)late;
	(void)err;
	cols_push(arg, t, v, h, start);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_n((const char *)data + 1, size > 0 ? size - 1 : 0);
	struct arena a;
	struct cols c;

	if (size == 0)
		return 0;
	cols_init(&c);
	arena_init(&a, 1u << 26);
	switch (data[0] & 3) {
	case 0:
		if (codec_decode(s, &c, &a, &e) == 0)
			again(&c);
		break;
	case 1:
		if (strip_decode(s, (uint16_t)(data[0] >> 2), &c, &a, &e) == 0)
			again(&c);
		break;
	case 2: read_pack(s); break;
	default: {
		const struct frame_sink sink = {&c, on_series, on_fact, on_meta, on_row};

		if (frame_decode(s, &sink, &a, &e) == 0)
			again(&c);
	}
	}
	cols_fini(&c);
	arena_fini(&a);
	return 0;
}
