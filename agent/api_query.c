/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_query - instant and range queries. On a query worker; all memory of a query lies in one arena
 * whose limit is query.max_memory.
 */
#include <errno.h>

#include "agent/api.h"
#include "agent/query_explain.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/num.h"
#include "base/stop.h"
#include "rules/promql/ast.h"
#include "rules/promql/format.h"

/* What both kinds of query need besides their times. */
struct query {
	struct app *app;
	struct arena a;
	struct pq_params p;
	const struct pq_expr *expr;
	size_t limit;
	bool stats, explain;
	struct str stats_warning;
	int64_t start_ns;
};

/* Which bound refused or ended a query: each has a counter. */
static void count_refusal(const struct err *e)
{
	static const char *const reasons[] = {[PQ_BOUND_OTHER] = "other",
		[PQ_BOUND_BYTES] = "bytes",
		[PQ_BOUND_DEPTH] = "depth",
		[PQ_BOUND_REGEX] = "regex",
		[PQ_BOUND_STEPS] = "steps",
		[PQ_BOUND_SAMPLES] = "max_samples",
		[PQ_BOUND_MEMORY] = "max_memory"};
	const char *reason;

	if (e->kind == ERR_LIMIT && e->code >= 0 && (size_t)e->code < ARRAY_LEN(reasons))
		reason = reasons[e->code];
	else if (e->kind == ERR_CANCEL)
		reason = e->code == ETIMEDOUT ? "timeout" : "canceled";
	else
		return;
	metric_inc(metric_counter_l("belfry_query_refused_total",
		"Queries that a bound refused or ended, by the bound.", "reason", str_c(reason)));
}

/* Limits, timeout and lookback from configuration and parameters; false when answered. */
static bool query_begin(struct http_req *r, struct app *app, struct query *q)
{
	const struct config *c = app_config_get(app);
	struct str stats = http_req_param(r, "stats");
	int64_t timeout, lookback = 0;
	bool ok;

	q->app = app;
	q->start_ns = clock_real_ns();
	arena_init(&q->a, (size_t)c->query_max_memory);
	q->p.max_samples = c->query_max_samples;
	q->p.experimental = c->query_experimental;
	q->p.interval_ms = c->evaluation_interval_ms;
	q->p.cancel = http_req_cancelled(r);
	ok = api_duration(r, "timeout", c->query_timeout_ms, &timeout) &&
	     api_duration(r, "lookback_delta", c->query_lookback_ms, &lookback);
	timeout = MIN_OF(timeout, c->query_timeout_ms);
	lookback = lookback > 0 ? lookback : c->query_lookback_ms;
	app_config_put(app, c);
	if (!ok)
		return false;
	q->p.lookback_ms = lookback;
	q->p.deadline_mono_ms = i64_add_sat(clock_mono_ms(), timeout);
	q->stats = stats.n > 0;
	if (q->stats && !str_eq(stats, STR("true")) && !str_eq(stats, STR("all")))
		q->stats_warning = STR("stats: values other than true and all are deprecated");
	q->explain = str_eq(http_req_param(r, "explain"), STR("true"));
	return true;
}

static bool query_parse(struct http_req *r, struct query *q)
{
	struct str text = http_req_param(r, "query");
	struct err e = {0};
	struct buf where;

	if (text.n > LIMIT_EXPR_BYTES)
		(void)err_set(&e, ERR_LIMIT, PQ_BOUND_BYTES,
			"1:1: parse error: expression of %zu bytes, at most %u are taken", text.n,
			LIMIT_EXPR_BYTES);
	else
		q->expr = pq_parse(&q->a, text, q->p.experimental, &e);
	if (q->expr != NULL)
		return true;
	count_refusal(&e);
	buf_init(&where, 4096);
	pq_error_excerpt(&where, text, &e);
	http_reply_error(r, "bad_data", "invalid parameter \"query\": %s" STR_FMT, e.msg,
		STR_ARG(buf_view(&where)));
	buf_fini(&where);
	return false;
}

static void stats(struct jsonw *j, const struct query *q, uint64_t samples)
{
	double took = (double)(clock_real_ns() - q->start_ns) / 1e9;

	jsonw_key(j, "stats");
	jsonw_object(j);
	jsonw_key(j, "timings");
	jsonw_object(j);
	jsonw_kv_f64(j, "evalTotalTime", took);
	jsonw_kv_f64(j, "resultSortTime", 0);
	jsonw_kv_f64(j, "queryPreparationTime", 0);
	jsonw_kv_f64(j, "innerEvalTime", took);
	jsonw_kv_f64(j, "execQueueTime", 0);
	jsonw_kv_f64(j, "execTotalTime", took);
	jsonw_object_end(j);
	jsonw_key(j, "samples");
	jsonw_object(j);
	jsonw_kv_i64(j, "totalQueryableSamples", (int64_t)samples);
	jsonw_kv_i64(j, "samplesRead", (int64_t)samples);
	jsonw_kv_i64(j, "peakSamples", (int64_t)samples);
	jsonw_object_end(j);
	jsonw_object_end(j);
}

