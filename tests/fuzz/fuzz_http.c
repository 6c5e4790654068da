/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http - bytes of a connection: end of the head, head, path, query string, chunked body. What
 * is accepted must be what a strict reader would accept: no NUL, no bare line ends, clean paths.
 */
#include <stdint.h>
#include <stdlib.h>

#include "agent/http/head.h"
#include "agent/http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void chunked(struct http_req *r, const char *p, size_t n)
{
	int status = 0;
	size_t at = 0;

	buf_init(&r->body, 4096);
	r->body_state = BODY_SIZE;
	r->head.chunked = true;
	/* in pieces, as a network brings it */
	for (size_t upto = 0; upto <= n && status == 0; upto += 7) {
		size_t used = body_take(r, p + at, upto - at, &status);

		check(used <= upto - at);
		at += used;
	}
	check(r->body.n <= 4096);
	buf_fini(&r->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_server server = {.lim.in_bytes = SIZE_MAX};
	struct http_req r = {.s = &server};
	struct str in = str_n((const char *)data, size), path;
	const char *why = "";
	size_t from = 0, n;
	bool bad = false;
	int status;

	n = http_head_end(in, &from, &bad);
	check(n <= size && !(bad && n > 0));
	if (n == 0)
		return 0;
	status = http_head_parse(str_n(in.p, n), &r.head, &why);
	check(status == 0 || (status >= 400 && status < 600));
	if (status != 0)
		return 0;
	check(memchr(in.p, '\0', n) == NULL);
	check(!(r.head.chunked && r.head.has_length));
	check(r.head.path.n > 0 && r.head.path.p[0] == '/');
	arena_init(&r.arena, 1 << 20);
	path = http_decode(&r.arena, r.head.path, false, true);
	if (path.p != NULL && http_path_is_clean(path)) {
		check(memchr(path.p, '\0', path.n) == NULL);
		check(!str_has(path, STR("/../")) && !str_has(path, STR("\\")));
	}
	(void)http_decode(&r.arena, r.head.query, true, false);
	(void)http_takes_gzip(http_head_get(&r.head, STR("accept-encoding")));
	if (r.head.chunked)
		chunked(&r, in.p + n, in.n - n);
	arena_fini(&r.arena);
	return 0;
}
