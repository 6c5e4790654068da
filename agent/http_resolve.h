/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_resolve - how many names one http client looks up at once.
 *
 * libcurl starts a thread for each, and getaddrinfo cannot be called off: while a name server is
 * dead, every attempt of every transfer would leave another thread behind. A transfer that finds no
 * slot waits for one, within its own time. Thread: the client's.
 */
#ifndef BELFRY_AGENT_HTTP_RESOLVE_H
#define BELFRY_AGENT_HTTP_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct resolve_slots {
	unsigned used;
	int64_t doubt_until_ms[LIMIT_RESOLVES]; /* of look-ups that nobody waits for any more */
	unsigned n_doubt;
};

bool resolve_take(struct resolve_slots *s);
/* It came to an end. */
void resolve_done(struct resolve_slots *s);
/* Its transfer ended before it: the thread may go on for a while. */
void resolve_leave(struct resolve_slots *s, int64_t now_ms);
/* Slots whose time of doubt is over are free again; true when one is free. */
bool resolve_tidy(struct resolve_slots *s, int64_t now_ms);

#endif
