/* SPDX-License-Identifier: Apache-2.0 */
/* api_status - configuration (secrets hidden), flags, build, runtime and head of the store. */
#include <stdlib.h>
#include <unistd.h>

#include "agent/api.h"
#include "agent/run.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/num.h"

/* Grafana and other clients choose what to ask by this version of Prometheus's API. */
#define SPEAKS_LIKE "3.14.0"

void api_status_config(struct http_req *r, void *arg)
{
	struct jsonw j;

	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_str(&j, "yaml", app_config_yaml(arg, http_req_arena(r)));
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}

static void kv_dur(struct jsonw *j, const char *key, int64_t ms)
{
	struct buf b;

	buf_init(&b, 64);
	dur_print(&b, ms);
	jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

static void kv_u64(struct jsonw *j, const char *key, uint64_t v)
{
	struct buf b;

	buf_init(&b, 64);
	buf_u64(&b, v);
	jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
}

/* What flags of Prometheus would say here; all values are strings. */
void api_status_flags(struct http_req *r, void *arg)
{
	struct app *app = arg;
	const struct config *c = app_config_get(app);
	struct jsonw j;

	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_str(&j, "config.file", c->path);
	jsonw_kv_str(&j, "storage.tsdb.path", str_c(c->storage.dir));
	kv_dur(&j, "storage.tsdb.retention.time", c->storage.retention_ms);
	kv_u64(&j, "storage.tsdb.retention.size", c->storage.retention_size);
	jsonw_kv_c(&j, "web.enable-lifecycle", "true");
	jsonw_kv_c(&j, "web.enable-admin-api", "false");
	jsonw_kv_c(&j, "web.enable-remote-write-receiver",
		c->remote_write_receiver ? "true" : "false");
	jsonw_kv_str(&j, "web.external-url", c->external_url);
	jsonw_kv_str(&j, "web.listen-address", c->n_web_listen > 0 ? c->web_listen[0] : STR(""));
	kv_dur(&j, "query.timeout", c->query_timeout_ms);
	kv_dur(&j, "query.lookback-delta", c->query_lookback_ms);
	kv_u64(&j, "query.max-samples", c->query_max_samples);
	kv_u64(&j, "query.max-concurrency", c->query_max_concurrency);
	jsonw_object_end(&j);
	app_config_put(app, c);
	api_end(r, &j, NULL);
}

void api_status_buildinfo(struct http_req *r, void *arg)
{
	struct arena *a = http_req_arena(r);
	struct jsonw j;

	(void)arg;
	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_kv_c(&j, "version", SPEAKS_LIKE);
	jsonw_kv_str(&j, "revision", arena_printf(a, "belfry %s %s", run_version, run_revision));
	jsonw_kv_c(&j, "branch", "");
	jsonw_kv_c(&j, "buildUser", "");
	jsonw_kv_c(&j, "buildDate", "");
	jsonw_kv_c(&j, "goVersion", "");
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}

static void kv_time(struct jsonw *j, const char *key, int64_t ms)
{
	jsonw_key(j, key);
	jsonw_rfc3339(j, ms);
}

void api_status_runtimeinfo(struct http_req *r, void *arg)
{
	struct app *app = arg;
	const struct config *c;
	char cwd[4096] = "", host[256] = "";
	int64_t when_ms;
	struct str said;
	struct jsonw j;
	bool ok;

	if (getcwd(cwd, sizeof cwd) == NULL)
		cwd[0] = '\0';
	(void)gethostname(host, sizeof host - 1);
	said = app_reload_status(app, http_req_arena(r), &ok, &when_ms);
	api_begin(r, &j);
	jsonw_object(&j);
	kv_time(&j, "startTime", app->start_wall_ms);
	jsonw_kv_c(&j, "CWD", cwd);
	jsonw_kv_c(&j, "hostname", host);
	kv_time(&j, "serverTime", clock_wall_ms());
	jsonw_kv_bool(&j, "reloadConfigSuccess", ok);
	if (!ok)
		jsonw_kv_str(&j, "reloadConfigError", said); /* ours: the page shows it */
	kv_time(&j, "lastConfigTime", when_ms);
	jsonw_kv_i64(&j, "corruptionCount", 0);
	jsonw_kv_i64(&j, "goroutineCount", 0);
	jsonw_kv_i64(&j, "GOMAXPROCS", MAX_OF(sysconf(_SC_NPROCESSORS_ONLN), 1));
	jsonw_kv_i64(&j, "GOMEMLIMIT", INT64_MAX);
	jsonw_kv_c(&j, "GOGC", "");
	jsonw_kv_c(&j, "GODEBUG", "");
	c = app_config_get(app);
	kv_dur(&j, "storageRetention", c->storage.retention_ms);
	app_config_put(app, c);
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}

static void top(struct jsonw *j, const char *key, const struct store_top *v, size_t n)
{
	jsonw_key(j, key);
	jsonw_array(j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "name", v[i].name);
		jsonw_kv_i64(j, "value", (int64_t)v[i].count);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
}

static void head_stats(struct jsonw *j, struct store *store)
{
	struct store_stats st;

	store_stats(store, &st);
	jsonw_key(j, "headStats");
	jsonw_object(j);
	jsonw_kv_i64(j, "numSeries", (int64_t)st.series);
	jsonw_kv_i64(j, "numLabelPairs", (int64_t)st.label_pairs);
	jsonw_kv_i64(j, "chunkCount", (int64_t)st.head_chunks);
	jsonw_kv_i64(j, "minTime", st.mint <= st.maxt ? st.mint : 0);
	jsonw_kv_i64(j, "maxTime", st.mint <= st.maxt ? st.maxt : 0);
	jsonw_object_end(j);
}

void api_status_tsdb(struct http_req *r, void *arg)
{
	static const struct {
		enum store_top_kind kind;
		const char *key;
	} lists[] = {{STORE_TOP_METRICS, "seriesCountByMetricName"},
		{STORE_TOP_LABEL_VALUES, "labelValueCountByLabelName"},
		{STORE_TOP_PAIRS, "seriesCountByLabelValuePair"}};
	struct app *app = arg;
	struct arena *a = http_req_arena(r);
	struct err e = {0};
	struct jsonw j;
	size_t limit;

	if (!api_limit(r, "limit", &limit))
		return;
	if (limit > 10000) {
		http_reply_error(
			r, "bad_data", "invalid parameter \"limit\": must be between 1 and 10000");
		return;
	}
	api_begin(r, &j);
	jsonw_object(&j);
	head_stats(&j, app->store);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct store_top *v;
		size_t n;

		if (store_top(app->store, lists[i].kind, limit > 0 ? limit : 10, a, &v, &n, &e) !=
			0) {
			api_fail(r, &e);
			return;
		}
		top(&j, lists[i].key, v, n);
	}
	top(&j, "memoryInBytesByLabelName", NULL, 0);
	jsonw_object_end(&j);
	api_end(r, &j, NULL);
}

