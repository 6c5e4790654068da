/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f64 - reading and writing float64 exactly: the shortest text that reads back as the same
 * value (C++17 to_chars/from_chars behind a shim, base/f64_conv.cc).
 */
#ifndef BELFRY_BASE_F64_H
#define BELFRY_BASE_F64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* Decimal or exponent form, "inf"/"nan" in any case, optional sign; the whole of s. No hex.
 * Overflow gives infinity, underflow 0 or the subnormal. */
bool f64_parse(struct str s, double *out);
/* As Prometheus's API prints sample values: shortest digits, an exponent only when
 * |v| < 1e-6 or >= 1e21 ("1e-07", "1e+21"); NaN, +Inf, -Inf. */
void f64_print(struct buf *b, double v);
/* Shortest digits, never an exponent (Go's 'f', -1). */
void f64_print_plain(struct buf *b, double v);
/* Shortest digits, always an exponent (Go's 'e', -1): "1e+00", as the alerts API prints values. */
void f64_print_exp(struct buf *b, double v);
/* Go's 'g', -1: exponent when exp < -4 || exp >= 21. For templates and rule text. */
void f64_print_g(struct buf *b, double v);
/* A time in ms as seconds: integer when whole, else exactly 3 decimals. */
void f64_print_time(struct buf *b, long long ms);

#define F64_TEXT      32u /* bytes: the longest are -1.2345678901234567e-308 and -0.00000123... */
#define F64_TIME_TEXT 24u
/* What f64_print and f64_print_time print, into an array of that size. Returns how many bytes; no
 * NUL. */
size_t f64_text(char *to, double v);
size_t f64_time_text(char *to, long long ms);

#endif
