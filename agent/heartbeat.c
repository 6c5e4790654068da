/* SPDX-License-Identifier: Apache-2.0 */
/* heartbeat - reports of jobs as series; see heartbeat.h. */
#include "agent/heartbeat.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/api.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/dur.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"

#define FACT_PREFIX    STR("heartbeat/")
#define DEFAULT_TTL_MS INT64_C(86400000)
#define TTL_MAX_MS     (INT64_C(400) * 86400000)

struct beat {
	char *name;
	int64_t at_ms, ttl_ms;
	bool failed;
};

struct heartbeats {
	struct app *app;
	struct loop_timer *timer;
	struct beat *v; /* LIMIT_HEARTBEATS; in no order */
	size_t n;
	int64_t t_ms; /* of the newest samples: two reports of one millisecond are two samples */
};

static const char *const series[] = {"belfry_heartbeat_timestamp_seconds",
	"belfry_heartbeat_ttl_seconds", "belfry_heartbeat_failed"};

static struct beat *find(const struct heartbeats *h, struct str name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (str_eq(str_c(h->v[i].name), name))
			return &h->v[i];
	}
	return NULL;
}

static struct beat *add(struct heartbeats *h, struct str name)
{
	char *copy = h->n < LIMIT_HEARTBEATS ? str_dup_c(name) : NULL;

	if (copy == NULL)
		return NULL;
	h->v[h->n] = (struct beat){copy, 0, DEFAULT_TTL_MS, false};
	return &h->v[h->n++];
}

static void take_away(struct heartbeats *h, struct beat *b)
{
	free(b->name);
	*b = h->v[--h->n];
}

/* --- samples --- */

static void add_sample(
	const struct heartbeats *h, struct batch *out, const struct beat *b, size_t i, double v)
{
	struct label l[2] = {{LABEL_NAME, str_c(series[i])}, {STR("name"), str_c(b->name)}};
	struct labels ls = {l, 2};
	uint64_t hash = labels_hash(ls);
	uint32_t id = store_find_series(h->app->store, ls, hash);

	if (id != 0)
		batch_series_id(out, id);
	else
		batch_series_labels(out, ls, hash);
	batch_float(out, h->t_ms, v, 0);
}

static void take_time(struct heartbeats *h)
{
	int64_t now = clock_wall_ms();

	/* not for ever, when the clock was set back */
	h->t_ms = now <= h->t_ms && h->t_ms - now < 1000 ? h->t_ms + 1 : now;
}

static void add_samples(const struct heartbeats *h, struct batch *out, const struct beat *b)
{
	add_sample(h, out, b, 0, (double)b->at_ms / 1000);
	add_sample(h, out, b, 1, (double)b->ttl_ms / 1000);
	add_sample(h, out, b, 2, b->failed ? 1 : 0);
}

static void on_written(struct batch *b, void *arg)
{
	(void)arg;
	if (batch_result(b)->fail != ERR_NONE)
		METRIC_DROP("heartbeat", "store_refused", batch_rows(b));
	batch_free(b);
}

static void on_timer(void *arg)
{
	struct heartbeats *h = arg;
	struct batch *b;
	struct err e;

	if (h->n == 0)
		return;
	take_time(h);
	b = batch_new(BATCH_SELF);
	for (size_t i = 0; i < h->n; i++)
		add_samples(h, b, &h->v[i]);
	if (!batch_failed(b) && store_submit(h->app->store, b, on_written, NULL, &e) == 0)
		return;
	METRIC_DROP("heartbeat", "store_busy", batch_rows(b));
	batch_free(b);
}

/* --- what is remembered: "at_ms ttl_ms failed" under "heartbeat/NAME" --- */

static struct str fact_key(struct arena *a, struct str name)
{
	return arena_printf(a, "heartbeat/%.*s", (int)name.n, name.p);
}

static void on_fact(struct str key, struct str value, void *arg)
{
	struct heartbeats *h = arg;
	struct str field[3], rest = value;
	long long at, ttl;
	struct beat *b;

	for (size_t i = 0; i < ARRAY_LEN(field); i++) {
		if (!str_split(&rest, ' ', &field[i]))
			return; /* a newer version's */
	}
	if (!str_to_i64(field[0], &at) || !str_to_i64(field[1], &ttl))
		return;
	b = add(h, str_sub(key, FACT_PREFIX.n, key.n));
	if (b == NULL)
		return;
	b->at_ms = at;
	b->ttl_ms = ttl;
	b->failed = str_eq(field[2], STR("1"));
}

int heartbeats_start(struct heartbeats **out, struct app *app, int64_t interval_ms, struct err *e)
{
	struct heartbeats *h = calloc(1, sizeof *h);

	if (h != NULL)
		h->v = calloc(LIMIT_HEARTBEATS, sizeof *h->v);
	if (h == NULL || h->v == NULL) {
		free(h);
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	}
	h->app = app;
	*out = h;
	if (store_state_each(app->store, FACT_PREFIX, on_fact, h, e) != 0)
		return err_wrap(e, "cannot read the heartbeats");
	h->timer = loop_timer_new(app->loop, on_timer, h);
	loop_timer_set(h->timer, 0, interval_ms);
	return 0;
}

void heartbeats_stop(struct heartbeats *h)
{
	if (h == NULL)
		return;
	loop_timer_free(h->timer);
	while (h->n > 0)
		take_away(h, &h->v[0]);
	free(h->v);
	free(h);
}

/* --- the API --- */

static bool name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f || name.p[i] == '/')
			return false;
	}
	return name.n > 0 && name.n <= LIMIT_HEARTBEAT_NAME && str_is_utf8(name);
}

