/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard - whom a request is for and who sent a browser there.
 *
 * Host must be an address we listen on, localhost, or external_url's host: else a page of a
 * stranger could reach us under its own name (DNS rebinding). What changes state must not come
 * from another site's page: Sec-Fetch-Site and Origin say so for every browser; tools send neither.
 */
#include <arpa/inet.h>

#include "agent/http/internal.h"

/* "[::1]:80", "host:80", "host" to the host alone. */
static struct str host_only(struct str s)
{
	size_t end;

	if (s.n > 0 && s.p[0] == '[') {
		end = str_find(s, ']');
		return str_sub(s, 1, end);
	}
	return str_sub(s, 0, str_find(s, ':'));
}

static bool is_address(struct str host)
{
	unsigned char to[16];
	char text[64];

	if (host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(AF_INET, text, to) == 1 || inet_pton(AF_INET6, text, to) == 1;
}

static bool is_local(struct str host)
{
	return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("127.0.0.1")) ||
	       str_eq(host, STR("::1"));
}

static bool host_is_ours(const struct http_server *s, struct str host)
{
	if (is_local(host) || (s->external_host.n > 0 && str_eq_nocase(host, s->external_host)))
		return true;
	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct http_listener *l = &s->listeners[i];

		/* every address leads to an "any" listener, and no rebinding uses addresses */
		if (l->any_address && (is_address(host) || str_eq_nocase(host, s->own_host)))
			return true;
		if (l->host.n > 0 && str_eq_nocase(host, l->host))
			return true;
	}
	return false;
}

/* The origin names the host the request went to, or external_url. */
static bool same_origin(const struct http_server *s, const struct http_req *r, struct str origin)
{
	size_t skip = str_starts(origin, STR("http://"))    ? 7
		      : str_starts(origin, STR("https://")) ? 8
							    : 0;
	struct str authority = str_sub(origin, skip, origin.n);

	if (skip == 0)
		return false; /* "null": sandboxed frames and files */
	if (str_eq_nocase(authority, r->head.host))
		return true;
	return s->external_host.n > 0 && str_eq_nocase(host_only(authority), s->external_host);
}

static bool from_elsewhere(const struct http_server *s, const struct http_req *r)
{
	struct str site = http_req_header(r, "sec-fetch-site");
	struct str origin = http_req_header(r, "origin");

	if (site.n > 0 && !str_eq(site, STR("same-origin")) && !str_eq(site, STR("none")))
		return true;
	return origin.n > 0 && !same_origin(s, r, origin);
}

int guard_check(const struct http_server *s, struct http_req *r, const char **why)
{
	if (r->head.has_host && !host_is_ours(s, host_only(r->head.host))) {
		METRIC_DROP("http", "host", 1);
		*why = "this Host is not served here: use a listen address, localhost, or the host "
		       "of web.external_url";
		return 421;
	}
	if (r->route != NULL && r->route->changes_state && from_elsewhere(s, r)) {
		METRIC_DROP("http", "origin", 1);
		*why = "a page of another site may not change anything here";
		return 403;
	}
	return 0;
}
