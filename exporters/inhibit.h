/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inhibit - alerts that are not told because another one fires: Alertmanager's inhibit_rules
 * (reference notify.md D13).
 *
 * For each rule and each set of values of its `equal` labels there is a bucket with the firing
 * sources and the targets; a source that comes or goes touches its bucket's targets only. A target
 * that matches the source side as well is not inhibited by sources that match both sides (so no
 * alert inhibits itself). Silenced and inhibited sources still inhibit. State writer thread.
 */
#ifndef BELFRY_EXPORTERS_INHIBIT_H
#define BELFRY_EXPORTERS_INHIBIT_H

#include "exporters/live_alert.h"
#include "exporters/matcher_index.h"
#include "exporters/notify.h"

struct inhibit_bucket;

struct inhibitor {
	const struct inhibit_rule *rules; /* borrowed from the configuration */
	size_t n_rules;
	struct matcher_index sources, targets; /* items: rules */
	struct map buckets;
	/* An alert's `inhibited` changed. Must not change the inhibitor. */
	void (*changed)(struct live_alert *a, void *arg);
	void *arg;
};

/* Nobody is told of what inhibit_init and inhibit_fini do. */
void inhibit_init(struct inhibitor *x, const struct inhibit_rule *rules, size_t n,
	void (*changed)(struct live_alert *a, void *arg), void *arg);
/* Every alert was removed. */
void inhibit_fini(struct inhibitor *x);
/* A new alert: finds its rules, sets a->inhibited. As a source it counts from inhibit_source on. */
void inhibit_add(struct inhibitor *x, struct live_alert *a);
/* It begins or ceases to fire. */
void inhibit_source(struct inhibitor *x, struct live_alert *a, bool firing);
void inhibit_remove(struct inhibitor *x, struct live_alert *a);
/* Could anything inhibit it at all? */
bool inhibit_is_target(const struct live_alert *a);
/* Fingerprints of what inhibits it, at most max. */
size_t inhibit_sources_of(const struct live_alert *a, uint64_t *fps, size_t max);

#endif
