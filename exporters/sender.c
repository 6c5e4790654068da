/* SPDX-License-Identifier: Apache-2.0 */
/* sender - making, filling and freeing transfers; see sender.h. The network is agent/'s. */
#include "exporters/sender.h"

#include <stdlib.h>

#include "base/assert.h"

struct send_request *send_request_new(enum send_kind kind)
{
	struct send_request *req = calloc(1, sizeof *req);

	ASSERT(req != NULL);
	req->kind = kind;
	return req;
}

static void free_strings(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

/* A secret does not stay behind in freed memory. */
static void free_secret(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

void send_request_free(struct send_request *req)
{
	if (req == NULL)
		return;
	free(req->url);
	free(req->method);
	free_strings(req->headers, req->n_headers);
	free(req->body);
	free(req->user);
	free_secret(req->password);
	free_secret(req->bearer);
	free(req->proxy);
	free(req->no_proxy);
	free(req->login_options);
	free(req->authzid);
	free(req->mail_from);
	free_strings(req->rcpt, req->n_rcpt);
	free(req->ca_file);
	free(req->cert_file);
	free(req->key_file);
	free(req->server_name);
	free(req->reply);
	free(req->reply_content_type);
	free(req->effective_url);
	free(req);
}

static bool has_line_break(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return true;
	}
	return false;
}

bool send_request_header(struct send_request *req, struct str name, struct str value)
{
	char **v;
	char *line;

	if (name.n == 0 || has_line_break(name) || has_line_break(value) ||
		memchr(name.p, ':', name.n) != NULL)
		return false;
	v = reallocarray(req->headers, req->n_headers + 1, sizeof *v);
	ASSERT(v != NULL);
	req->headers = v;
	line = malloc(name.n + value.n + 3);
	ASSERT(line != NULL);
	memcpy(line, name.p, name.n);
	line[name.n] = ':';
	line[name.n + 1] = ' ';
	if (value.n > 0)
		memcpy(line + name.n + 2, value.p, value.n);
	line[name.n + 2 + value.n] = '\0';
	v[req->n_headers++] = line;
	return true;
}
