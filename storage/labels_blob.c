/* SPDX-License-Identifier: Apache-2.0 */
/* labels_blob - writes and reads stored label sets; see labels_blob.h. */
#include "storage/labels_blob.h"

#include "base/rd.h"

void labels_blob_write(struct buf *b, struct labels ls)
{
	for (size_t i = 0; i < ls.n; i++) {
		buf_varint(b, ls.v[i].name.n);
		buf_str(b, ls.v[i].name);
		buf_varint(b, ls.v[i].value.n);
		buf_str(b, ls.v[i].value);
	}
}

static struct str read_str(struct rd *r)
{
	uint64_t n = rd_varint(r);

	return rd_bytes(r, n);
}

int labels_blob_read(struct str blob, struct arena *a, struct labels *out, struct err *e)
{
	struct rd r = rd_of(blob);
	struct label *v;
	size_t n = 0;

	while (rd_more(&r)) {
		(void)read_str(&r);
		(void)read_str(&r);
		n++;
	}
	if (r.bad)
		return err_set(e, ERR_CORRUPT, 0, "malformed label set");
	v = ARENA_ARRAY(a, n, struct label);
	if (v == NULL)
		return err_set(e, ERR_LIMIT, 0, "out of memory for labels");
	r = rd_of(blob);
	for (size_t i = 0; i < n; i++) {
		v[i].name = read_str(&r);
		v[i].value = read_str(&r);
	}
	*out = (struct labels){v, n};
	return 0;
}
