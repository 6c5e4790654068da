/* SPDX-License-Identifier: Apache-2.0 */
/* str - the longer operations on byte views; see str.h. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define NUMBER_MAX 512u /* longest text of a number that is looked at */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_eq_nocase(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool str_has(struct str s, struct str part)
{
	return part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL);
}

bool str_split(struct str *rest, char sep, struct str *part)
{
	size_t i;

	if (rest->p == NULL || rest->n == 0) {
		rest->p = NULL;
		return false;
	}
	i = str_find(*rest, sep);
	*part = str_n(rest->p, i);
	if (i == rest->n)
		*rest = STR_NULL;
	else
		*rest = str_n(rest->p + i + 1, rest->n - i - 1);
	return true;
}

unsigned str_distance(struct str a, struct str b, unsigned max)
{
	unsigned row[3][66];

	if (a.n > 64 || b.n > 64)
		return max + 1;
	for (size_t j = 0; j <= b.n; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *cur = row[i % 3], *prev = row[(i + 2) % 3], *old = row[(i + 1) % 3];

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned best = prev[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
				a.p[i - 2] == b.p[j - 1] && old[j - 2] + 1 < best)
				best = old[j - 2] + 1;
			cur[j] = best;
		}
	}
	return row[a.n % 3][b.n] <= max ? row[a.n % 3][b.n] : max + 1;
}

bool str_is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;

	while (p < end) {
		unsigned c = *p++;
		unsigned more, low = 0x80, high = 0xbf;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3;
		else
			return false;
		if (c == 0xe0)
			low = 0xa0;
		else if (c == 0xed)
			high = 0x9f;
		else if (c == 0xf0)
			low = 0x90;
		else if (c == 0xf4)
			high = 0x8f;
		if ((size_t)(end - p) < more)
			return false;
		for (; more > 0; more--, p++) {
			if (*p < low || *p > high)
				return false;
			low = 0x80;
			high = 0xbf;
		}
	}
	return true;
}

/* A NUL-terminated copy for the C library's readers; false when too long or strange. */
static bool number_text(struct str s, char *out, size_t cap)
{
	if (s.n == 0 || s.n >= cap || is_blank(s.p[0]) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

bool str_to_i64(struct str s, long long *out)
{
	char text[NUMBER_MAX], *end;

	if (!number_text(s, text, sizeof text))
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool str_to_u64(struct str s, unsigned long long *out)
{
	char text[NUMBER_MAX], *end;

	if (!number_text(s, text, sizeof text) || text[0] == '-')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool str_to_f64(struct str s, double *out)
{
	char text[NUMBER_MAX], *end;

	if (!number_text(s, text, sizeof text))
		return false;
	*out = strtod(text, &end);
	return *end == '\0';
}

char *str_dup_c(struct str s)
{
	char *c;

	if (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)
		return NULL;
	c = malloc(s.n + 1);
	if (c == NULL)
		return NULL;
	if (s.n > 0)
		memcpy(c, s.p, s.n);
	c[s.n] = '\0';
	return c;
}
