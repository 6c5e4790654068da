/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quote - string literals as Go writes them (strconv.Quote): what Prometheus prints in the text of
 * expressions and matchers.
 */
#ifndef BELFRY_BASE_QUOTE_H
#define BELFRY_BASE_QUOTE_H

#include "base/buf.h"
#include "base/str.h"

/* "..." with escapes for quotes, backslashes, control and invisible characters and for bytes that
 * are no UTF-8. */
void quote_go(struct buf *b, struct str s);

/* Bytes of the UTF-8 character at the start of s and its code point; 0 when s is empty, and 1 with
 * *rune = 0xFFFFFFFF when it is malformed. */
size_t quote_rune(struct str s, unsigned long *rune);

/* Append a code point as UTF-8. */
void quote_add_rune(struct buf *b, unsigned long rune);

#endif
