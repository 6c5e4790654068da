/* SPDX-License-Identifier: Apache-2.0 */
/* http_resolve - slots for name look-ups; see http_resolve.h. */
#include "agent/http_resolve.h"

#include "base/assert.h"

/* resolv.conf's defaults give a server 5 s, twice: what began 10 s before its transfer timed out
 * has ended, or ends soon. */
#define DOUBT_MS 10000

bool resolve_take(struct resolve_slots *s)
{
	if (s->used >= LIMIT_RESOLVES)
		return false;
	s->used++;
	return true;
}

void resolve_done(struct resolve_slots *s)
{
	ASSERT(s->used > 0);
	s->used--;
}

void resolve_leave(struct resolve_slots *s, int64_t now_ms)
{
	ASSERT(s->n_doubt < LIMIT_RESOLVES);
	s->doubt_until_ms[s->n_doubt++] = now_ms + DOUBT_MS;
}

bool resolve_tidy(struct resolve_slots *s, int64_t now_ms)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->n_doubt; i++) {
		if (s->doubt_until_ms[i] > now_ms)
			s->doubt_until_ms[kept++] = s->doubt_until_ms[i];
		else
			resolve_done(s);
	}
	s->n_doubt = kept;
	return s->used < LIMIT_RESOLVES;
}
