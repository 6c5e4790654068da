/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrape - targets, their timers on the loop, transfers on the scrape client, parsing on ingest
 * workers.
 */
#ifndef BELFRY_AGENT_SCRAPE_SCRAPE_H
#define BELFRY_AGENT_SCRAPE_SCRAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/loop.h"
#include "agent/pool.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"
#include "exporters/sender.h"
#include "storage/store.h"

/* One static target group: addresses with common labels. */
struct scrape_static {
	const struct str *targets;
	size_t n_targets;
	struct labels labels;
};

/* One scrape_configs entry, defaults filled in. Plain data in the configuration's arena. */
struct scrape_job {
	struct str job_name, metrics_path, scheme;
	int64_t interval_ms, timeout_ms;
	bool honor_labels, honor_timestamps;
	const struct label *params; /* name and value, repeated names allowed */
	size_t n_params;
	struct str basic_user, basic_password, bearer;
	uint64_t body_size_limit, sample_limit, label_limit, label_name_length_limit,
		label_value_length_limit; /* 0: none/default */
	struct str ca_file, cert_file, key_file, server_name;
	bool insecure_skip_verify, follow_redirects;
	const struct scrape_static *statics;
	size_t n_statics;
};

struct scrape_opts {
	const struct scrape_job *jobs;
	size_t n_jobs;
	struct labels external_labels;
	int64_t slot_unit_ms; /* see base/slot.h; 0: each target's interval */
};

struct scrape;

/* Loop thread. jobs must live until the next scrape_reload was called or scrape_stop. */
int scrape_start(struct scrape **out, const struct scrape_opts *o, struct loop *l,
	struct pool *ingest, struct sender client, struct store *store, struct err *e) MUST_CHECK;
/* Unchanged targets keep their timers and caches; removed ones end with staleness markers. */
void scrape_reload(struct scrape *s, const struct scrape_opts *o);
void scrape_stop(struct scrape *s);
/* "data" of /api/v1/targets. Loop thread. state: "active", "dropped", "any" or empty. */
void scrape_targets_json(struct scrape *s, struct str state, struct str pool, struct buf *out);
/* "data" of /api/v1/scrape_pools and /api/v1/targets/metadata. Loop thread. */
void scrape_pools_json(struct scrape *s, struct buf *out);

#endif
