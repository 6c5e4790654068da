/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - what a handler may ask of its request: headers, segments, parameters of query string
 * and form body (decoded once, at the first question).
 */
#include <stdlib.h>

#include "agent/http/internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"

#define PARAMS_MAX 10000u /* parameters of one request, match[] included */

struct http_req *req_new(struct http_conn *c)
{
	struct http_req *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->conn = c;
	r->s = c->s;
	r->status = 200;
	r->start_ns = clock_real_ns();
	r->body_state = BODY_DONE;
	memcpy(r->peer, c->peer, sizeof r->peer);
	arena_init(&r->arena, HTTP_REQ_ARENA);
	buf_init(&r->body, LIMIT_HTTP_BODY);
	buf_init(&r->out, HTTP_REPLY_BYTES);
	buf_init(&r->out_head, LIMIT_HTTP_HEAD_BYTES);
	return r;
}

void req_free(struct http_req *r)
{
	if (r == NULL)
		return;
	atomic_fetch_sub(&r->s->in_bytes, r->in_counted);
	atomic_fetch_sub(&r->s->out_bytes, r->out_counted);
	buf_fini(&r->body);
	buf_fini(&r->out);
	buf_fini(&r->out_head);
	arena_fini(&r->arena);
	free(r->raw_head);
	free(r);
}

enum http_method http_req_method(const struct http_req *r)
{
	return r->head.method;
}

struct str http_req_path(const struct http_req *r)
{
	return r->path;
}

struct str http_req_segment(const struct http_req *r)
{
	return r->segment;
}

struct str http_req_header(const struct http_req *r, const char *name)
{
	return http_head_get(&r->head, str_c(name));
}

struct str http_req_body(const struct http_req *r)
{
	return buf_view(&r->body);
}

struct arena *http_req_arena(struct http_req *r)
{
	return &r->arena;
}

const atomic_bool *http_req_cancelled(const struct http_req *r)
{
	return &r->cancelled;
}

struct str http_req_peer(const struct http_req *r)
{
	return str_c(r->peer);
}

/* a=b&c=d appended to r->params; what cannot be decoded is taken as it is, as browsers do. */
static void add_params(struct http_req *r, struct str text, size_t cap)
{
	struct str part;

	while (str_split(&text, '&', &part)) {
		size_t eq = str_find(part, '=');
		struct http_header *p = &r->params[r->n_params];

		if (part.n == 0)
			continue;
		if (r->n_params == cap)
			return;
		p->name = http_decode(&r->arena, str_sub(part, 0, eq), true, false);
		p->value = http_decode(&r->arena, str_sub(part, eq + 1, part.n), true, false);
		if (r->arena.failed)
			return;
		r->n_params++;
	}
}

static size_t count_params(struct str text)
{
	size_t n = text.n > 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '&';
	return n;
}

static void parse_params(struct http_req *r)
{
	struct str type = http_req_header(r, "content-type"), form = STR("");
	size_t cap;

	r->params_parsed = true;
	type = str_trim(str_sub(type, 0, str_find(type, ';')));
	if (str_eq_nocase(type, STR("application/x-www-form-urlencoded")))
		form = buf_view(&r->body);
	cap = count_params(form) + count_params(r->head.query);
	if (cap > PARAMS_MAX)
		cap = PARAMS_MAX;
	r->params = ARENA_ARRAY(&r->arena, cap, struct http_header);
	if (r->params == NULL)
		return;
	add_params(r, form, cap); /* the body goes before the query string, as in Go */
	add_params(r, r->head.query, cap);
}

static const struct http_header *find_param(struct http_req *r, const char *name)
{
	struct str want = str_c(name);

	if (!r->params_parsed)
		parse_params(r);
	for (size_t i = 0; i < r->n_params; i++) {
		if (str_eq(r->params[i].name, want))
			return &r->params[i];
	}
	return NULL;
}

struct str http_req_param(struct http_req *r, const char *name)
{
	const struct http_header *p = find_param(r, name);

	return p != NULL ? p->value : STR("");
}

bool http_req_has(struct http_req *r, const char *name)
{
	return find_param(r, name) != NULL;
}

size_t http_req_params(struct http_req *r, const char *name, struct str **out)
{
	struct str want = str_c(name);
	size_t n = 0;

	if (!r->params_parsed)
		parse_params(r);
	*out = ARENA_ARRAY(&r->arena, r->n_params, struct str);
	for (size_t i = 0; *out != NULL && i < r->n_params; i++) {
		if (str_eq(r->params[i].name, want))
			(*out)[n++] = r->params[i].value;
	}
	return n;
}
