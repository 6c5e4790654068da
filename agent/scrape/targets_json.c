/* SPDX-License-Identifier: Apache-2.0 */
/* targets_json - /api/v1/targets and /api/v1/scrape_pools as Prometheus shapes them; loop thread.
 */
#include "agent/scrape/run.h"
#include "agent/scrape/scrape.h"
#include "base/dur.h"
#include "base/json.h"

static const char *const health_names[] = {
	[TARGET_UNKNOWN] = "unknown", [TARGET_UP] = "up", [TARGET_DOWN] = "down"};

static void put_duration(struct json *j, const char *key, int64_t ms)
{
	struct buf b;

	buf_init(&b, 64);
	dur_print(&b, ms);
	json_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

static void put_target(struct json *j, const struct target *t)
{
	const struct target_conf *c = t->conf;

	json_object(j);
	json_key(j, "discoveredLabels");
	json_labels(j, c->discovered);
	json_key(j, "labels");
	json_labels(j, c->labels);
	json_kv_str(j, "scrapePool", c->pool);
	json_kv_str(j, "scrapeUrl", c->url);
	json_kv_str(j, "globalUrl", c->url);
	json_kv_c(j, "lastError", t->last_error);
	if (t->last_scrape_ms == 0) {
		json_kv_c(j, "lastScrape", "0001-01-01T00:00:00Z");
	} else {
		json_key(j, "lastScrape");
		json_rfc3339(j, t->last_scrape_ms);
	}
	json_kv_f64(j, "lastScrapeDuration", t->last_duration);
	json_kv_c(j, "health", health_names[t->health]);
	put_duration(j, "scrapeInterval", c->interval_ms);
	put_duration(j, "scrapeTimeout", c->timeout_ms);
	json_object_end(j);
}

void scrape_targets_json(struct scrape *s, struct str state, struct str pool, struct buf *out)
{
	bool active = !str_eq(state, STR("dropped")), dropped = !str_eq(state, STR("active"));
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "activeTargets");
	json_array(&j);
	for (size_t i = 0; i < s->n_targets && active; i++) {
		if (pool.n == 0 || str_eq(s->targets[i]->conf->pool, pool))
			put_target(&j, s->targets[i]);
	}
	json_array_end(&j);
	json_key(&j, "droppedTargets"); /* nothing drops targets yet: no relabelling */
	json_array(&j);
	json_array_end(&j);
	if (dropped) {
		json_key(&j, "droppedTargetCounts");
		json_object(&j);
		for (size_t i = 0; i < s->n_pools; i++) {
			json_key_str(&j, s->pools[i]);
			json_i64(&j, 0);
		}
		json_object_end(&j);
	}
	json_object_end(&j);
}

void scrape_pools_json(struct scrape *s, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "scrapePools");
	json_array(&j);
	for (size_t i = 0; i < s->n_pools; i++)
		json_str(&j, s->pools[i]);
	json_array_end(&j);
	json_object_end(&j);
}