/* The journal is replayed before the server listens. */
void api_status_walreplay(struct http_req *r, void *arg)
{
	struct jsonw j;

	(void)arg;
	api_begin(r, &j);
	jsonw_raw(&j, STR("{\"min\":0,\"max\":0,\"current\":0}"));
	api_end(r, &j, NULL);
}

void api_features(struct http_req *r, void *arg)
{
	struct app *app = arg;
	const struct config *c = app_config_get(app);
	struct jsonw j;

	api_begin(r, &j);
	jsonw_object(&j);
	jsonw_key(&j, "api");
	jsonw_raw(
		&j, STR("{\"admin\":false,\"exclude_alerts\":true,\"label_values_match\":true,"
			"\"lifecycle\":true,\"query_stats\":true,\"remote_write_receiver\":true}"));
	jsonw_key(&j, "promql");
	jsonw_object(&j);
	jsonw_kv_bool(&j, "at_modifier", true);
	jsonw_kv_bool(&j, "delayed_name_removal", true);
	jsonw_kv_bool(&j, "experimental_functions", c->query_experimental);
	jsonw_kv_bool(&j, "native_histograms", true);
	jsonw_kv_bool(&j, "subqueries", true);
	jsonw_kv_bool(&j, "utf8_names", true);
	jsonw_object_end(&j);
	jsonw_object_end(&j);
	app_config_put(app, c);
	api_end(r, &j, NULL);
}
