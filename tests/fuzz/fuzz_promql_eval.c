/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PromQL evaluation of any text over a small fixed store: an answer or one clean refusal, as an
 * instant and as a range query, within little memory. Results are sorted and without duplicates.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/num.h"
#include "rules/promql/ast.h"
#include "rules/promql/engine.h"
#include "tests/lib/promqltest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const lines[] = {
	"c_total{i=\"1\",job=\"a\"} 0+10x30 5+7x10",
	"c_total{i=\"2\",job=\"a\"} 3 _ stale 4 5 6 NaN Inf -Inf 1e308x5 0.1x20",
	"c_total{i=\"3\",job=\"b\"} 1e-320 2 3 4 5 _x20 6",
	"g{i=\"1\",job=\"a\"} -1.5+0.25x40",
	"g{i=\"2\",job=\"b\"} 1 {{schema:0 count:4 sum:5 buckets:[1 2 1]}} 2 stale 3",
	"b{le=\"0.1\"} 0+1x40",
	"b{le=\"1\"} 0+3x40",
	"b{le=\"x\"} 1",
	"b{le=\"+Inf\"} 0+4x40",
	"h{i=\"1\"} {{schema:0 count:4 sum:5 buckets:[1 2 1]}}+{{schema:0 count:2 sum:3 "
	"buckets:[1 0 1]}}x20 {{schema:0 count:1 sum:1 buckets:[1] counter_reset_hint:reset}}x5",
	"h{i=\"2\"} {{schema:2 count:9 sum:-4 z_bucket:3 z_bucket_w:0.5 buckets:[0 2] "
	"n_buckets:[1 0 3]}}x9 {{schema:-4 count:3 sum:NaN buckets:[3]}}x9",
	"h{i=\"3\"} {{schema:-53 count:3 sum:3 custom_values:[1 2] buckets:[1 1 1]}}x5 "
	"{{schema:-53 count:7 sum:9 custom_values:[1 3 5] buckets:[1 1 1 4]}}x9",
	"target_info{i=\"1\",job=\"a\",instance=\"x\",os=\"l\"} 1x40",
};

static struct arena store_mem;
static struct mem_source store;

static void load(void)
{
	hash_init();
	arena_init(&store_mem, (size_t)64 << 20);
	mem_source_init(&store, &store_mem);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct pt_series s;
		struct mem_series *m;

		ASSERT(pt_series(&store_mem, str_c(lines[i]), &s));
		m = mem_source_series(&store, s.labels);
		for (size_t k = 0; k < s.n; k++) {
			double v = s.v[k].kind == PT_STALE ? stale_nan() : s.v[k].v;

			if (s.v[k].kind != PT_NONE)
				mem_series_add(&store, m, (int64_t)k * 15000, v,
					s.v[k].kind == PT_HIST ? s.v[k].h : NULL,
					k % 3 == 0 ? (int64_t)k * 15000 - 20000 : 0);
		}
	}
}

static void ask(struct str text, int64_t start, int64_t end, int64_t step)
{
	struct select_source src = mem_source_select(&store);
	struct pq_params p = {.start_ms = start,
		.end_ms = end,
		.step_ms = step,
		.lookback_ms = 300000,
		.max_samples = 200000,
		.interval_ms = 15000,
		.experimental = true};
	const struct pq_expr *x;
	struct err e = {.kind = ERR_NONE};
	struct pq_result r;
	struct arena a;

	arena_init(&a, (size_t)4 << 20);
	x = pq_parse(&a, text, true, &e);
	if (x != NULL && step == 0)
		p.costs = ARENA_ARRAY(&a, pq_node_count(x), struct pq_cost);
	if (x != NULL && pq_eval(&a, x, &p, &src, &r, &e) == 0) {
		for (size_t i = 0; i < r.n; i++) {
			ASSERT(r.series[i].n > 0 || r.type == PQ_MATRIX);
			if (i > 0 && !r.ordered)
				ASSERT(labels_cmp(r.series[i - 1].labels, r.series[i].labels) < 0);
		}
	} else {
		ASSERT(e.kind != ERR_NONE);
		ASSERT(e.msg[0] != '\0');
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_n((const char *)data, n);

	if (store.n == 0)
		load();
	if (n > 2048)
		return 0;
	ask(text, 400000, 400000, 0);
	ask(text, 100000, 700000, 60000);
	return 0;
}
