/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - what the handlers of the HTTP API share: parameters and the envelope of answers.
 *
 * Shapes and messages are those of Prometheus's HTTP API v1. Handlers get the struct app as `arg`
 * and finish their request; which thread they run on stands in agent/routes.c.
 */
#ifndef BELFRY_AGENT_API_H
#define BELFRY_AGENT_API_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/app.h"
#include "agent/http/server.h"
#include "base/jsonw.h"
#include "base/matcher.h"
#include "base/stop.h"
#include "rules/promql/engine.h"

/* Times when start or end are not given: everything, with room for arithmetic. */
#define API_MINT (INT64_MIN / 2)
#define API_MAXT (INT64_MAX / 2)

/* {"status":"success","data":  is written; api_end closes it with notes and finishes. */
void api_begin(struct http_req *r, struct jsonw *j);
struct api_notes {
	const struct str *warnings, *infos;
	size_t n_warnings, n_infos;
	bool truncated;     /* adds the warning of a limit */
	struct str warning; /* one more, may be empty */
};
void api_end(struct http_req *r, struct jsonw *j, const struct api_notes *notes);

/* Parameters; on failure the request was answered (400) and false is returned. */
bool api_time(struct http_req *r, const char *name, int64_t missing, int64_t *ms);
bool api_duration(struct http_req *r, const char *name, int64_t missing, int64_t *ms);
bool api_limit(struct http_req *r, const char *name, size_t *limit);
/* Readers of the texts themselves. */
bool api_parse_time(struct str s, int64_t *ms);
bool api_parse_duration(struct str s, int64_t *ms);
/* start and end of /series, /labels and the like. */
bool api_range(struct http_req *r, int64_t *mint, int64_t *maxt);

/* match[] selectors of a request. */
struct api_selectors {
	struct {
		struct matcher *m;
		size_t n;
	} * v;
	size_t n;
};
bool api_selectors(struct http_req *r, struct arena *a, struct api_selectors *out);

/* A failed store or engine call, as Prometheus would put it. */
void api_fail(struct http_req *r, const struct err *e);
/* A request's stop: its client hung up, or query.timeout from now. For stop_begin. */
struct stop api_stop(struct http_req *r, struct app *app);

/* api_result.c: the members "resultType" and "result" of an answered query, limited (0: not). */
void api_result(struct jsonw *j, const struct pq_result *res, int64_t t_ms, size_t limit);

/* --- handlers, by file --- */
/* api_runbook.c */
void api_runbook(struct http_req *r, void *arg);
/* api_query.c */
void api_query(struct http_req *r, void *arg);
void api_query_range(struct http_req *r, void *arg);
void api_query_exemplars(struct http_req *r, void *arg);
void api_format_query(struct http_req *r, void *arg);
void api_parse_query(struct http_req *r, void *arg);
/* api_read.c */
void api_read(struct http_req *r, void *arg);
/* api_series.c */
void api_series(struct http_req *r, void *arg);
void api_labels(struct http_req *r, void *arg);
void api_label_values(struct http_req *r, void *arg);
void api_metadata(struct http_req *r, void *arg);
/* api_alerts.c */
void api_rules(struct http_req *r, void *arg);
void api_alerts(struct http_req *r, void *arg);
void api_alertmanagers(struct http_req *r, void *arg);
void api_notify_status(struct http_req *r, void *arg);
void api_targets(struct http_req *r, void *arg);
void api_targets_metadata(struct http_req *r, void *arg);
void api_scrape_pools(struct http_req *r, void *arg);
/* api_history.c */
void api_explain(struct http_req *r, void *arg);
void api_noise(struct http_req *r, void *arg);
void api_marks(struct http_req *r, void *arg);
void api_past(struct http_req *r, void *arg);
/* api_ack.c */
void api_acks(struct http_req *r, void *arg);
/* api_link.c */
void api_link(struct http_req *r, void *arg);
/* api_notify.c */
void api_notify_test(struct http_req *r, void *arg);
void api_notify_test_state(struct http_req *r, void *arg);
void api_outbox(struct http_req *r, void *arg);
void api_outbox_resend(struct http_req *r, void *arg);
/* api_am*.c: Alertmanager's API v2, agent/am.h */
void api_am_status(struct http_req *r, void *arg);
void api_am_receivers(struct http_req *r, void *arg);
void api_am_not_found(struct http_req *r, void *arg);
void api_am_not_allowed(struct http_req *r, void *arg);
void api_am_alerts(struct http_req *r, void *arg);
void api_am_post_alerts(struct http_req *r, void *arg);
void api_am_groups(struct http_req *r, void *arg);
void api_belfry_alerts(struct http_req *r, void *arg);
void api_am_silences(struct http_req *r, void *arg);
void api_am_post_silence(struct http_req *r, void *arg);
void api_am_silence(struct http_req *r, void *arg);
void api_am_delete_silence(struct http_req *r, void *arg);
void api_belfry_silences(struct http_req *r, void *arg);
/* api_status.c */
void api_status_config(struct http_req *r, void *arg);
void api_status_flags(struct http_req *r, void *arg);
void api_status_buildinfo(struct http_req *r, void *arg);
void api_status_runtimeinfo(struct http_req *r, void *arg);
void api_status_tsdb(struct http_req *r, void *arg);
void api_status_walreplay(struct http_req *r, void *arg);
void api_features(struct http_req *r, void *arg);
/* api_admin.c */
void api_metrics(struct http_req *r, void *arg);
void api_healthy(struct http_req *r, void *arg);
void api_ready(struct http_req *r, void *arg);
void api_reload(struct http_req *r, void *arg);
void api_write(struct http_req *r, void *arg);
void api_debug_flush(struct http_req *r, void *arg);
void api_debug_clock(struct http_req *r, void *arg);

#endif
