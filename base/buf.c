/* SPDX-License-Identifier: Apache-2.0 */
/* buf - growing output buffer with a maximum and sticky failure; see buf.h. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"

#define FIRST_CAP ((size_t)256)

void buf_init(struct buf *b, size_t max)
{
	ASSERT(max > 0);
	*b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t want, cap;
	char *p;

	if (b->failed)
		return NULL;
	if (size_add(b->n, n, &want) || want > b->max)
		goto refuse;
	if (want < b->cap)
		return b->p + b->n;
	cap = b->cap > 0 ? b->cap : FIRST_CAP;
	while (cap <= want) {
		if (size_mul(cap, 2, &cap))
			goto refuse;
	}
	if (cap > b->max)
		cap = b->max + 1;
	p = realloc(b->p, cap);
	if (p == NULL)
		goto refuse;
	b->p = p;
	b->cap = cap;
	return b->p + b->n;

refuse:
	b->failed = true;
	return NULL;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (to == NULL)
		return;
	if (n > 0)
		memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_c(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_ch(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		b->failed = true;
		return;
	}
	to = buf_reserve(b, (size_t)n);
	if (to == NULL)
		return;
	(void)vsnprintf(to, (size_t)n + 1, fmt, ap);
	b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_u64(struct buf *b, uint64_t v)
{
	char tmp[20];
	size_t i = sizeof tmp;

	do {
		tmp[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	buf_add(b, tmp + i, sizeof tmp - i);
}

void buf_i64(struct buf *b, int64_t v)
{
	if (v < 0) {
		buf_ch(b, '-');
		buf_u64(b, (uint64_t)0 - (uint64_t)v);
	} else {
		buf_u64(b, (uint64_t)v);
	}
}

void buf_varint(struct buf *b, uint64_t v)
{
	unsigned char tmp[10];
	size_t n = 0;

	while (v >= 0x80) {
		tmp[n++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	tmp[n++] = (unsigned char)v;
	buf_add(b, tmp, n);
}

struct str buf_view(const struct buf *b)
{
	return (struct str){b->p != NULL ? b->p : "", b->n};
}

char *buf_take(struct buf *b, size_t *n)
{
	char *p;

	if (b->failed)
		return NULL;
	if (b->p == NULL && buf_reserve(b, 0) == NULL)
		return NULL;
	p = b->p;
	p[b->n] = '\0';
	if (n != NULL)
		*n = b->n;
	*b = (struct buf){.max = b->max};
	return p;
}
