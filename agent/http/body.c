/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body - the body of a request: by length or chunked, always against the route's limit. Extensions
 * and trailers of chunks are read over, within a bound.
 */
#include <stdlib.h>

#include "agent/http/internal.h"
#include "base/num.h"

#define TRAILER_MAX 8192u

static size_t add(struct http_req *r, const char *p, size_t n, int *status)
{
	size_t all;

	buf_add(&r->body, p, n);
	if (r->body.failed) {
		*status = 413;
		return 0;
	}
	r->in_counted += n;
	all = atomic_fetch_add(&r->s->in_bytes, n) + n;
	if (all > r->s->lim.in_bytes) {
		METRIC_DROP("http", "in_bytes", 1);
		*status = 503;
	}
	return n;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1a;ext=1" without CRLF. */
static bool chunk_size(struct str line, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < line.n && hex(line.p[i]) >= 0; i++) {
		if (i == 15)
			return false;
		n = n * 16 + (uint64_t)hex(line.p[i]);
	}
	*out = n;
	return i > 0 && (i == line.n || line.p[i] == ';' || line.p[i] == ' ');
}

/* A line with CRLF at the start of [p, p+n): its length with CRLF, 0 when it is not all there. */
static size_t line_len(const char *p, size_t n, struct str *line, int *status)
{
	size_t nl = str_find(str_n(p, n), '\n');

	if (nl == n) {
		if (n > TRAILER_MAX)
			*status = 400;
		return 0;
	}
	if (nl == 0 || p[nl - 1] != '\r') {
		*status = 400;
		return 0;
	}
	*line = str_n(p, nl - 1);
	return nl + 1;
}

/* One line of the framing: a size, the end of a chunk, or a trailer. */
static size_t take_line(struct http_req *r, const char *p, size_t n, int *status)
{
	struct str line = STR_NULL;
	size_t used = line_len(p, n, &line, status);

	if (used == 0)
		return 0;
	if (r->body_state == BODY_SIZE) {
		if (!chunk_size(line, &r->body_left))
			*status = 400;
		else if (r->body_left > r->body.max - r->body.n)
			*status = 413;
		r->body_state = r->body_left > 0 ? BODY_DATA : BODY_TRAILER;
	} else if (r->body_state == BODY_DATA_END) {
		if (line.n > 0)
			*status = 400;
		r->body_state = BODY_SIZE;
	} else {
		r->trailer_bytes += used;
		if (r->trailer_bytes > TRAILER_MAX)
			*status = 400;
		if (line.n == 0)
			r->body_state = BODY_DONE;
	}
	return used;
}

size_t body_take(struct http_req *r, const char *p, size_t n, int *status)
{
	size_t used = 0;

	*status = 0;
	while (r->body_state != BODY_DONE && *status == 0) {
		size_t got;

		if (r->body_state == BODY_DATA) {
			got = MIN_OF((uint64_t)(n - used), r->body_left);
			got = got > 0 ? add(r, p + used, got, status) : 0;
			r->body_left -= got;
			if (r->body_left == 0 && *status == 0)
				r->body_state = r->head.chunked ? BODY_DATA_END : BODY_DONE;
		} else {
			got = take_line(r, p + used, n - used, status);
		}
		if (got == 0)
			break;
		used += got;
	}
	return used;
}
