/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head - request line and headers of HTTP/1; see head.h. Lines end with CRLF only, so that no
 * proxy in front can see another request in the same bytes.
 */
#include "agent/http/head.h"

#include <string.h>

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{"GET", HTTP_GET},
	{"POST", HTTP_POST},
	{"PUT", HTTP_PUT},
	{"DELETE", HTTP_DELETE},
	{"HEAD", HTTP_HEAD},
	{"OPTIONS", HTTP_OPTIONS},
};

size_t http_head_end(struct str in, size_t *from, bool *bad)
{
	size_t i = *from;

	for (; i < in.n; i++) {
		if (in.p[i] == '\0' || (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))) {
			*bad = true;
			return 0;
		}
		if (in.p[i] == '\n' && i >= 3 && in.p[i - 2] == '\n') {
			*from = i + 1;
			return i + 1;
		}
	}
	*from = i;
	return 0;
}

/* tchar of RFC 9110. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)
			return false;
	}
	return s.n > 0;
}

/* Field values: no control bytes but the tab. */
static bool is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Printable ASCII without blanks: what a request target may be made of. */
static bool is_target(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f)
			return false;
	}
	return s.n > 0;
}

/* http://authority/path: authority to h->host, the rest back. */
static int absolute_target(struct http_head *h, struct str *target, const char **why)
{
	size_t skip = str_starts(*target, STR("http://"))    ? 7
		      : str_starts(*target, STR("https://")) ? 8
							     : 0;
	struct str rest = str_sub(*target, skip, target->n);
	size_t end = 0;

	if (skip == 0) {
		*why = "the request target must be a path";
		return 400;
	}
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	h->host = str_sub(rest, 0, end);
	h->has_host = true;
	*target = end < rest.n ? str_sub(rest, end, rest.n) : STR("/");
	return 0;
}

static int parse_target(struct http_head *h, struct str target, const char **why)
{
	size_t q, hash;
	int rc;

	if (!is_target(target)) {
		*why = "bad byte in the request target";
		return 400;
	}
	if (str_eq(target, STR("*")) && h->method == HTTP_OPTIONS)
		target = STR("/");
	if (target.p[0] != '/') {
		rc = absolute_target(h, &target, why);
		if (rc != 0)
			return rc;
	}
	hash = str_find(target, '#');
	target = str_sub(target, 0, hash);
	q = str_find(target, '?');
	h->path = str_sub(target, 0, q);
	h->query = q < target.n ? str_sub(target, q + 1, target.n) : STR("");
	if (h->path.n == 0)
		h->path = STR("/");
	return 0;
}

static int parse_version(struct http_head *h, struct str version, const char **why)
{
	if (str_eq(version, STR("HTTP/1.1"))) {
		h->http11 = h->keep_alive = true;
		return 0;
	}
	if (str_eq(version, STR("HTTP/1.0")))
		return 0;
	*why = "only HTTP/1.0 and HTTP/1.1 are spoken here";
	return str_starts(version, STR("HTTP/")) ? 505 : 400;
}

static int parse_request_line(struct http_head *h, struct str line, const char **why)
{
	size_t a = str_find(line, ' '), b;
	struct str method = str_sub(line, 0, a), rest = str_sub(line, a + 1, line.n);
	int rc;

	b = str_find(rest, ' ');
	if (!is_token(method) || a >= line.n || b >= rest.n) {
		*why = "malformed request line";
		return 400;
	}
	rc = parse_version(h, str_sub(rest, b + 1, rest.n), why);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (str_eq(method, str_c(methods[i].name)))
			h->method = methods[i].method;
	}
	if (h->method == 0) {
		*why = "unknown method";
		return 501;
	}
	return parse_target(h, str_sub(rest, 0, b), why);
}

static int take_length(struct http_head *h, struct str v, const char **why)
{
	uint64_t n = 0;

	*why = "bad Content-Length";
	if (h->has_length || v.n == 0 || v.n > 18)
		return 400;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return 400;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	h->has_length = true;
	h->length = n;
	return 0;
}

static bool list_has(struct str list, struct str item)
{
	struct str part;

	while (str_split(&list, ',', &part)) {
		if (str_eq_nocase(str_trim(part), item))
			return true;
	}
	return false;
}

