/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assets - serves the embedded page: gzip as it lies in the binary, unpacked for the few clients
 * that do not take it, 304 when the client has it already. No script but our own files runs
 * (Content-Security-Policy without unsafe-inline; uPlot sets styles on elements by script only).
 */
#include "agent/http/assets.h"

#define ZLIB_CONST
#include <zlib.h>

#include "agent/http/head.h"
#include "web_assets.h"

#define CSP                                                                                        \
	"default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "         \
	"form-action 'self'; img-src 'self' data:"

static const struct web_asset *find(struct str path)
{
	/* /graph and /alerts are the addresses that messages and Prometheus's users know. */
	if (str_eq(path, STR("/")) || str_eq(path, STR("/graph")) || str_eq(path, STR("/alerts")))
		path = STR("/index.html");
	for (size_t i = 0; i < web_assets_n; i++) {
		if (str_eq(path, str_c(web_assets[i].path)))
			return &web_assets[i];
	}
	return NULL;
}

static bool unpack(const struct web_asset *a, struct buf *out)
{
	z_stream z = {0};
	char *to = buf_reserve(out, a->raw_len);
	bool ok;

	if (to == NULL || inflateInit2(&z, 15 + 16) != Z_OK)
		return false;
	z.next_in = a->gz;
	z.avail_in = (uInt)a->gz_len;
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)a->raw_len;
	ok = inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == a->raw_len;
	out->n += z.total_out;
	(void)inflateEnd(&z);
	return ok;
}

void assets_page_headers(struct http_req *r)
{
	http_resp_header(r, "Cache-Control", STR("no-cache"));
	http_resp_header(r, "Content-Security-Policy", STR(CSP));
	http_resp_header(r, "X-Frame-Options", STR("DENY"));
	http_resp_header(r, "Referrer-Policy", STR("same-origin"));
}

void assets_handle(struct http_req *r, void *arg)
{
	const struct web_asset *a = find(http_req_path(r));

	(void)arg;
	if (a == NULL) {
		http_reply(r, 404, "text/plain; charset=utf-8", STR("404 page not found\n"));
		return;
	}
	http_resp_header(r, "ETag", str_c(a->etag));
	assets_page_headers(r);
	if (str_has(http_req_header(r, "if-none-match"), str_c(a->etag))) {
		http_resp_status(r, 304);
		http_finish(r);
		return;
	}
	http_resp_header(r, "Content-Type", str_c(a->content_type));
	if (http_takes_gzip(http_req_header(r, "accept-encoding"))) {
		http_resp_header(r, "Content-Encoding", STR("gzip"));
		buf_add(http_resp_body(r), a->gz, a->gz_len);
	} else if (!unpack(a, http_resp_body(r))) {
		http_resp_status(r, 500);
		buf_reset(http_resp_body(r));
	}
	http_finish(r);
}
