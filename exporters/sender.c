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
	for (size_t i = 0; i < req->n_hidden; i++)
		free_secret(req->hidden[i]);
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

void send_request_hide(struct send_request *req, struct str secret)
{
	char *copy;

	if (secret.n < 6 || req->n_hidden == SEND_HIDDEN_MAX)
		return;
	copy = str_dup_c(secret);
	if (copy != NULL) /* NULL: it holds a NUL byte, and is in no header or URL */
		req->hidden[req->n_hidden++] = copy;
}

#define SECRET_MIN 3u /* a shorter one is not told from what stands in every text */

/* Bytes of the secret that text begins with; 0: none. */
static size_t secret_at(struct str text, const char *secret, size_t least)
{
	size_t n = secret != NULL ? strlen(secret) : 0;

	return n >= least && str_starts(text, str_n(secret, n)) ? n : 0;
}

/* The path of the URL, or a part of it that is long enough to be a secret. */
static size_t path_at(struct str text, struct str path)
{
	struct str part;

	if (path.n > 3 && str_starts(text, path))
		return path.n;
	while (str_split(&path, '/', &part)) {
		if (part.n >= 12 && str_starts(text, part))
			return part.n;
		if (path.p == NULL)
			break;
	}
	return 0;
}

void send_request_redact(const struct send_request *req, struct str text, struct buf *out)
{
	const char *at = req->url != NULL ? strstr(req->url, "://") : NULL;
	struct str path = STR("");

	at = at != NULL ? strchr(at + 3, '/') : NULL;
	if (at != NULL)
		path = str_n(at, strcspn(at, "?#"));
	for (size_t i = 0; i < text.n;) {
		struct str rest = str_sub(text, i, text.n);
		size_t n = path_at(rest, path);

		n = n > 0 ? n : secret_at(rest, req->password, SECRET_MIN);
		n = n > 0 ? n : secret_at(rest, req->bearer, SECRET_MIN);
		for (size_t k = 0; n == 0 && k < req->n_hidden; k++)
			n = secret_at(rest, req->hidden[k], 1);
		if (n > 0)
			buf_c(out, "\xe2\x80\xa6");
		else
			buf_ch(out, text.p[i]);
		i += n > 0 ? n : 1;
	}
}
