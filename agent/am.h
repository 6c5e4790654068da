/* SPDX-License-Identifier: Apache-2.0 */
/*
 * am - what the handlers of Alertmanager's API v2 share: answers, errors, filters.
 *
 * Shapes, status codes and texts are Alertmanager's: a failure is a bare JSON string, what breaks
 * the schema is {"code","message"}. Handlers run on query workers, because every question waits for
 * the state writer.
 */
#ifndef BELFRY_AGENT_AM_H
#define BELFRY_AGENT_AM_H

#include <stdbool.h>

#include "agent/api.h"
#include "base/regex.h"
#include "exporters/notify_api.h"

#define AM_ANSWER_MEMORY ((size_t)512 << 20) /* what one answer may copy out of the dispatcher */

/* --- answers --- */
/* Starts a JSON answer of 200. */
void am_begin(struct http_req *r, struct jsonw *j);
/* "text" with a status. */
void am_error(struct http_req *r, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* {"code":code,"message":"..."}. */
void am_refuse(struct http_req *r, int status, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A question or change that failed in the dispatcher. */
void am_fail(struct http_req *r, const struct err *e);
/* A body that could not be read (agent/am_body.h). */
void am_bad_body(struct http_req *r, const struct err *e);
/* The request takes and sends JSON; else answered (406, 415) and false. */
bool am_accepts(struct http_req *r);
bool am_sends_json(struct http_req *r);
/* 2026-01-01T00:00:00.000Z */
void am_time(struct jsonw *j, const char *key, int64_t ms);

/* --- parameters; on failure the request was answered and false is returned --- */
bool am_bool(struct http_req *r, const char *name, bool missing);

struct am_filter {
	struct arena arena; /* not the request's: that is gone once it is answered */
	struct matcher *m;  /* of `filter` */
	size_t n;
	struct regex *receiver;     /* of `receiver`; NULL: not given */
	struct matcher *receiver_m; /* of `receiver_matchers` */
	size_t n_receiver_m;
};
bool am_filter_read(struct http_req *r, struct am_filter *f);
void am_filter_free(struct am_filter *f);
/* `receiver_matchers` hold for a receiver of this name. */
bool am_filter_receiver(const struct am_filter *f, struct str name);

/* Alertmanager's configuration as YAML: what amtool reads locally. Receivers keep their names and
 * what Alertmanager 0.25 knows of them; secrets are "<secret>". */
void am_config_print(const struct notify_config *c, struct buf *out);

#endif
