/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_transfer - one libcurl easy handle: set up from a send_request, read into its answer.
 *
 * Thread: the http client's, which owns the multi handle; nothing here touches that. Redirects are
 * followed by hand, since libcurl cannot be told "this host only".
 */
#ifndef BELFRY_AGENT_HTTP_TRANSFER_H
#define BELFRY_AGENT_HTTP_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/http_resolve.h"
#include "agent/smtp_log.h"
#include "base/buf.h"
#include "base/err.h"
#include "exporters/sender.h"

struct transfer {
	struct send_request *req;
	CURL *easy;
	struct curl_slist *headers, *rcpt, *connect_to;
	char *url;        /* where it goes now: req->url, or after a redirect another one */
	struct buf reply; /* bounded by reply_max */
	size_t reply_max;
	size_t head_bytes; /* of all answers' headers */
	size_t body_off;   /* what of req->body was sent */
	unsigned redirects;
	bool no_credentials; /* a redirect left for another port: none are sent from now on */
	bool reply_over, head_over;
	int64_t start_ns;
	int timeout_ms;
	struct smtp_log smtp;
	/* Looking up the name: under way; refused, there is no slot free: to be run again later. */
	struct resolve_slots *slots;
	bool resolving, no_slot;
	char curl_error[CURL_ERROR_SIZE];
	struct transfer *prev, *next; /* the client's list of running ones */
};

/* Borrows req, and slots, until transfer_free. NULL and *e when the request cannot be sent as it
 * is.
 */
struct transfer *transfer_new(
	struct send_request *req, struct resolve_slots *slots, struct err *e) MUST_CHECK;
/* Another try after no_slot. False: its time is over. */
bool transfer_again(struct transfer *t) MUST_CHECK;
/* The look-up ended with the transfer, or goes on without it. */
void transfer_release_slot(struct transfer *t, CURLcode rc);
void transfer_free(struct transfer *t);
/* libcurl is done with it: fill in the request's answer, or prepare to follow a redirect: then
 * true, and the handle (already taken off its multi) is to be run again. */
bool transfer_finish(struct transfer *t, CURLcode rc);
/* Answer without a transfer: refused, cancelled. */
void transfer_fail(struct send_request *req, const char *why);

#endif