/* Evaluates and answers. */
static void query_run(struct http_req *r, struct query *q)
{
	struct pq_result res = {0};
	struct err e = {0};
	struct api_notes notes;
	struct jsonw j;

	if (q->explain) {
		q->p.costs = ARENA_ARRAY(&q->a, pq_node_count(q->expr), struct pq_cost);
		q->explain = q->p.costs != NULL; /* else pq_eval says that there is no memory */
	}
	if (pq_eval(&q->a, q->expr, &q->p, &q->app->source, &res, &e) != 0) {
		count_refusal(&e);
		api_fail(r, &e);
		return;
	}
	notes = (struct api_notes){res.warnings, res.infos, res.n_warnings, res.n_infos,
		q->limit > 0 && res.n > q->limit, q->stats_warning};
	api_begin(r, &j);
	jsonw_object(&j);
	api_result(&j, &res, q->p.start_ms, q->limit);
	if (stop_asked()) { /* in the middle of it, perhaps */
		e = (struct err){.kind = ERR_CANCEL, .code = ECANCELED};
		count_refusal(&e);
		api_fail(r, &e);
		return;
	}
	if (q->stats)
		stats(&j, q, res.samples);
	if (q->explain)
		query_explain(&j, q->expr, q->p.costs, q->app->store, &q->a);
	jsonw_object_end(&j);
	api_end(r, &j, &notes);
}

void api_query(struct http_req *r, void *arg)
{
	struct query q = {0};
	int64_t t;

	if (!api_limit(r, "limit", &q.limit) || !api_time(r, "time", clock_wall_ms(), &t))
		return;
	if (query_begin(r, arg, &q)) {
		q.p.start_ms = q.p.end_ms = t;
		if (query_parse(r, &q))
			query_run(r, &q);
	}
	arena_fini(&q.a);
}

/* start, end and step; false when answered. */
static bool range_times(struct http_req *r, struct query *q)
{
	struct pq_params *p = &q->p;

	if (http_req_param(r, "start").n == 0 || http_req_param(r, "end").n == 0 ||
		http_req_param(r, "step").n == 0) {
		const char *name = http_req_param(r, "start").n == 0 ? "start"
				   : http_req_param(r, "end").n == 0 ? "end"
								     : "step";

		http_reply_error(r, "bad_data",
			"invalid parameter \"%s\": cannot parse \"\" to a valid %s", name,
			name[0] == 's' && name[2] == 'e' ? "duration" : "timestamp");
		return false;
	}
	if (!api_time(r, "start", 0, &p->start_ms) || !api_time(r, "end", 0, &p->end_ms))
		return false;
	if (p->end_ms < p->start_ms) {
		http_reply_error(r, "bad_data",
			"invalid parameter \"end\": end timestamp must not be before start time");
		return false;
	}
	if (!api_duration(r, "step", 0, &p->step_ms))
		return false;
	if (p->step_ms <= 0) {
		http_reply_error(r, "bad_data",
			"invalid parameter \"step\": zero or negative query resolution step widths "
			"are not accepted. Try a positive integer");
		return false;
	}
	if ((p->end_ms - p->start_ms) / p->step_ms > LIMIT_QUERY_STEPS) {
		const struct err e = {.kind = ERR_LIMIT, .code = PQ_BOUND_STEPS};

		count_refusal(&e);
		http_reply_error(r, "bad_data",
			"exceeded maximum resolution of 11,000 points per timeseries. Try "
			"decreasing the query resolution (?step=XX)");
		return false;
	}
	return true;
}

void api_query_range(struct http_req *r, void *arg)
{
	struct query q = {0};
	enum pq_type type;

	if (!api_limit(r, "limit", &q.limit))
		return;
	if (!query_begin(r, arg, &q) || !range_times(r, &q) || !query_parse(r, &q))
		goto free_arena;
	type = pq_expr_type(q.expr);
	if (type == PQ_STRING || type == PQ_MATRIX)
		http_reply_error(r, "bad_data",
			"invalid parameter \"query\": invalid expression type \"%s\" for range "
			"query, must be Scalar or instant Vector",
			type == PQ_STRING ? "string" : "range vector");
	else
		query_run(r, &q);
free_arena:
	arena_fini(&q.a);
}

/* Exemplars are not kept: an empty list for any expression that parses. */
void api_query_exemplars(struct http_req *r, void *arg)
{
	struct query q = {0};
	struct jsonw j;
	int64_t start, end;

	if (!api_range(r, &start, &end))
		return;
	if (query_begin(r, arg, &q) && query_parse(r, &q)) {
		api_begin(r, &j);
		jsonw_array(&j);
		jsonw_array_end(&j);
		api_end(r, &j, NULL);
	}
	arena_fini(&q.a);
}

void api_format_query(struct http_req *r, void *arg)
{
	struct query q = {0};
	struct buf text;
	struct jsonw j;

	if (query_begin(r, arg, &q) && query_parse(r, &q)) {
		buf_init(&text, (size_t)1 << 20);
		pq_expr_pretty(&text, q.expr);
		api_begin(r, &j);
		jsonw_str(&j, buf_view(&text));
		buf_fini(&text);
		api_end(r, &j, NULL);
	}
	arena_fini(&q.a);
}

void api_parse_query(struct http_req *r, void *arg)
{
	struct query q = {0};
	struct buf text;
	struct jsonw j;

	if (query_begin(r, arg, &q) && query_parse(r, &q)) {
		buf_init(&text, (size_t)4 << 20);
		pq_expr_json(&text, q.expr);
		api_begin(r, &j);
		jsonw_raw(&j, buf_view(&text));
		buf_fini(&text);
		api_end(r, &j, NULL);
	}
	arena_fini(&q.a);
}
