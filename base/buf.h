/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - a growing output buffer with a hard maximum.
 *
 * Failure is sticky: after the first refusal nothing more is added and `failed` is set, so
 * that a writer checks once, at its end. The bytes are always NUL-terminated behind `n` when
 * p is not NULL. Owner: whoever called buf_init; buf_fini frees. Any thread, one at a time.
 */
#ifndef BELFRY_BASE_BUF_H
#define BELFRY_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
	char *p;
	size_t n;
	size_t cap;
	size_t max;  /* never holds more than this many bytes */
	bool failed; /* over max or out of memory: the content is not to be used */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Empty it, keep the memory, forget the failure. */
void buf_reset(struct buf *b);
/* Space for n more bytes: where to write them, or NULL. Follow with b->n += written. */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_c(struct buf *b, const char *s);
void buf_ch(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_i64(struct buf *b, int64_t v);
void buf_u64(struct buf *b, uint64_t v);
/* Unsigned LEB128, as protobuf's varint. */
void buf_varint(struct buf *b, uint64_t v);
struct str buf_view(const struct buf *b);
/* Give the bytes away (malloc'ed, NUL behind); the buffer is empty afterwards. NULL if failed. */
char *buf_take(struct buf *b, size_t *n);

#endif
