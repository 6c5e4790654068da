/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_net - addresses and URLs by their form. Nothing is resolved here: a reload runs on the
 * loop, and a name server may take seconds.
 */
#include <arpa/inet.h>

#include "agent/config_load.h"

static bool port_is_valid(struct str port)
{
	unsigned long long v;

	return port.n > 0 && port.n <= 5 && port.p[0] >= '0' && port.p[0] <= '9' &&
	       str_to_u64(port, &v) && v <= 65535;
}

/* Host and port of "host:port", "[v6]:port", "host"; false when the brackets are wrong. */
static bool split(struct str s, struct str *host, struct str *port)
{
	size_t end;

	*port = STR_NULL;
	if (s.n > 0 && s.p[0] == '[') {
		end = str_find(s, ']');
		*host = str_sub(s, 1, end);
		if (end == s.n || (end + 1 < s.n && s.p[end + 1] != ':'))
			return false;
		if (end + 1 < s.n)
			*port = str_sub(s, end + 2, s.n);
		return host->n > 0 && (end + 1 == s.n || port->n > 0);
	}
	end = str_find(s, ':');
	*host = str_sub(s, 0, end);
	if (end < s.n)
		*port = str_sub(s, end + 1, s.n);
	return end == s.n || (port->n > 0 && str_find(*port, ':') == port->n);
}

static bool host_is_valid(struct str host)
{
	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];

		if (c <= ' ' || c == 0x7f || strchr("/?#@\"'<>\\[]", c) != NULL)
			return false;
	}
	return host.n < 256;
}

const char *config_check_host_port(struct str s, bool port_needed)
{
	struct str host, port;

	if (str_has(s, STR("://")))
		return "an address has no scheme; write host:port";
	if (str_find(s, '/') < s.n)
		return "an address has no path; write host:port";
	if (!split(s, &host, &port) || !host_is_valid(host))
		return "not an address; write host:port";
	if (port_needed && port.n == 0)
		return "the port is missing; write host:port";
	if (port.n > 0 && !port_is_valid(port))
		return "the port must be a number up to 65535";
	return NULL;
}

const char *config_check_url(struct str url)
{
	struct str rest, host, port;
	size_t end;

	for (size_t i = 0; i < url.n; i++) {
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
			return "not a URL: it holds white space or control characters";
	}
	if (str_starts(url, STR("http://")))
		rest = str_sub(url, 7, url.n);
	else if (str_starts(url, STR("https://")))
		rest = str_sub(url, 8, url.n);
	else
		return "not a URL; write for example https://example.org/path";
	end = 0;
	while (end < rest.n && strchr("/?#", rest.p[end]) == NULL)
		end++;
	rest = str_sub(rest, 0, end);
	while (str_find(rest, '@') < rest.n) /* user and password */
		rest = str_sub(rest, str_find(rest, '@') + 1, rest.n);
	if (!split(rest, &host, &port) || host.n == 0 || !host_is_valid(host))
		return "the URL has no valid host";
	if (port.n > 0 && !port_is_valid(port))
		return "the URL's port must be a number up to 65535";
	return NULL;
}

bool config_is_loopback(struct str listen)
{
	struct str host, port;
	struct in_addr v4;
	struct in6_addr v6;
	char text[64];

	if (str_starts(listen, STR("unix:")))
		return true;
	if (!split(listen, &host, &port) || host.n == 0 || host.n >= sizeof text)
		return false;
	if (str_eq_nocase(host, STR("localhost")))
		return true;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6) != 0;
}
