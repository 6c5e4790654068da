/* SPDX-License-Identifier: Apache-2.0 */
/* targets_json - /api/v1/targets and /api/v1/scrape_pools as Prometheus shapes them; loop thread.
 */
#include "agent/scrape/run.h"
#include "agent/scrape/scrape.h"
#include "base/dur.h"
#include "base/jsonw.h"

static const char *const health_names[] = {
	[TARGET_UNKNOWN] = "unknown", [TARGET_UP] = "up", [TARGET_DOWN] = "down"};

static void put_duration(struct jsonw *j, const char *key, int64_t ms)
{
	struct buf b;

	buf_init(&b, 64);
	dur_print(&b, ms);
	jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

static void put_target(struct jsonw *j, const struct target *t)
{
	const struct target_conf *c = t->conf;

	jsonw_object(j);
	jsonw_key(j, "discoveredLabels");
	jsonw_labels(j, c->discovered);
	jsonw_key(j, "labels");
	jsonw_labels(j, c->labels);
	jsonw_kv_str(j, "scrapePool", c->pool);
	jsonw_kv_str(j, "scrapeUrl", c->url);
	jsonw_kv_str(j, "globalUrl", c->url);
	jsonw_kv_c(j, "lastError", t->last_error);
	if (t->last_scrape_ms == 0) {
		jsonw_kv_c(j, "lastScrape", "0001-01-01T00:00:00Z");
	} else {
		jsonw_key(j, "lastScrape");
		jsonw_rfc3339(j, t->last_scrape_ms);
	}
	jsonw_kv_f64(j, "lastScrapeDuration", t->last_duration);
	jsonw_kv_c(j, "health", health_names[t->health]);
	put_duration(j, "scrapeInterval", c->interval_ms);
	put_duration(j, "scrapeTimeout", c->timeout_ms);
	jsonw_object_end(j);
}

void scrape_targets_json(struct scrape *s, struct str state, struct str pool, struct buf *out)
{
	bool active = !str_eq(state, STR("dropped")), dropped = !str_eq(state, STR("active"));
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "activeTargets");
	jsonw_array(&j);
	for (size_t i = 0; i < s->n_targets && active; i++) {
		if (pool.n == 0 || str_eq(s->targets[i]->conf->pool, pool))
			put_target(&j, s->targets[i]);
	}
	jsonw_array_end(&j);
	jsonw_key(&j, "droppedTargets"); /* nothing drops targets yet: no relabelling */
	jsonw_array(&j);
	jsonw_array_end(&j);
	if (dropped) {
		jsonw_key(&j, "droppedTargetCounts");
		jsonw_object(&j);
		for (size_t i = 0; i < s->n_pools; i++) {
			jsonw_key_str(&j, s->pools[i]);
			jsonw_i64(&j, 0);
		}
		jsonw_object_end(&j);
	}
	jsonw_object_end(&j);
}

void scrape_pools_json(struct scrape *s, struct buf *out)
{
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "scrapePools");
	jsonw_array(&j);
	for (size_t i = 0; i < s->n_pools; i++)
		jsonw_str(&j, s->pools[i]);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
}
