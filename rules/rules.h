/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - loads rule files, evaluates groups at their slots on the rule threads, keeps alert
 * states.
 *
 * One rule thread per manager (more later); groups are evaluated at aligned slots (hash of the
 * group spreads them). Results: recording samples and ALERTS go to the store as batches; alert
 * events to the sink.
 */
#ifndef BELFRY_RULES_RULES_H
#define BELFRY_RULES_RULES_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "rules/alert_event.h"
#include "rules/promql/select.h"
#include "storage/store.h"

struct rules;
struct rule_set; /* parsed rule files, immutable */

struct rules_opts {
	struct store *store;                /* where recording samples go */
	const struct select_source *source; /* what expressions read; may be shared by threads */
	struct alert_sink sink;
	struct labels external_labels; /* templates' $externalLabels */
	struct str external_url;
	int64_t evaluation_interval_ms;
	int64_t query_offset_ms;
	int64_t slot_unit_ms; /* base/slot.h; 0: each group's interval */
	int64_t lookback_ms;  /* 0: 5 min */
	uint64_t max_samples;
	size_t max_memory;
	bool experimental;
};

/* Parse rule files (already globbed paths). NULL when diag has errors. */
struct rule_set *rule_set_load(const struct str *paths, size_t n, bool experimental, struct diag *d,
	struct arena *scratch);
/* The same, and rule files that are in memory (rule packs); their names stand for paths. */
struct rule_text_file {
	struct str path, text;
};
struct rule_set *rule_set_load_with(const struct str *paths, size_t n,
	const struct rule_text_file *texts, size_t n_texts, bool experimental, struct diag *d,
	struct arena *scratch);
/* The same, passing over keys it does not know: for `test rules --ignore-unknown-fields`. */
struct rule_set *rule_set_load_lenient(const struct str *paths, size_t n, bool experimental,
	struct diag *d, struct arena *scratch);
void rule_set_free(struct rule_set *rs);
size_t rule_set_count(const struct rule_set *rs);

/* db: state.db connection to read stored alert states from (before the state thread starts). */
int rules_new(struct rules **out, const struct rules_opts *o, struct rule_set *take, sqlite3 *db,
	struct err *e) MUST_CHECK;
int rules_start(struct rules *r, struct err *e) MUST_CHECK;
/* Any thread: replace the rules; alert states of unchanged rules go on. Takes rs. */
void rules_reload(struct rules *r, struct rule_set *take, const struct rules_opts *o);
void rules_stop(struct rules *r);
void rules_free(struct rules *r);

/* JSON answers of /api/v1/rules and /api/v1/alerts ("data" object only). Any thread. type: "alert",
 * "record" or empty; names/groups/files filter when n > 0. */
struct rules_filter {
	struct str type;
	const struct str *rule_names, *groups, *files;
	size_t n_rule_names, n_groups, n_files;
	bool exclude_alerts;
};
void rules_json(struct rules *r, const struct rules_filter *f, struct buf *out);
void rules_alerts_json(struct rules *r, struct buf *out);
/* The same as copies in a, in no order: at most max of *total. Fewer when a refuses. */
struct rules_alert {
	bool firing; /* else pending */
	struct labels labels, annotations;
	int64_t active_at_ms;
	double value;
};
size_t rules_alerts(
	struct rules *r, struct arena *a, size_t max, struct rules_alert **out, size_t *total);
/* What messages may ask about the rule of an alert. False when there is none of this group, name
 * and expression (as alert_rule_info has them). Copies in a. Any thread. */
struct rules_about {
	int64_t for_ms;
	const struct str *label_names; /* those the rule itself sets */
	size_t n_label_names;
	struct str top; /* the template of belfry_top; empty: none */
};
bool rules_about(struct rules *r, struct str group, struct str name, struct str expr,
	struct arena *a, struct rules_about *out);
/* Wall time of the newest finished evaluation (0: none yet), firing and pending counts: for the
 * page and health. */
void rules_summary(struct rules *r, int64_t *last_eval_ms, size_t *firing, size_t *pending);

/* belfry test rules / check rules: exit code 0, 1 (2 usage). Writes to stdout/stderr. */
int rules_check_main(int argc, char **argv);
int rules_test_main(int argc, char **argv);

#endif
