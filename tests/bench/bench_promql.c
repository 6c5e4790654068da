/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_promql - the evaluator alone, over decoded samples in memory: 40,000 counters of 1,000
 * hosts at 15 s, and 1,000 classic histograms of 12 buckets. Prints the median of 9 runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "rules/promql/engine.h"

#define HOSTS    1000u
#define CPUS     5u
#define SAMPLES  300u
#define PATTERNS 64u
#define RUNS     9

static const char *const modes[] = {
	"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"};
static const char *const bounds[] = {
	"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"};

static struct arena mem;
static struct labels *series;
static size_t n_series;
static int64_t times[SAMPLES];
static double values[PATTERNS][SAMPLES];

struct select_set {
	size_t *at;
	size_t n;
};

static void add(struct str name, struct str instance, struct str k, struct str v, struct str cpu)
{
	struct label *l = ARENA_ARRAY(&mem, 6, struct label);
	size_t n = 6;

	l[0] = (struct label){LABEL_NAME, name};
	l[1] = (struct label){STR("cpu"), cpu};
	l[2] = (struct label){STR("instance"), instance};
	l[3] = (struct label){STR("job"), STR("node")};
	l[4] = (struct label){k, v};
	l[5] = (struct label){STR("region"), STR("eu-west-1")};
	(void)labels_sort(l, &n);
	series[n_series++] = (struct labels){l, n};
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

static void load(void)
{
	arena_init(&mem, (size_t)512 << 20);
	series = calloc(HOSTS * (CPUS * 8 + 12), sizeof *series);
	for (unsigned h = 0; h < HOSTS; h++) {
		struct str host = arena_printf(&mem, "host-%05u.example.com:9100", h);

		for (unsigned c = 0; c < CPUS; c++) {
			for (unsigned m = 0; m < 8; m++)
				add(STR("node_cpu_seconds_total"), host, STR("mode"),
					str_c(modes[m]), arena_printf(&mem, "%u", c));
		}
		for (unsigned b = 0; b < 12; b++)
			add(STR("http_request_duration_seconds_bucket"), host, STR("le"),
				str_c(bounds[b]), STR(""));
	}
	qsort(series, n_series, sizeof *series, by_labels);
	for (unsigned i = 0; i < SAMPLES; i++)
		times[i] = (int64_t)i * 15000;
	for (unsigned p = 0; p < PATTERNS; p++) {
		double v = p;

		for (unsigned i = 0; i < SAMPLES; i++) {
			v += 0.01 * (double)((p * 7 + i * 13) % 100);
			values[p][i] = i == 200 && p == 3 ? (v = 0) : v;
		}
	}
}

static int source_open(void *ctx, const struct matcher *m, size_t n, int64_t mint, int64_t maxt,
	struct arena *a, struct select_set **out, struct err *e)
{
	struct select_set *set = ARENA_NEW(a, struct select_set);

	(void)ctx;
	(void)mint;
	(void)maxt;
	(void)e;
	set->at = ARENA_ARRAY(a, n_series, size_t);
	for (size_t i = 0; i < n_series; i++) {
		if (matchers_match(m, n, series[i]))
			set->at[set->n++] = i;
	}
	*out = set;
	return 0;
}

static size_t source_count(const struct select_set *set)
{
	return set->n;
}

static struct labels source_labels(const struct select_set *set, size_t i)
{
	return series[set->at[i]];
}

static int source_fetch(struct select_set *set, size_t i, int64_t mint, int64_t maxt,
	struct select_cols *out, struct err *e)
{
	size_t from = mint <= 0 ? 0 : (size_t)((mint + 14999) / 15000), to = SAMPLES;

	(void)e;
	if (maxt < times[SAMPLES - 1])
		to = maxt < 0 ? 0 : (size_t)(maxt / 15000) + 1;
	from = MIN_OF(from, to);
	*out = (struct select_cols){
		.n = to - from, .t = times + from, .v = values[set->at[i] % PATTERNS] + from};
	return 0;
}

static void source_close(struct select_set *set)
{
	(void)set;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void ask(const char *name, const char *text, bool range)
{
	struct select_source src = {
		NULL, source_open, source_count, source_labels, source_fetch, source_close};
	struct pq_params p = {.start_ms = 3600000,
		.end_ms = 3600000,
		.lookback_ms = 300000,
		.max_samples = 50000000,
		.interval_ms = 60000};
	int64_t took[RUNS];
	size_t used = 0, n = 0;

	if (range) {
		p.start_ms = 600000;
		p.end_ms = 4200000;
		p.step_ms = 60000;
	}
	for (size_t i = 0; i < RUNS; i++) {
		int64_t start = clock_real_ns();
		struct err e = {.kind = ERR_NONE};
		const struct pq_expr *x;
		struct pq_result r;
		struct arena a;

		arena_init(&a, (size_t)1 << 30);
		x = pq_parse(&a, str_c(text), true, &e);
		if (x == NULL || pq_eval(&a, x, &p, &src, &r, &e) != 0) {
			printf("promql_%s failed: %s\n", name, e.msg);
			arena_fini(&a);
			return;
		}
		used = a.used;
		n = r.n;
		arena_fini(&a);
		took[i] = clock_real_ns() - start;
	}
	qsort(took, RUNS, sizeof *took, by_time);
	printf("promql_%s %.2f ms\npromql_%s_memory %.1f MB\npromql_%s_series %zu series\n", name,
		(double)took[RUNS / 2] / 1e6, name, (double)used / 1e6, name, n);
}

int main(void)
{
	hash_init();
	load();
	ask("select_count", "count({__name__!=\"\"})", false);
	ask("rate_instant", "sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))",
		false);
	ask("rate_range", "sum(rate(node_cpu_seconds_total[5m]))", true);
	ask("rate_range_by", "sum by (instance) (rate(node_cpu_seconds_total[5m]))", true);
	ask("avg_over_time", "avg(avg_over_time(node_cpu_seconds_total[10m]))", true);
	ask("max_over_time", "max(max_over_time(node_cpu_seconds_total[10m]))", true);
	ask("quantile_over_time",
		"max(quantile_over_time(0.9, node_cpu_seconds_total{mode=\"idle\"}[10m]))", true);
	ask("histogram_quantile",
		"histogram_quantile(0.9, sum by (le) "
		"(rate(http_request_duration_seconds_bucket[5m])))",
		true);
	ask("histogram_by_host",
		"histogram_quantile(0.9, sum by (le, instance) "
		"(rate(http_request_duration_seconds_bucket[5m])))",
		true);
	ask("divide",
		"node_cpu_seconds_total{mode=\"idle\"} / ignoring(mode) "
		"node_cpu_seconds_total{mode=\"user\"}",
		true);
	ask("topk", "topk(10, rate(node_cpu_seconds_total[5m]))", true);
	ask("select_all", "node_cpu_seconds_total", false);
	arena_fini(&mem);
	free(series);
	return 0;
}
