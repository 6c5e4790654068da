/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - belfry.yml as typed, checked, immutable data.
 *
 * One schema table (agent/config_schema.c) drives parsing, unknown-key suggestions, defaults, the
 * secret list, the reload list and the reference page (docs/reference/config.md, belfry.yml(5)). A
 * loaded configuration owns one arena; parts get plain structs that live in it.
 */
#ifndef BELFRY_AGENT_CONFIG_H
#define BELFRY_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/scrape/scrape.h"
#include "agent/statsd/statsd.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "exporters/notify.h"
#include "exporters/peer.h"
#include "exporters/watchdog.h"
#include "storage/store.h"

struct config {
	struct arena arena;    /* owns all below */
	struct str path;       /* as named on the command line */
	_Atomic unsigned refs; /* app.c's: who reads it besides the running parts */

	/* global */
	int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms, rule_query_offset_ms;
	struct labels external_labels;
	/* storage */
	struct store_opts storage;
	/* web */
	const struct str *web_listen;
	size_t n_web_listen;
	struct str external_url;
	bool web_insecure;
	/* statsd: n_listen 0 turns it off */
	struct statsd_opts statsd;
	bool remote_write_receiver;
	struct scrape_opts scrape;
	/* rules: paths after globbing, sorted */
	const struct str *rule_files;
	size_t n_rule_files;
	/* rule packs as rule files in memory, named pack:NAME */
	const struct rule_text_file *packs;
	size_t n_packs;
	/* notifications */
	struct notify_config notify;
	struct peer_config peers;
	struct watchdog_config watchdog;
	bool self_enabled;
	bool host_enabled;
	/* query */
	bool query_experimental;
	int64_t query_timeout_ms;
	uint64_t query_max_samples, query_max_memory;
	unsigned query_max_concurrency;
	int64_t query_lookback_ms;
};

/* Command-line flags that override the file; NULL: not given. */
struct config_flags {
	const char *storage_path, *web_listen;
	/* Only to be checked: what belfry knows but cannot do is no error (CF_CHECK_ONLY), and
	 * files of secrets need not be there. */
	bool check;
	/* Not 0: the file is an Alertmanager's, and is judged as that version's check-config would:
	 * 33 is 0.33. Only with check. */
	unsigned alertmanager_minor;
};

/* NULL when diag has errors (all of them told). Environment variables are read with getenv. */
struct config *config_load(const char *path, const struct config_flags *flags, struct diag *d);
/* The same from memory; reads no other file (secrets and rule files stay empty): for tests, fuzzing
 * and editors. `path` is only a name in messages. */
struct config *config_load_text(
	struct str path, struct str text, const struct config_flags *flags, struct diag *d);
void config_free(struct config *c);
/* The configuration with defaults filled in and secrets as <secret>, as YAML. */
void config_print(const struct config *c, struct buf *out);
/* Keys that differ between the two and cannot change live: their dotted names, comma-separated,
 * into out. */
void config_fixed_changes(
	const struct config *running, const struct config *wanted, struct buf *out);
/* The reference page in Markdown, from the schema table (make docs; belfry help config). */
void config_reference(struct buf *out);
/* belfry check config. */
int config_check_main(int argc, char **argv);

#endif
