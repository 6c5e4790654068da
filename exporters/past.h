/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past - what people did in a time gone by that changed who was told: silences with the times they
 * held, and acknowledgements. For replays.
 *
 * Silences are read from their table. One that was forgotten there (LIMIT_SILENCE_KEEP_MS after its
 * end) is put together again from the history: for each alert that it silenced, a silence of
 * exactly that alert for as long as it was silenced; what else it would have silenced is not known.
 * The history keeps the newest 200,000 facts. Which incident of an alert was acknowledged is not
 * known either: all that it fires in are taken.
 */
#ifndef BELFRY_EXPORTERS_PAST_H
#define BELFRY_EXPORTERS_PAST_H

#include <sqlite3.h>

#include "base/jsonw.h"
#include "exporters/notify_api.h"

struct past_ack {
	int64_t at_ms; /* wall */
	uint64_t fingerprint;
	struct str who;
	bool taken_back;
};

struct past {
	struct silence_view *silences; /* id, matchers, times and recurring */
	size_t n_silences;
	size_t n_rebuilt;      /* of these, from the history */
	struct past_ack *acks; /* by time; one for each alert of an incident */
	size_t n_acks;
};

/* What held in [from, to]; everything in a. db: a state.db, of an older version too. Gives up when
 * asked to (base/stop.h). Nothing for to_ms <= 0. */
int past_read(sqlite3 *db, int64_t from_ms, int64_t to_ms, struct arena *a, struct past *out,
	struct err *e) MUST_CHECK;
/* An object's members "silences" and "acknowledgements", and back; text may be anybody's. */
void past_json(struct jsonw *j, const struct past *p);
int past_parse(struct str json, struct arena *a, struct past *out, struct err *e) MUST_CHECK;
/* The silences as rows of a new state.db, as if they had been known from the beginning: they begin
 * and end at their times. Before notify_new. */
int past_put_silences(sqlite3 *db, const struct past *p, struct err *e) MUST_CHECK;

#endif
