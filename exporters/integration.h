/* SPDX-License-Identifier: Apache-2.0 */
/*
 * integration - the kinds of receivers behind one table: how a message is rendered, which requests
 * carry it there, what an answer means, how fast it may go.
 *
 * A row of the outbox is rendered once and may take several requests (steps: edit the root message,
 * then reply in its thread). Everything here runs on the state writer thread and does not block.
 */
#ifndef BELFRY_EXPORTERS_INTEGRATION_H
#define BELFRY_EXPORTERS_INTEGRATION_H

#include "base/buf.h"
#include "base/err.h"
#include "exporters/message.h"
#include "exporters/notify.h"
#include "exporters/sender.h"

struct graph_answer; /* exporters/graph.h */

/* The byte that stands, with a digit behind it, in a stored payload where request() puts what the
 * graph source found. No label value can hold it: renderers drop control characters. */
#define PAYLOAD_MARK '\001'

/* A stored message at one of its attempts: borrowed views. */
struct delivery {
	struct str id;      /* the same for all attempts */
	struct str thread;  /* of the incident and the integration */
	struct str payload; /* as rendered */
	struct str data;    /* what judge() kept about this thread; empty: nothing yet */
	unsigned step;      /* requests of this row that were accepted */
	bool degraded;      /* the receiver refused the full form: send the plain one */
	bool firing;
	unsigned behind;                  /* other messages that wait for this integration */
	const struct graph_answer *graph; /* NULL: none */
};

enum verdict {
	VERDICT_OK,      /* the row is delivered */
	VERDICT_NEXT,    /* this step is: make the next request */
	VERDICT_RETRY,   /* later: backoff, Retry-After */
	VERDICT_DEGRADE, /* once more, degraded; a second time means VERDICT_FINAL */
	VERDICT_FINAL,   /* never: park it, use the fallback */
};

struct integration_type {
	const char *name; /* as in metrics and configuration: "slack" */
	int64_t pace_ms;  /* least time between requests to one destination; 0: none */
	unsigned parallel;
	/* The receiver pairs a firing message with its resolved one by a key: it wants both, even
	 * when the first could not be delivered before all was over. */
	bool pairs;
	/* It keeps an incident open under the message's thread until a message that is not firing
	 * closes it. */
	bool closes;
	/* Where it goes, as far as pace and Retry-After are concerned: integrations that write the
	 * same text here share them (the URL of an incoming webhook; a token and its channel).
	 * NULL: each is a place of its own. Never shown: it may hold secrets. */
	void (*place)(const struct integration *in, struct buf *out);
	/* Whether this payload asks for a picture besides what its marks say. NULL: no. */
	bool (*wants_picture)(struct str payload);
	/* The payload that is stored. Empty and 0 back: nothing to tell. */
	int (*render)(const struct message *m, const struct integration *in, struct buf *payload,
		struct err *e);
	/* The next request; NULL with err when it cannot be made for good. */
	struct send_request *(*request)(
		const struct integration *in, const struct delivery *d, struct err *e);
	/* NULL: integration_judge_http. data: what to keep about the thread instead of d->data
	 * (untouched when left empty; at most LIMIT_THREAD_DATA bytes). */
	enum verdict (*judge)(const struct integration *in, const struct delivery *d,
		const struct send_request *req, struct buf *data);
	/* How long the answer's body wants us to wait, besides its Retry-After; 0: it does not say.
	 * NULL: it never does. */
	int64_t (*retry_after_ms)(const struct send_request *req);
};

/* NULL for a kind this version does not know. */
const struct integration_type *integration_type(enum integration_kind k);
/* The name, "unknown" for others. */
const char *integration_name(enum integration_kind k);

/* For the kinds' own files. A POST of JSON with X-Belfry-Id; the body is d->payload (without marks)
 * until the caller sets another. timeout_ms 0: the default. */
struct send_request *integration_http(struct str url, int64_t timeout_ms, const struct delivery *d);
/* Credentials, headers, proxy and TLS of http_config. ERR_INPUT: a header that holds CR, LF or NUL.
 */
int integration_http_options(
	struct send_request *req, const struct http_options *o, struct err *e) MUST_CHECK;
/* 2xx OK; 408, 429 and 5xx RETRY, no answer RETRY, else FINAL. */
enum verdict integration_judge_http(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data);
/* The same, but 400 and 413 DEGRADE: it may be the form that is not liked. */
enum verdict integration_judge_form(const struct integration *in, const struct delivery *d,
	const struct send_request *req, struct buf *data);
/* A copy for a request, NULL of nothing. */
char *integration_dup(struct str s);
/* The payload without its marks, malloc'ed. */
void integration_body(struct send_request *req, struct str payload);

extern const struct integration_type integration_slack, integration_email, integration_webhook,
	integration_pagerduty, integration_opsgenie, integration_msteamsv2, integration_discord,
	integration_telegram, integration_ntfy, integration_pushover, integration_mattermost,
	integration_rocketchat;

#endif