/* "26h", "1d" or seconds. */
static bool read_ttl(struct http_req *r, int64_t *ttl_ms)
{
	struct str s = http_req_param(r, "ttl");
	struct err e;
	double seconds;

	if (s.n == 0)
		return true;
	if (str_to_f64(s, &seconds) && seconds >= 0 && seconds <= (double)TTL_MAX_MS / 1000) {
		*ttl_ms = num_clamp_i64(seconds * 1000);
		return true;
	}
	return dur_parse(s, ttl_ms, &e) == 0 && *ttl_ms <= TTL_MAX_MS;
}

static void answer_json(struct http_req *r, const struct beat *b)
{
	struct jsonw j;

	jsonw_init(&j, http_resp_body(r));
	jsonw_object(&j);
	jsonw_kv_c(&j, "status", "success");
	jsonw_key(&j, "data");
	jsonw_object(&j);
	jsonw_kv_str(&j, "name", str_c(b->name));
	jsonw_kv_f64(&j, "ttl_seconds", (double)b->ttl_ms / 1000);
	jsonw_kv_c(&j, "status", b->failed ? "fail" : "ok");
	jsonw_object_end(&j);
	jsonw_object_end(&j);
	buf_c(http_resp_body(r), "\n");
}

/* The answer was written before: it is sent, or replaced by the failure. Storage writer. */
static void on_committed(struct batch *b, void *arg)
{
	struct http_req *r = arg;
	const struct batch_result *res = batch_result(b);

	if (res->fail == ERR_NONE) {
		http_resp_header(r, "Content-Type", STR("application/json"));
		http_finish(r);
	} else {
		buf_reset(http_resp_body(r));
		http_reply_error(r, "unavailable", "not stored: %s", res->first_msg);
	}
	batch_free(b);
}

static void submit(const struct heartbeats *h, struct http_req *r, struct batch *b)
{
	struct err e = {0};

	if (!batch_failed(b) && store_submit(h->app->store, b, on_committed, r, &e) == 0)
		return;
	batch_free(b);
	buf_reset(http_resp_body(r));
	http_reply_error(r, "unavailable", "not stored: %s", e.msg);
}

void api_heartbeat(struct http_req *r, void *arg)
{
	struct heartbeats *h = ((struct app *)arg)->heartbeats;
	struct str name = http_req_segment(r), status = http_req_param(r, "status");
	struct beat *b = find(h, name);
	int64_t ttl = b != NULL ? b->ttl_ms : DEFAULT_TTL_MS;
	struct batch *out;

	if (!name_ok(name)) {
		http_reply_error(r, "bad_data",
			"a heartbeat's name is 1 to %u bytes of text without a slash",
			LIMIT_HEARTBEAT_NAME);
		return;
	}
	if (status.n > 0 && !str_eq(status, STR("ok")) && !str_eq(status, STR("fail"))) {
		http_reply_error(r, "bad_data", "status is ok or fail");
		return;
	}
	if (!read_ttl(r, &ttl)) {
		http_reply_error(r, "bad_data",
			"ttl is a duration (90m, 26h) or a number of seconds, at most 400d");
		return;
	}
	b = b != NULL ? b : add(h, name);
	if (b == NULL) {
		METRIC_LIMIT("heartbeats");
		http_reply_error(
			r, "unavailable", "there are already %u heartbeats", LIMIT_HEARTBEATS);
		return;
	}
	b->at_ms = clock_wall_ms();
	b->ttl_ms = ttl;
	b->failed = str_eq(status, STR("fail"));
	take_time(h);
	out = batch_new(BATCH_SELF);
	add_samples(h, out, b);
	batch_state(out, fact_key(http_req_arena(r), name),
		arena_printf(http_req_arena(r), "%lld %lld %d", (long long)b->at_ms,
			(long long)b->ttl_ms, b->failed));
	answer_json(r, b);
	submit(h, r, out);
}

void api_heartbeat_delete(struct http_req *r, void *arg)
{
	struct heartbeats *h = ((struct app *)arg)->heartbeats;
	struct str name = http_req_segment(r);
	struct beat *b = find(h, name);
	struct batch *out;

	if (b == NULL) {
		http_reply_error(r, "not_found", "no heartbeat of that name is known");
		return;
	}
	take_time(h);
	out = batch_new(BATCH_SELF);
	for (size_t i = 0; i < ARRAY_LEN(series); i++)
		add_sample(h, out, b, i, stale_nan());
	batch_state(out, fact_key(http_req_arena(r), name), STR_NULL);
	take_away(h, b);
	buf_c(http_resp_body(r), "{\"status\":\"success\"}\n");
	submit(h, r, out);
}

void api_heartbeats(struct http_req *r, void *arg)
{
	const struct heartbeats *h = ((struct app *)arg)->heartbeats;
	int64_t now = clock_wall_ms();
	struct jsonw j;

	api_begin(r, &j);
	jsonw_array(&j);
	for (size_t i = 0; i < h->n; i++) {
		const struct beat *b = &h->v[i];

		jsonw_object(&j);
		jsonw_kv_str(&j, "name", str_c(b->name));
		jsonw_key(&j, "at");
		jsonw_rfc3339(&j, b->at_ms);
		jsonw_kv_f64(&j, "ttl_seconds", (double)b->ttl_ms / 1000);
		jsonw_kv_str(&j, "status", b->failed ? STR("fail") : STR("ok"));
		jsonw_kv_bool(&j, "late", b->ttl_ms > 0 && now - b->at_ms > b->ttl_ms);
		jsonw_object_end(&j);
	}
	jsonw_array_end(&j);
	api_end(r, &j, NULL);
}
