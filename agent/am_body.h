/* SPDX-License-Identifier: Apache-2.0 */
/*
 * am_body - the bodies of Alertmanager's API v2, from JSON into what the dispatcher takes.
 *
 * Pure: no thread, no clock. What is given lives in the arena or in the body itself. Errors are
 * ERR_INPUT; code says how Alertmanager answers: 400, or 601, 602 and 612 of its schema.
 */
#ifndef BELFRY_AGENT_AM_BODY_H
#define BELFRY_AGENT_AM_BODY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "exporters/notify_api.h"

enum { AM_BAD_JSON = 400, AM_TYPE = 601, AM_REQUIRED = 602, AM_TOO_FEW = 612 };

/* POST /api/v2/alerts. null is an empty list, as there. */
int am_read_alerts(struct arena *a, struct str body, struct external_alert **out, size_t *n,
	struct err *e) MUST_CHECK;
/* POST /api/v2/silences. Besides Alertmanager's members: "recurring", a list of time intervals or
 * its text. */
int am_read_silence(
	struct arena *a, struct str body, struct silence_view *out, struct err *e) MUST_CHECK;
/* The time formats of that API; year 1 ("not given") and "" are 0. */
bool am_read_time(struct str s, int64_t *ms);
/* As its parameters read truth: "true", "1", "yes", "on", ... in any case; all else is false. */
bool am_truth(struct str s);
/* 8-4-4-4-12 hex digits. */
bool am_is_uuid(struct str s);

#endif
