/* SPDX-License-Identifier: Apache-2.0 */
/*
 * integration - the table of kinds, and what their files share: the plain HTTP request and the
 * usual reading of its answer.
 */
#include "exporters/integration.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/num.h"

static const struct integration_type *const types[INTEGRATION_KINDS] = {
	[INT_SLACK] = &integration_slack,
	[INT_EMAIL] = &integration_email,
	[INT_WEBHOOK] = &integration_webhook,
	[INT_PAGERDUTY] = &integration_pagerduty,
	[INT_OPSGENIE] = &integration_opsgenie,
	[INT_MSTEAMSV2] = &integration_msteamsv2,
	[INT_DISCORD] = &integration_discord,
	[INT_TELEGRAM] = &integration_telegram,
	[INT_NTFY] = &integration_ntfy,
	[INT_PUSHOVER] = &integration_pushover,
	[INT_MATTERMOST] = &integration_mattermost,
	[INT_ROCKETCHAT] = &integration_rocketchat,
};

const struct integration_type *integration_type(enum integration_kind k)
{
	return (unsigned)k < INTEGRATION_KINDS ? types[k] : NULL;
}

const char *integration_name(enum integration_kind k)
{
	const struct integration_type *t = integration_type(k);

	return t != NULL ? t->name : "unknown";
}

void integration_body(struct send_request *req, struct str payload)
{
	char *p = malloc(payload.n + 1);
	size_t n = 0;

	ASSERT(p != NULL);
	for (size_t i = 0; i < payload.n; i++) {
		if (payload.p[i] == PAYLOAD_MARK)
			i++; /* and the digit behind it */
		else
			p[n++] = payload.p[i];
	}
	p[n] = '\0';
	free(req->body);
	req->body = p;
	req->body_len = n;
}

struct send_request *integration_http(struct str url, int64_t timeout_ms, const struct delivery *d)
{
	struct send_request *req = send_request_new(SEND_HTTP);
	bool ok;

	req->url = str_dup_c(url);
	req->method = str_dup_c(STR("POST"));
	ASSERT(req->url != NULL && req->method != NULL);
	req->timeout_ms = timeout_ms > 0 ? (int)MIN_OF(timeout_ms, 120000) : 0;
	ok = send_request_header(req, STR("Content-Type"), STR("application/json")) &&
	     send_request_header(req, STR("X-Belfry-Id"), d->id);
	ASSERT(ok);
	integration_body(req, d->payload);
	return req;
}

char *integration_dup(struct str s)
{
	char *c = s.n > 0 ? str_dup_c(s) : NULL;

	ASSERT(s.n == 0 || c != NULL);
	return c;
}

int integration_http_options(struct send_request *req, const struct http_options *o, struct err *e)
{
	for (size_t i = 0; i < o->n_headers; i++) {
		if (!send_request_header(req, o->headers[i].name, o->headers[i].value))
			return err_set(e, ERR_INPUT, 0, "bad HTTP header in http_headers");
	}
	if (o->authorization.n > 0 &&
		!send_request_header(req, STR("Authorization"), o->authorization))
		return err_set(e, ERR_INPUT, 0, "bad authorization");
	for (size_t i = 0; i < o->n_headers; i++)
		send_request_hide(req, o->headers[i].value);
	send_request_hide(req, o->authorization);
	req->user = integration_dup(o->basic_user);
	req->password = integration_dup(o->basic_password);
	req->bearer = integration_dup(o->bearer);
	req->proxy = integration_dup(o->proxy_url);
	req->no_proxy = integration_dup(o->no_proxy);
	req->ca_file = integration_dup(o->ca_file);
	req->cert_file = integration_dup(o->cert_file);
	req->key_file = integration_dup(o->key_file);
	req->server_name = integration_dup(o->server_name);
	req->insecure_skip_verify = o->insecure_skip_verify;
	req->follow_redirects = o->follow_redirects;
	return 0;
}

enum verdict integration_judge_http(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	(void)in;
	(void)d;
	(void)data;
	/* a webhook that answers with a page of megabytes has answered: no second page for that */
	if (!req->transport_ok && !req->reply_over)
		return VERDICT_RETRY;
	if (req->status >= 200 && req->status < 300)
		return VERDICT_OK;
	return req->status == 429 || req->status == 408 || req->status >= 500 ? VERDICT_RETRY
									      : VERDICT_FINAL;
}

enum verdict integration_judge_form(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data)
{
	if (req->transport_ok && (req->status == 400 || req->status == 413))
		return VERDICT_DEGRADE;
	return integration_judge_http(in, d, req, data);
}
