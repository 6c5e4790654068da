/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply - from what a handler wrote to the bytes on the wire: status line, headers, gzip.
 *
 * http_finish runs on the handler's thread, so that compression burdens a worker and not the
 * loop; a large reply of a loop handler is handed to a query worker for that.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>

#include "agent/http/internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/num.h"

#define GZIP_LEVEL   4 /* a third of level 6's time, within 10 % of its size on JSON */
#define GZIP_PIECE   ((size_t)256 << 10)
#define GZIP_ON_LOOP 16384u /* larger replies are not compressed on the loop thread */

_Thread_local struct http_req *http_handling, *http_aside;

struct buf *http_resp_body(struct http_req *r)
{
	return &r->out;
}

void http_resp_status(struct http_req *r, int status)
{
	r->status = status;
}

void http_resp_header(struct http_req *r, const char *name, struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c < 0x20 || c == 0x7f)
			return; /* never a second header by way of a value */
	}
	for (size_t i = 0; i < r->n_headers; i++) {
		if (str_eq_nocase(str_c(r->headers[i].name), str_c(name))) {
			r->headers[i].value = arena_str(&r->arena, value);
			return;
		}
	}
	ASSERT(r->n_headers < HTTP_REPLY_HEADERS);
	r->headers[r->n_headers].name = name;
	r->headers[r->n_headers++].value = arena_str(&r->arena, value);
}

void http_reply(struct http_req *r, int status, const char *content_type, struct str body)
{
	http_resp_status(r, status);
	if (content_type != NULL)
		http_resp_header(r, "Content-Type", str_c(content_type));
	buf_reset(&r->out);
	buf_str(&r->out, body);
	http_finish(r);
}

static int error_status(const char *type)
{
	static const struct {
		const char *type;
		int status;
	} table[] = {{"bad_data", 400}, {"execution", 422}, {"canceled", 499}, {"timeout", 503},
		{"internal", 500}, {"unavailable", 503}, {"not_found", 404},
		{"not_acceptable", 406}};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (strcmp(table[i].type, type) == 0)
			return table[i].status;
	}
	return 500;
}

static void error_body(struct http_req *r, const char *type, struct str text)
{
	struct jsonw j;

	buf_reset(&r->out);
	jsonw_init(&j, &r->out);
	jsonw_object(&j);
	jsonw_kv_c(&j, "status", "error");
	jsonw_kv_c(&j, "errorType", type);
	jsonw_kv_str(&j, "error", text);
	jsonw_object_end(&j);
	http_resp_status(r, error_status(type));
	http_resp_header(r, "Content-Type", STR("application/json"));
}

void http_reply_error(struct http_req *r, const char *error_type, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, 65536);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	error_body(r, error_type, text.failed ? STR("out of memory") : buf_view(&text));
	buf_fini(&text);
	http_finish(r);
}

static const char *refusal_type(int status)
{
	return status == 503 ? "unavailable" : status == 408 ? "timeout" : "bad_data";
}

/* The server's own refusals: JSON below /api/v1/ and /api/belfry/ and for 503, else text; unknown
 * paths and methods always text, as of Prometheus. The connection ends with it. */
