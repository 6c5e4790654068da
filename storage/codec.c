/* SPDX-License-Identifier: Apache-2.0 */
/* codec - the frame of a chunk and the choice of its encodings; see codec.h. */
#include "storage/codec.h"

#include "base/num.h"
#include "storage/strip.h"

int codec_encode(const struct cols *c, struct buf *scratch,
	void (*fn)(const struct cols *c, size_t from, size_t to, struct str chunk, void *arg),
	void *arg)
{
	size_t from = 0;

	while (from < c->n) {
		struct strip s;
		struct cells m;
		size_t i = from;

		strip_init(&s);
		cells_init(&m);
		while (i < c->n && strip_append(&m, &s, c->t[i], c->v[i], c->h ? c->h[i] : NULL,
					   c->start ? c->start[i] : 0))
			i++;
		if (i == from || !strip_finish(&m, &s)) {
			strip_fini(&m, &s);
			cells_fini(&m);
			return -1;
		}
		buf_reset(scratch);
		buf_ch(scratch, 1);
		chain_copy(&m, &s.bytes, buf_reserve(scratch, s.bytes.len));
		scratch->n += s.bytes.len;
		strip_fini(&m, &s);
		cells_fini(&m);
		if (scratch->failed)
			return -1;
		fn(c, from, i, buf_view(scratch), arg);
		from = i;
	}
	return 0;
}

int codec_decode(struct str chunk, struct cols *c, struct arena *a, struct err *e)
{
	if (chunk.n < 1 || chunk.p[0] != 1)
		return err_set(e, ERR_CORRUPT, 0, "unknown chunk encoding");
	return strip_decode(str_sub(chunk, 1, chunk.n), 0, c, a, e);
}
