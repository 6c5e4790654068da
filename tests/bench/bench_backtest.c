/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_backtest - the services pack replayed over 1,000 series at 15 s: ten services with
 * requests, latencies, pools, breakers, caches, queues and retries, and trouble now and then.
 *
 * usage: bench_backtest [DAYS [DIR]]   (1 day, a directory that goes away; DIR is kept, and taken
 * as it is when it has data)
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "rules/pack.h"
#include "rules/replay.h"
#include "rules/store_source.h"

#define STEP_MS  15000
#define SERVICES 10u
#define BLOCK    480u /* steps of one batch */
#define START_MS INT64_C(1767571200000)

enum kind { COUNTER, GAUGE, CONSTANT };

struct made {
	enum kind kind;
	double value, rate, bad; /* bad: factor of the rate, or value, in times of trouble */
	unsigned service;
	struct labels ls;
};

static struct arena mem;
static struct made *all;
static size_t n_all;
static uint64_t seed = 42;

static double rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 40) / (double)(1u << 24);
}

static void add(unsigned service, const char *name, const char *k1, const char *v1, const char *k2,
	const char *v2, struct made m)
{
	struct label *l = ARENA_ARRAY(&mem, 5, struct label);
	size_t n = 0;

	l[n++] = (struct label){LABEL_NAME, str_c(name)};
	l[n++] = (struct label){STR("job"), arena_printf(&mem, "service-%u", service)};
	l[n++] = (struct label){STR("instance"), arena_printf(&mem, "10.0.0.%u:80", service)};
	if (k1 != NULL)
		l[n++] = (struct label){str_c(k1), str_c(v1)};
	if (k2 != NULL)
		l[n++] = (struct label){str_c(k2), str_c(v2)};
	(void)labels_sort(l, &n);
	m.ls = (struct labels){l, n};
	m.service = service;
	all[n_all++] = m;
}

static void add_service(unsigned s)
{
	static const char *const routes[] = {"/items", "/orders", "/quote", "/report"};
	static const char *const le[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5",
		"1", "2.5", "5", "10", "+Inf"};
	static const char *const gauges[] = {"process_open_fds", "process_resident_memory_bytes",
		"nodejs_heap_size_used_bytes", "nodejs_eventloop_lag_seconds",
		"nodejs_active_handles"};

	for (size_t r = 0; r < 4; r++) {
		for (size_t i = 0; i < 12; i++)
			add(s, "http_request_duration_seconds_bucket", "route", routes[r], "le",
				le[i],
				(struct made){COUNTER, 0, 5 * (double)(i + 1) / 12, i < 8 ? 0.2 : 1,
					0, {NULL, 0}});
		add(s, "http_request_duration_seconds_count", "route", routes[r], NULL, NULL,
			(struct made){COUNTER, 0, 5, 1, 0, {NULL, 0}});
		add(s, "http_request_duration_seconds_sum", "route", routes[r], NULL, NULL,
			(struct made){COUNTER, 0, 0.3, 20, 0, {NULL, 0}});
		add(s, "http_requests_total", "route", routes[r], "code", "200",
			(struct made){COUNTER, 0, 5, 1, 0, {NULL, 0}});
		add(s, "http_requests_total", "route", routes[r], "code", "500",
			(struct made){COUNTER, 0, 0.001, 500, 0, {NULL, 0}});
	}
	add(s, "up", NULL, NULL, NULL, NULL, (struct made){CONSTANT, 1, 0, 1, 0, {NULL, 0}});
	add(s, "pg_pool_size", "pool", "main", NULL, NULL,
		(struct made){CONSTANT, 10, 0, 1, 0, {NULL, 0}});
	add(s, "pg_pool_max", "pool", "main", NULL, NULL,
		(struct made){CONSTANT, 10, 0, 1, 0, {NULL, 0}});
	add(s, "pg_pool_idle", "pool", "main", NULL, NULL,
		(struct made){GAUGE, 6, 2, 0, 0, {NULL, 0}});
	add(s, "pg_pool_waiting", "pool", "main", NULL, NULL,
		(struct made){GAUGE, 0, 0, 1, 0, {NULL, 0}});
	add(s, "cache_hits_total", "cache", "items", NULL, NULL,
		(struct made){COUNTER, 0, 20, 0.3, 0, {NULL, 0}});
	add(s, "cache_misses_total", "cache", "items", NULL, NULL,
		(struct made){COUNTER, 0, 3, 5, 0, {NULL, 0}});
	add(s, "circuit_breaker_state", "name", "quote", NULL, NULL,
		(struct made){GAUGE, 0, 0, 2, 0, {NULL, 0}});
	add(s, "http_client_retries_total", "target", "quote", NULL, NULL,
		(struct made){COUNTER, 0, 0.1, 50, 0, {NULL, 0}});
	add(s, "http_client_requests_total", "target", "quote", "outcome", "ok",
		(struct made){COUNTER, 0, 8, 0.5, 0, {NULL, 0}});
	add(s, "job_queue_waiting", "queue", "mail", NULL, NULL,
		(struct made){GAUGE, 3, 2, 200, 0, {NULL, 0}});
	add(s, "jobs_completed_total", "queue", "mail", NULL, NULL,
		(struct made){COUNTER, 0, 4, 0.1, 0, {NULL, 0}});
	for (unsigned i = 0; n_all < (size_t)(s + 1) * 100; i++) {
		char text[16];

		(void)snprintf(text, sizeof text, "%u", i / 5);
		add(s, gauges[i % 5], "part", arena_str(&mem, str_c(text)).p, NULL, NULL,
			(struct made){GAUGE, 100, 10, 1, 0, {NULL, 0}});
	}
}

