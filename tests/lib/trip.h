/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trip - a message on its way to a receiver of several steps: rendered, asked about request by
 * request, answered. Failures are those of the test that calls.
 */
#ifndef BELFRY_TESTS_LIB_TRIP_H
#define BELFRY_TESTS_LIB_TRIP_H

#include "base/buf.h"
#include "exporters/integration.h"
#include "exporters/message.h"

struct trip {
	struct integration in;
	struct buf payload, data;
	struct delivery d;
	struct send_request *req; /* of the last trip_request */
};

/* conf and m are borrowed until trip_end. */
void trip_start(
	struct trip *t, enum integration_kind kind, const void *conf, const struct message *m);
/* The next message of the same incident; what judge() kept goes with it. */
void trip_next(struct trip *t, const struct message *m);
/* Makes the step's request. */
void trip_request(struct trip *t);
/* status 0: none came. Goes to the next step, or a plainer form, as the verdict says. */
enum verdict trip_answer(struct trip *t, int status, const char *reply, const char *error);
void trip_end(struct trip *t);

/* Whether the request's body holds the text. */
bool trip_says(const struct trip *t, const char *text);

#endif
