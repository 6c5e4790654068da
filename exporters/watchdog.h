/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog - the dead man's switch: a beat to a service that calls somebody when beats stay away.
 *
 * A beat goes out every interval, past rules, routes and outbox, and only while all three work:
 * its time was committed to state.db just before, rules were evaluated lately, and no message has
 * waited longer than max_wait for a receiver. Whatever else is wrong with belfry, the beats stop.
 * A beat is never repeated and never queued: the next one comes anyway.
 *
 * Lives on the state writer as one of its modules.
 */
#ifndef BELFRY_EXPORTERS_WATCHDOG_H
#define BELFRY_EXPORTERS_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "exporters/sender.h"
#include "storage/state.h"

struct notify;
struct watchdog;

struct watchdog_config {
	struct str url;           /* empty: off */
	struct str authorization; /* the header's whole value; empty: none */
	int64_t interval_ms;
	int64_t max_wait_ms; /* 0: messages may wait */
};

struct watchdog_opts {
	const struct watchdog_config *config; /* copied */
	struct notify *notify;
	struct sender sender;
	struct str instance; /* said in the beat */
	/* Rules are evaluated as they should be; any thread. */
	bool (*rules_alive)(void *arg, int64_t now_ms);
	void *arg;
};

/* Before state_start. */
int watchdog_new(struct watchdog **out, struct state *s, const struct watchdog_opts *o,
	struct err *e) MUST_CHECK;
/* Any thread: takes effect within ten seconds. */
void watchdog_reload(struct watchdog *w, const struct watchdog_config *c);
/* Any thread: nothing is handed to the sender afterwards. */
void watchdog_stop(struct watchdog *w);
/* After state_stop and the sender's end. */
void watchdog_free(struct watchdog *w);

#endif
