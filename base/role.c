/* SPDX-License-Identifier: Apache-2.0 */
/* role - thread roles; see role.h. */
#include "base/role.h"

#include <pthread.h>

static _Thread_local enum role current;

static const char *const names[] = {
	[ROLE_NONE] = "none",
	[ROLE_LOOP] = "loop",
	[ROLE_HTTP_CLIENT] = "http-client",
	[ROLE_STATSD] = "statsd",
	[ROLE_INGEST] = "ingest",
	[ROLE_STORAGE_WRITER] = "storage-writer",
	[ROLE_RULE] = "rule",
	[ROLE_QUERY] = "query",
	[ROLE_STATE_WRITER] = "state-writer",
	[ROLE_LOG] = "log",
	[ROLE_PEER] = "peer",
};

void role_enter(enum role r)
{
	ASSERT(current == ROLE_NONE || current == r);
	current = r;
	(void)pthread_setname_np(pthread_self(), names[r]); /* a name only: failing is harmless */
}

enum role role_get(void)
{
	return current;
}

const char *role_name(void)
{
	return names[current];
}

bool role_is(enum role r)
{
	return current == r || current == ROLE_NONE;
}
