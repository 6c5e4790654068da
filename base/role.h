/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role - which kind of thread runs this (architecture: "Threads: who owns what").
 *
 * A thread takes its role once with role_enter(); functions that belong to one thread
 * assert it at their entry with ROLE_IS(). The names also name the threads for top(1).
 */
#ifndef BELFRY_BASE_ROLE_H
#define BELFRY_BASE_ROLE_H

#include <stdbool.h>

#include "base/assert.h"

enum role {
	ROLE_NONE = 0, /* tests, start-up before threads */
	ROLE_LOOP,
	ROLE_HTTP_CLIENT,
	ROLE_STATSD,
	ROLE_INGEST,
	ROLE_STORAGE_WRITER,
	ROLE_RULE,
	ROLE_QUERY,
	ROLE_STATE_WRITER,
	ROLE_LOG,
	ROLE_PEER,
};

/* Give this thread its role for its whole life; also sets the thread's name. */
void role_enter(enum role r);
enum role role_get(void);
const char *role_name(void);

/* True when the thread has the role, or none at all (unit tests call parts directly). */
bool role_is(enum role r);
#define ROLE_IS(r) ASSERT(role_is(r))

#endif
