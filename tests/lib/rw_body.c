/* SPDX-License-Identifier: Apache-2.0 */
/* rw_body - see rw_body.h. */
#include "tests/lib/rw_body.h"

#include <snappy-c.h>
#include <stdlib.h>

static void tag(struct buf *b, unsigned field, unsigned wire)
{
	buf_varint(b, field << 3 | wire);
}

void put_len(struct buf *b, unsigned field, struct str s)
{
	tag(b, field, 2);
	buf_varint(b, s.n);
	buf_str(b, s);
}

void put_int(struct buf *b, unsigned field, int64_t v)
{
	tag(b, field, 0);
	buf_varint(b, (uint64_t)v);
}

void put_f64(struct buf *b, unsigned field, double v)
{
	tag(b, field, 1);
	buf_add(b, &v, sizeof v);
}

struct buf fresh(void)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 20);
	return b;
}

void put_msg(struct buf *to, unsigned field, struct buf *msg)
{
	put_len(to, field, buf_view(msg));
	buf_fini(msg);
}

void put_label(struct buf *to, const char *name, const char *value)
{
	struct buf l = fresh();

	put_len(&l, 1, str_c(name));
	put_len(&l, 2, str_c(value));
	put_msg(to, 1, &l);
}

void put_sample(struct buf *to, double v, int64_t t, int64_t start)
{
	struct buf s = fresh();

	put_f64(&s, 1, v);
	put_int(&s, 2, t);
	if (start != 0)
		put_int(&s, 3, start);
	put_msg(to, 2, &s);
}

static void put_span(struct buf *to, unsigned field, int64_t zigzag_offset, int64_t length)
{
	struct buf s = fresh();

	put_int(&s, 1, zigzag_offset);
	put_int(&s, 2, length);
	put_msg(to, field, &s);
}

struct buf put_histogram(bool is_int, int64_t start)
{
	struct buf h = fresh(), packed = fresh();
	static const unsigned char deltas[] = {2, 4, 1}; /* +1 +2 -1 */

	if (is_int)
		put_int(&h, 1, 9);
	else
		put_f64(&h, 2, 8.5);
	put_f64(&h, 3, 18.25);
	put_int(&h, 4, 6); /* schema 3 */
	put_f64(&h, 5, 0.001);
	if (is_int)
		put_int(&h, 6, 3);
	else
		put_f64(&h, 7, 2.5);
	put_span(&h, 11, 1, 2); /* offset -1 */
	put_span(&h, 11, 4, 1); /* offset 2 */
	if (is_int) {
		buf_add(&packed, deltas, sizeof deltas);
		put_len(&h, 12, buf_view(&packed));
	} else {
		for (int i = 0; i < 3; i++)
			put_f64(&h, 13, i + 0.5);
	}
	buf_fini(&packed);
	put_int(&h, 14, 3);
	put_int(&h, 15, 1234567);
	if (start != 0)
		put_int(&h, 17, start);
	return h;
}

struct buf snappy_of(struct str body)
{
	struct buf b = fresh();
	size_t n = snappy_max_compressed_length(body.n);

	if (buf_reserve(&b, n) == NULL || snappy_compress(body.p, body.n, b.p, &n) != SNAPPY_OK)
		abort();
	b.n = n;
	return b;
}