/* Headers that decide where the message ends and whom it is for. */
static int take_framing(struct http_head *h, const struct http_header *f, const char **why)
{
	if (str_eq_nocase(f->name, STR("content-length")))
		return take_length(h, f->value, why);
	if (str_eq_nocase(f->name, STR("transfer-encoding"))) {
		*why = "only the transfer coding \"chunked\" is taken";
		if (h->chunked || !str_eq_nocase(f->value, STR("chunked")))
			return 501;
		h->chunked = true;
	} else if (str_eq_nocase(f->name, STR("host"))) {
		*why = "more than one Host";
		if (h->has_host && h->host.p == f->value.p)
			return 400;
		for (size_t i = 0; i + 1 < h->n_headers; i++) {
			if (str_eq_nocase(h->headers[i].name, STR("host")))
				return 400;
		}
		if (!h->has_host) /* an absolute target goes before */
			h->host = f->value;
		h->has_host = true;
	} else if (str_eq_nocase(f->name, STR("connection"))) {
		if (list_has(f->value, STR("close")))
			h->keep_alive = false;
		else if (list_has(f->value, STR("keep-alive")) && !h->http11)
			h->keep_alive = true;
	} else if (str_eq_nocase(f->name, STR("expect"))) {
		*why = "unknown expectation";
		if (!str_eq_nocase(f->value, STR("100-continue")))
			return 417;
		h->expect_continue = true;
	}
	return 0;
}

static int parse_header(struct http_head *h, struct str line, const char **why)
{
	size_t colon = str_find(line, ':');
	struct http_header *f;

	if (h->n_headers == HTTP_HEADERS_MAX) {
		*why = "too many headers";
		return 431;
	}
	f = &h->headers[h->n_headers];
	f->name = str_sub(line, 0, colon);
	f->value = str_trim(str_sub(line, colon + 1, line.n));
	if (colon == line.n || !is_token(f->name) || !is_value(f->value)) {
		*why = "malformed header";
		return 400;
	}
	h->n_headers++;
	return take_framing(h, f, why);
}

int http_head_parse(struct str raw, struct http_head *h, const char **why)
{
	bool first = true;

	memset(h, 0, sizeof *h);
	while (raw.n > 0) {
		size_t nl = str_find(raw, '\n');
		struct str line = str_sub(raw, 0, nl);
		int rc;

		*why = "lines must end with CRLF";
		if (nl == raw.n || line.n == 0 || line.p[line.n - 1] != '\r')
			return 400;
		line.n--;
		raw = str_sub(raw, nl + 1, raw.n);
		if (line.n == 0 && !first)
			break;
		rc = first ? parse_request_line(h, line, why) : parse_header(h, line, why);
		if (rc != 0)
			return rc;
		first = false;
	}
	*why = "malformed request";
	if (first || raw.n > 0)
		return 400;
	if (h->chunked && (h->has_length || !h->http11)) {
		*why = "Transfer-Encoding beside Content-Length";
		return 400;
	}
	if (h->http11 && !h->has_host) {
		*why = "no Host header";
		return 400;
	}
	return 0;
}

struct str http_head_get(const struct http_head *h, struct str name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		if (str_eq_nocase(h->headers[i].name, name))
			return h->headers[i].value;
	}
	return STR("");
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str http_decode(struct arena *a, struct str s, bool plus, bool strict)
{
	char *out = arena_alloc(a, s.n + 1, 1);
	size_t n = 0;

	if (out == NULL)
		return STR_NULL;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '+' && plus) {
			c = ' ';
		} else if (c == '%') {
			int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int lo = hi >= 0 ? hex(s.p[i + 2]) : -1;

			if (lo >= 0) {
				c = (char)(hi * 16 + lo);
				i += 2;
			} else if (strict) {
				return STR_NULL;
			}
		}
		if (c == '\0' && strict)
			return STR_NULL;
		out[n++] = c;
	}
	return str_n(out, n);
}

bool http_path_is_clean(struct str decoded)
{
	struct str rest = decoded, part;

	for (size_t i = 0; i < decoded.n; i++) {
		unsigned char c = (unsigned char)decoded.p[i];

		if (c < 0x20 || c == 0x7f || c == '\\')
			return false;
	}
	while (str_split(&rest, '/', &part)) {
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	}
	return true;
}

bool http_takes_gzip(struct str accept_encoding)
{
	struct str rest = accept_encoding, part;

	while (str_split(&rest, ',', &part)) {
		size_t semi = str_find(part, ';');
		struct str coding = str_trim(str_sub(part, 0, semi));
		struct str q = str_trim(str_sub(part, semi + 1, part.n));
		double weight = 1;

		if (!str_eq_nocase(coding, STR("gzip")) && !str_eq(coding, STR("*")))
			continue;
		if (str_starts(q, STR("q=")) && !str_to_f64(str_sub(q, 2, q.n), &weight))
			weight = 0;
		return weight > 0;
	}
	return false;
}
