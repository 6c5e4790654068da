/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client - one thread with an event base and a libcurl multi handle (multi-socket interface);
 * two of them run: one for scrapes, one for delivery. Serves exporters/sender.h.
 *
 * Every transfer has a total timeout and a byte cap counted in the write callback; only http,
 * https, smtp, smtps; redirects to another host carry no credentials; curl's error texts are
 * stripped of URLs. The answer's `error` for a body over its cap reads "body over N bytes".
 * Accept-Encoding: gzip is sent and decoded for HTTP GET.
 */
#ifndef BELFRY_AGENT_HTTP_CLIENT_H
#define BELFRY_AGENT_HTTP_CLIENT_H

#include "base/err.h"
#include "exporters/sender.h"

struct http_client;

int http_client_new(struct http_client **out, const char *name, unsigned max_parallel,
	struct err *e) MUST_CHECK;
struct sender http_client_sender(struct http_client *c);
/* Cancel what runs (on_done with transport_ok false), join the thread. */
void http_client_free(struct http_client *c);

#endif