/* Each service has half an hour of trouble every other day. */
static bool trouble(const struct made *m, int64_t step)
{
	int64_t minute = step / 4 + m->service * 311;

	return minute % 2880 < 30;
}

static void feed_series(struct batch *b, struct made *m, int64_t from, int64_t until)
{
	batch_series_labels(b, m->ls, labels_hash(m->ls));
	for (int64_t k = from; k < until; k++) {
		bool bad = trouble(m, k);
		double v = m->value;

		if (m->kind == COUNTER) {
			m->value += (double)(int64_t)(m->rate * (bad ? m->bad : 1) * 15 *
						      (0.8 + 0.4 * rnd()));
			v = m->value;
		} else if (m->kind == GAUGE) {
			v = (double)(int64_t)((bad ? m->value * m->bad + m->bad : m->value) +
					      m->rate * rnd());
		}
		batch_float(b, START_MS + k * STEP_MS, v, 0);
	}
}

static void feed(struct store *st, int64_t steps)
{
	for (int64_t k = 0; k < steps; k += BLOCK) {
		struct batch *b = batch_new(BATCH_IMPORT);
		struct err e;

		for (size_t i = 0; i < n_all; i++)
			feed_series(b, &all[i], k, MIN_OF(k + BLOCK, steps));
		if (store_submit_wait(st, b, &e) != 0)
			abort();
		batch_free(b);
	}
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct rule_set *pack_rules(struct arena *a)
{
	struct diag *d = diag_new(a);
	struct pack_use use = {0};
	const struct pack *p = pack_builtin(a, STR("services"), d);
	struct rule_text_file file = {.path = STR("services.yml")};

	if (p == NULL)
		abort();
	file.text = pack_render(a, p, &use, d);
	return rule_set_load_with(NULL, 0, &file, 1, false, d, a);
}

static uint64_t firings;

static void on_batch(void *arg, const struct rule *rule, struct alert_batch *b)
{
	(void)arg;
	(void)rule;
	for (size_t i = 0; i < b->n; i++)
		firings += b->events[i].from != ALERT_FIRING && b->events[i].to == ALERT_FIRING;
	alert_batch_free(b);
}

static void replay(const char *dir, const struct rule_set *rs, int64_t steps)
{
	struct select_source source;
	struct replay_opts o = {.source = &source,
		.interval_ms = STEP_MS,
		.start_ms = START_MS,
		.end_ms = START_MS + steps * STEP_MS,
		.max_memory = (size_t)512 << 20,
		.compact = true,
		.on_batch = on_batch};
	const struct replay_rule *v;
	int64_t begin = clock_real_ns();
	struct replay *rp;
	struct store *st;
	struct err e;
	size_t n;
	double s;

	if (store_open_view(&st, dir, &e) != 0)
		abort();
	source = store_source(st);
	rp = replay_new(rs, &o);
	if (replay_run(rp, &e) != 0)
		abort();
	s = (double)(clock_real_ns() - begin) / 1e9;
	printf("backtest_seconds %.2f s\n", s);
	printf("backtest_week_of_1000_series %.1f s\n", s / ((double)steps * 15 / 604800));
	printf("backtest_speed %.0f times\n", (double)steps * 15 / s);
	printf("backtest_firings %llu firings\n", (unsigned long long)firings);
	v = replay_rules(rp, &n);
	for (size_t i = 0; getenv("RULES") != NULL && i < n; i++)
		printf("rule %8.3f s %-10.*s %.*s\n", v[i].seconds, (int)v[i].group->name.n,
			v[i].group->name.p, (int)v[i].def->name.n, v[i].def->name.p);
	replay_free(rp);
	store_close_view(st);
}

int main(int argc, char **argv)
{
	int64_t days = argc > 1 ? strtoll(argv[1], NULL, 10) : 1, steps = days * 86400000 / STEP_MS;
	char dir[512], probe[600];
	struct store *st;
	struct rule_set *rs;
	struct stat sb;
	struct err e;

	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	arena_init(&mem, (size_t)64 << 20);
	(void)snprintf(dir, sizeof dir, "%s", argc > 2 ? argv[2] : "/tmp/bench-backtest.XXXXXX");
	if (argc <= 2 && mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(probe, sizeof probe, "%s/metrics/catalog.db", dir);
	if (stat(probe, &sb) != 0) {
		struct store_opts so = {.dir = dir,
			.ooo_window_ms = INT64_MAX,
			.max_series = 10000,
			.min_free = 1,
			.commit_ms = 100};

		all = calloc(SERVICES * 100 + 100, sizeof *all);
		for (unsigned s = 0; s < SERVICES; s++)
			add_service(s);
		if (store_open(&st, &so, &e) != 0)
			return 1;
		feed(st, steps);
		store_close(st);
		free(all);
	}
	rs = pack_rules(&mem);
	if (rs == NULL)
		return 1;
	replay(dir, rs, steps);
	rule_set_free(rs);
	arena_fini(&mem);
	return argc > 2 ? 0 : nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
