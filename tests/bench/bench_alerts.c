/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_alerts - what an evaluation costs while 50,000 alerts fire: the query, states, ALERTS
 * samples given to the store, the batch. Values change, or do not. Median of 5, CPU of this thread.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "rules/rule_group.h"
#include "rules/store_source.h"
#include "storage/store.h"

#define ALERTS 50000u
#define RUNS   5

static struct arena mem;
static struct store *st;

static void feed(int64_t t_ms, double v)
{
	struct batch *b = batch_new(BATCH_IMPORT);
	struct err e;

	for (unsigned i = 0; i < ALERTS; i++) {
		char host[32];
		struct label l[3] = {{LABEL_NAME, STR("used")}, {STR("host"), STR("")},
			{STR("job"), STR("node")}};
		struct labels ls = {l, 3};

		(void)snprintf(host, sizeof host, "host-%05u", i);
		l[1].value = str_c(host);
		batch_series_labels(b, ls, labels_hash(ls));
		batch_float(b, t_ms, v, 0);
	}
	if (store_submit_wait(st, b, &e) != 0)
		abort();
	batch_free(b);
}

static double cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double evaluate(struct rule_group *g, const struct rule_env *env, int64_t t_ms)
{
	double start = cpu_seconds();
	struct alert_batch *b;

	rule_group_eval(g, env, t_ms, &b);
	rule_group_told(g, env);
	alert_batch_free(b);
	return cpu_seconds() - start;
}

static void measure(const char *name, struct rule_group *g, const struct rule_env *env,
	int64_t from_ms, bool changing)
{
	double v[RUNS];

	for (int i = 0; i < RUNS; i++) {
		int64_t t_ms = from_ms + i * (int64_t)15000;

		feed(t_ms, changing ? 95 + i : 95);
		v[i] = evaluate(g, env, t_ms);
	}
	qsort(v, RUNS, sizeof *v, by_value);
	printf("%s %.1f ms\n", name, v[RUNS / 2] * 1e3);
}

static int remove_entry(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	(void)sb;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	static const char rules[] =
		"groups: [{name: g, rules: [{alert: Full, expr: 'used > 90', labels: {severity: "
		"warning}, annotations: {summary: '{{ $labels.host }} is {{ $value }} % full'}}]}]";
	struct rule_text_file text = {.path = STR("bench"), .text = str_c(rules)};
	char dir[] = "/tmp/bench-alerts.XXXXXX";
	struct store_opts so = {.ooo_window_ms = INT64_MAX, .max_series = 1000000, .min_free = 1};
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct select_source source;
	struct rule_group *g;
	struct rule_set *rs;
	struct rule_env env;
	struct err e;

	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	arena_init(&mem, (size_t)64 << 20);
	so.dir = mkdtemp(dir);
	if (so.dir == NULL || store_open(&st, &so, &e) != 0)
		return 1;
	rs = rule_set_load_with(NULL, 0, &text, 1, false, diag_new(&mem), &mem);
	if (rs == NULL)
		return 1;
	source = store_source(st);
	env = (struct rule_env){.store = st,
		.source = &source,
		.interval_ms = 15000,
		.max_samples = 50000000,
		.max_memory = (size_t)1 << 30,
		.compact = true,
		.lock = &lock};
	g = rule_group_new(&rs->groups[0], &env);
	feed(1000000, 95);
	printf("alerts_first_evaluation %.1f ms\n", evaluate(g, &env, 1000000) * 1e3);
	measure("alerts_at_rest_evaluation", g, &env, 1015000, false);
	measure("alerts_changing_evaluation", g, &env, 1200000, true);
	rule_group_free(g);
	rule_set_free(rs);
	store_close(st);
	arena_fini(&mem);
	return nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
