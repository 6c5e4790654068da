/* SPDX-License-Identifier: Apache-2.0 */
/*
 * f64_conv - the C++17 shim under f64.c: exact decimal conversion, nothing else.
 */
#ifndef BELFRY_BASE_F64_CONV_H
#define BELFRY_BASE_F64_CONV_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define F64_CONV_DIGITS 17u /* most significant digits a float64 needs */

/* Shortest digits of a finite v > 0: v = d.ddd * 10^*exp10. Returns how many (1..17); no NUL. */
size_t f64_conv_digits(double v, char *digits, int *exp10);
/* Decimal number at [p, p+n), no sign, no inf or nan. 0 read whole, 1 out of range, -1 malformed.
 */
int f64_conv_parse(const char *p, size_t n, double *out);

#ifdef __cplusplus
}
#endif

#endif
