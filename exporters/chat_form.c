/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_form - a request's body in parts (multipart/form-data, RFC 7578), for services that take a
 * picture along with a message.
 *
 * The boundary is random for each request: no text from a label can end a part.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/hash.h"
#include "exporters/chat.h"

void chat_form_init(struct chat_parts *p, size_t max)
{
	uint64_t random[2];

	hash_random(random, sizeof random);
	(void)snprintf(p->boundary, sizeof p->boundary, "belfry-%016llx%016llx",
		(unsigned long long)random[0], (unsigned long long)random[1]);
	buf_init(&p->body, max);
}

void chat_form_fini(struct chat_parts *p)
{
	buf_fini(&p->body);
}

void chat_form_part(
	struct chat_parts *p, const char *name, const char *file, const char *type, struct str data)
{
	struct buf *b = &p->body;

	buf_printf(b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", p->boundary, name);
	if (file != NULL)
		buf_printf(b, "; filename=\"%s\"", file);
	if (type != NULL)
		buf_printf(b, "\r\nContent-Type: %s", type);
	buf_c(b, "\r\n\r\n");
	buf_str(b, data);
	buf_c(b, "\r\n");
}

void chat_set_type(struct send_request *req, const char *type)
{
	for (size_t i = 0; i < req->n_headers; i++) {
		char *line;

		if (strncasecmp(req->headers[i], "content-type:", 13) != 0)
			continue;
		line = malloc(strlen(type) + 16);
		ASSERT(line != NULL);
		(void)snprintf(line, strlen(type) + 16, "Content-Type: %s", type);
		free(req->headers[i]);
		req->headers[i] = line;
	}
}

bool chat_form_send(struct chat_parts *p, struct send_request *req)
{
	char type[100];
	char *body;
	size_t n;

	buf_printf(&p->body, "--%s--\r\n", p->boundary);
	body = buf_take(&p->body, &n);
	if (body == NULL)
		return false;
	free(req->body);
	req->body = body;
	req->body_len = n;
	(void)snprintf(type, sizeof type, "multipart/form-data; boundary=%s", p->boundary);
	chat_set_type(req, type);
	return true;
}
