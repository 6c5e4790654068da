/* SPDX-License-Identifier: Apache-2.0 */
/*
 * silence - silences: who made them, what they match, when they work (reference notify.md D14).
 *
 * State writer thread. Memory is the truth, what differs from state.db is marked dirty and written
 * in the same transaction. Which silences work on an alert is kept with the alert; silence_refresh
 * says when that has to be worked out anew, and silence_of does it through an index.
 */
#ifndef BELFRY_EXPORTERS_SILENCE_H
#define BELFRY_EXPORTERS_SILENCE_H

#include <sqlite3.h>

#include "exporters/live_alert.h"
#include "exporters/matcher_index.h"
#include "exporters/notify_api.h"
#include "exporters/time_interval.h"

struct silence {
	char id[37];
	struct arena arena; /* everything below */
	const struct silence_matcher *given;
	struct matcher *matchers;
	size_t n;
	int64_t starts_ms, ends_ms, updated_ms; /* wall */
	struct str created_by, comment, recurring;
	struct labels annotations;
	const struct time_interval *intervals; /* of a recurring one */
	size_t n_intervals;
	bool working; /* active, and inside its intervals */
	bool dirty, gone;
	size_t n_alerts; /* it works on */
	struct silence *next_dirty;
};

#define SILENCE_FLIPS 8u

struct silence_set {
	struct map by_id;
	struct matcher_index index; /* of those that work */
	/* Whose working changed at the last refresh; more than these: n_flipped is larger. */
	struct silence *flipped[SILENCE_FLIPS];
	size_t n_flipped;
	bool index_stale; /* silence_refresh has to be called before silence_of */
	struct silence *dirty;
	int64_t due_wall_ms; /* when a state changes next; INT64_MAX: never */
	struct metric *gauge;
};

void silence_set_init(struct silence_set *s);
void silence_set_fini(struct silence_set *s);
struct silence *silence_find(const struct silence_set *s, struct str id);
enum silence_state silence_state_at(const struct silence *x, int64_t now_ms);
/* D14. Afterwards silence_refresh is due. id: 37 bytes. */
int silence_put(struct silence_set *s, const struct silence_view *v, int64_t now_ms, char *id,
	struct err *e) MUST_CHECK;
int silence_end(struct silence_set *s, struct str id, int64_t now_ms, struct err *e) MUST_CHECK;
/* Follows the clock: true when other silences work than before, so that silence_of has to be asked
 * for every alert. Forgets what is over for long. */
bool silence_refresh(struct silence_set *s, int64_t now_ms);
/* Whether what the last refresh changed can concern this alert. */
bool silence_touched(const struct silence_set *s, const struct live_alert *a);
/* The silences that work on this alert now; true when these are others than before. */
bool silence_of(struct silence_set *s, struct live_alert *a);
/* It is about to be freed, or fires no more. */
void silence_release(struct live_alert *a);

/* Rows of state.db. Writing is repeatable; silence_committed clears. */
int silence_load(struct silence_set *s, sqlite3 *db, struct err *e) MUST_CHECK;
int silence_write(const struct silence_set *s, sqlite3 *db, struct err *e) MUST_CHECK;
void silence_committed(struct silence_set *s);

#endif
