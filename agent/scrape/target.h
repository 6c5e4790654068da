/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target - one address that is scraped: what the configuration says of it, and how it fares.
 *
 * The configuration part is plain data made on the loop thread; the labels are the target's
 * identity over reloads. Everything but `refs` belongs to the loop thread, except that page and
 * last belong to the run while busy is set.
 */
#ifndef BELFRY_AGENT_SCRAPE_TARGET_H
#define BELFRY_AGENT_SCRAPE_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/loop.h"
#include "agent/scrape/page.h"
#include "agent/scrape/scrape.h"
#include "base/arena.h"
#include "exporters/sender.h"

struct target_conf {
	struct arena mem; /* owns everything below */
	struct labels labels, discovered;
	uint64_t hash; /* labels_hash(labels) */
	struct str pool, url;
	int64_t interval_ms, timeout_ms, offset_ms;
	struct page_conf page;
	uint64_t body_limit;
	struct str user, password, bearer, ca_file, cert_file, key_file, server_name;
	bool insecure_skip_verify, follow_redirects;
};

enum target_health { TARGET_UNKNOWN, TARGET_UP, TARGET_DOWN };

struct target {
	_Atomic unsigned refs; /* the list's, and a run's */
	struct target_conf *conf;
	struct scrape *owner;
	struct loop_timer *timer;
	bool busy; /* a run is under way */
	bool gone; /* taken out of the configuration while busy */
	int64_t last_slot_ms;
	struct page *page;
	struct batch *last; /* what the store answered to the last run: page_absorb it */
	enum target_health health;
	char last_error[240];
	int64_t last_scrape_ms; /* wall time; 0: never */
	double last_duration;   /* seconds */
};

/* NULL when labels or URL are over limits: told in *e. Owned by the caller. */
struct target_conf *target_conf_new(const struct scrape_job *job, const struct scrape_static *group,
	struct str address, struct err *e) MUST_CHECK;
void target_conf_free(struct target_conf *c);
/* The transfer that fetches the page. */
struct send_request *target_request(const struct target_conf *c);
/* Gives it its place among n targets; unit_ms as in base/slot.h. */
void target_conf_place(struct target_conf *c, int64_t unit_ms, size_t n);
/* Start of the slot that holds time `now`: offset + k * interval. */
int64_t target_slot(const struct target_conf *c, int64_t now_ms);

struct target *target_new(struct target_conf *take_conf);
void target_unref(struct target *t);

#endif
