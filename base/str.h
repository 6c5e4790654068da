/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - a borrowed view of bytes: may contain NUL, is not terminated, owns nothing.
 */
#ifndef BELFRY_BASE_STR_H
#define BELFRY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit)   ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NULL   ((struct str){NULL, 0})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)((s).n < 200 ? (s).n : 200), (s).p /* messages only: clipped */

static inline struct str str_c(const char *c)
{
	return (struct str){c, c != NULL ? strlen(c) : 0};
}

static inline struct str str_n(const char *p, size_t n)
{
	return (struct str){p, n};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Byte order, a prefix sorts first: the order of labels and label names. <0, 0, >0. */
static inline int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

/* Bytes [from, to) of s; both are clipped to its length. */
static inline struct str str_sub(struct str s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return (struct str){s.p + from, to - from};
}

/* Index of the first byte c, or s.n. */
static inline size_t str_find(struct str s, char c)
{
	const char *q = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return q != NULL ? (size_t)(q - s.p) : s.n;
}

/* Without leading and trailing blanks, tabs, CR and LF. */
struct str str_trim(struct str s);
bool str_eq_nocase(struct str a, struct str b);
bool str_has(struct str s, struct str part);

/* Take the part before the first `sep` off *rest into *part; false when *rest is used up.
 * "a,,b" gives "a", "", "b"; "" gives nothing. Start with a copy of the whole in *rest. */
bool str_split(struct str *rest, char sep, struct str *part);

/* Edit distance (Damerau-Levenshtein, adjacent swaps), at most `max`+1; names up to 64 bytes. */
unsigned str_distance(struct str a, struct str b, unsigned max);

/* The whole of s is valid UTF-8 (RFC 3629: no surrogates, no overlong forms, <= U+10FFFF). */
bool str_is_utf8(struct str s);

/* Whole-string number readers: no blanks, the whole of s must be used. False when not so. */
bool str_to_i64(struct str s, long long *out);
bool str_to_u64(struct str s, unsigned long long *out);
/* As strtod: decimal, hex, inf, nan in any case; the locale is always "C". */
bool str_to_f64(struct str s, double *out);

/* Copy into malloc'ed memory with a NUL behind; NULL when out of memory or s holds a NUL byte. */
char *str_dup_c(struct str s);

#endif
