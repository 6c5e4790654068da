/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head - the head of an HTTP/1 request, read strictly: what could be read in two ways is refused.
 *
 * Pure: no sockets, no allocation; all strings are views of the given bytes. Source: RFC 9112,
 * RFC 9110. Not taken on purpose: bare LF, folded headers, blanks before the colon, lengths that
 * are repeated or stand beside Transfer-Encoding, codings other than chunked.
 */
#ifndef BELFRY_AGENT_HTTP_HEAD_H
#define BELFRY_AGENT_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/http/server.h"
#include "base/arena.h"
#include "base/str.h"

#define HTTP_HEADERS_MAX 100u

struct http_header {
	struct str name, value;
};

struct http_head {
	enum http_method method;
	struct str path;  /* as sent, still percent-encoded, without query and fragment */
	struct str query; /* as sent, without the ? */
	struct str host;  /* of the Host header or the absolute target */
	bool has_host;
	bool http11, keep_alive, chunked, expect_continue, has_length;
	uint64_t length; /* of the body, when has_length */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t n_headers;
};

/* Bytes of the head including its empty line, 0 while that has not come yet. A bare LF or a NUL
 * sets *bad: the head will never be right. `from` (0 at first) remembers how far was looked. */
size_t http_head_end(struct str in, size_t *from, bool *bad);
/* raw: exactly a head. 0, or the status to answer with and *why. */
int http_head_parse(struct str raw, struct http_head *h, const char **why);
/* Value of the first header of this name, empty when absent. */
struct str http_head_get(const struct http_head *h, struct str name);

/* Percent-decoding into the arena; plus: "+" is a blank (forms). p is NULL when malformed (only
 * when strict), holding NUL (strict), or out of memory. */
struct str http_decode(struct arena *a, struct str s, bool plus, bool strict);
/* A decoded path that names what it says: no NUL or control bytes, no backslash, no "." or ".."
 * segments. */
bool http_path_is_clean(struct str decoded);
/* True when the list of codings in Accept-Encoding takes gzip. */
bool http_takes_gzip(struct str accept_encoding);

#endif