void reply_refuse(struct http_req *r, int status, const char *why)
{
	if (status == 503)
		http_resp_header(r, "Retry-After", STR("1"));
	if (status == 503 || (r->api && status != 404 && status != 405)) {
		error_body(r, refusal_type(status), str_c(why));
	} else {
		buf_reset(&r->out);
		buf_c(&r->out, why);
		buf_ch(&r->out, '\n');
		http_resp_header(r, "Content-Type", STR("text/plain; charset=utf-8"));
	}
	http_resp_status(r, status);
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} table[] = {{200, "OK"}, {204, "No Content"}, {303, "See Other"}, {304, "Not Modified"},
		{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"},
		{413, "Content Too Large"}, {415, "Unsupported Media Type"},
		{417, "Expectation Failed"}, {421, "Misdirected Request"},
		{422, "Unprocessable Content"}, {429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"}, {499, "Client Closed Request"},
		{500, "Internal Server Error"}, {501, "Not Implemented"},
		{503, "Service Unavailable"}, {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (table[i].status == status)
			return table[i].text;
	}
	return "Status";
}

/* Piece by piece: nobody waits any more for what a client that hung up had asked for. */
static bool deflate_body(const struct http_req *r, z_stream *z)
{
	char *p = r->out.p;
	size_t left = r->out.n;
	int rc = Z_OK;

	while (rc == Z_OK && !atomic_load(&r->cancelled)) {
		size_t n = MIN_OF(left, GZIP_PIECE);

		z->next_in = (Bytef *)p;
		z->avail_in = (uInt)n;
		p += n;
		left -= n;
		rc = deflate(z, left == 0 ? Z_FINISH : Z_NO_FLUSH);
	}
	return rc == Z_STREAM_END;
}

/* Replaces r->out by its gzip form; leaves it when memory lacks or nothing is won. */
static bool compress_body(struct http_req *r)
{
	z_stream z = {0};
	struct buf gz;
	size_t room;
	bool ok;

	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	room = deflateBound(&z, r->out.n);
	buf_init(&gz, room);
	z.next_out = (Bytef *)buf_reserve(&gz, room);
	z.avail_out = (uInt)room;
	ok = z.next_out != NULL && deflate_body(r, &z) && z.total_out < r->out.n;
	gz.n = z.total_out;
	(void)deflateEnd(&z);
	if (ok) {
		char *fit = realloc(gz.p, gz.n + 1);

		if (fit != NULL) {
			gz.p = fit;
			gz.cap = gz.n + 1;
		}
		buf_fini(&r->out);
		r->out = gz;
	} else {
		buf_fini(&gz);
	}
	return ok;
}

static bool wants_gzip(const struct http_req *r)
{
	bool encoded = false;

	for (size_t i = 0; i < r->n_headers; i++)
		encoded |= str_eq_nocase(str_c(r->headers[i].name), STR("content-encoding"));
	return !encoded && r->out.n > HTTP_GZIP_MIN && !r->out.failed && r->status != 204 &&
	       r->status != 304 && http_takes_gzip(http_req_header(r, "accept-encoding"));
}

/* Reply bytes count from here until they are sent: over the cap, a short refusal goes out. */
static void count_out(struct http_req *r)
{
	size_t n = r->out.n, all;

	all = atomic_fetch_add(&r->s->out_bytes, n) + n;
	r->out_counted = n;
	if (all <= r->s->lim.out_bytes && !r->out.failed)
		return;
	METRIC_DROP("http", "out_bytes", 1);
	atomic_fetch_sub(&r->s->out_bytes, n);
	r->out_counted = 0;
	buf_fini(&r->out);
	r->n_headers = 0;
	reply_refuse(r, 503, "the answer is larger than what may wait to be sent");
}

static void cors(struct http_req *r)
{
	struct buf *h = &r->out_head;

	if (!str_starts(r->path, STR("/api/")) || http_req_header(r, "origin").n == 0)
		return;
	if (r->route != NULL && r->route->changes_state)
		return;
	buf_c(h, "Access-Control-Allow-Headers: Accept, Authorization, Content-Type, Origin\r\n"
		 "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
		 "Access-Control-Expose-Headers: Date\r\n"
		 "Access-Control-Allow-Origin: *\r\n");
}

static void date(struct buf *h)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c;

	civil_from_ms(clock_wall_ms(), &c);
	buf_printf(h, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", days + 3 * c.weekday,
		c.day, months + 3 * (c.month - 1), (int)c.year, c.hour, c.minute, c.second);
}

/* Status line and headers; the body stays where it is. */
static void build_head(struct http_req *r, bool gzipped)
{
	struct buf *h = &r->out_head;

	buf_printf(h, "HTTP/1.1 %d %s\r\n", r->status, reason_of(r->status));
	date(h);
	for (size_t i = 0; i < r->n_headers; i++) {
		buf_c(h, r->headers[i].name);
		buf_c(h, ": ");
		buf_str(h, r->headers[i].value);
		buf_c(h, "\r\n");
	}
	buf_c(h, "X-Content-Type-Options: nosniff\r\n");
	cors(r);
	if (gzipped)
		buf_c(h, "Content-Encoding: gzip\r\n");
	if (r->out.n > HTTP_GZIP_MIN)
		buf_c(h, "Vary: Accept-Encoding\r\n");
	if (r->status != 204 && r->status != 304)
		buf_printf(h, "Content-Length: %zu\r\n", r->out.n);
	if (r->close_after || !r->head.keep_alive)
		buf_c(h, "Connection: close\r\n");
	else if (!r->head.http11)
		buf_c(h, "Connection: keep-alive\r\n");
	buf_c(h, "\r\n");
}

void reply_build(struct http_req *r)
{
	bool gzipped = wants_gzip(r) && compress_body(r);

	count_out(r);
	if (r->out_counted == 0)
		gzipped = false;
	build_head(r, gzipped);
	if (r->head.method == HTTP_HEAD)
		buf_fini(&r->out);
}

static void hand_back(struct http_req *r)
{
	reply_build(r);
	if (http_handling == r) {
		r->finished = true;
		return;
	}
	if (http_aside == r) {
		http_aside = NULL;
		return;
	}
	while (!loop_post(r->s->loop, conn_finished, r))
		(void)sched_yield(); /* the loop has more than a call a connection to work off */
}

static void hand_back_job(struct pool_job *job)
{
	struct http_req *r = (struct http_req *)(void *)job;

	hand_back(r);
}

void http_finish(struct http_req *r)
{
	if (http_handling == r && r->out.n > GZIP_ON_LOOP && wants_gzip(r) &&
		r->s->opts.query_pool != NULL) {
		r->job.run = hand_back_job;
		if (pool_submit(r->s->opts.query_pool, &r->job))
			return;
	}
	hand_back(r);
}
