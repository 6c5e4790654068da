/* SPDX-License-Identifier: Apache-2.0 */
/* routes - every path the server answers: its methods, thread, body limit and handler. */
#include "agent/routes.h"

#include "agent/api.h"
#include "agent/heartbeat.h"
#include "agent/http/assets.h"
#include "agent/plain.h"
#include "base/limits.h"

#define GET      HTTP_GET
#define POST     HTTP_POST
#define GET_POST (HTTP_GET | HTTP_POST)
#define OTHERS   (HTTP_POST | HTTP_PUT | HTTP_DELETE) /* than those of the rows before */

static const struct http_route table[] = {
	/* queries and what there is */
	{"/api/v1/query", GET_POST, HTTP_ON_QUERY, LIMIT_HTTP_QUERY_BODY, false, api_query},
	{"/api/v1/query_range", GET_POST, HTTP_ON_QUERY, LIMIT_HTTP_QUERY_BODY, false,
		api_query_range},
	{"/api/v1/query_exemplars", GET_POST, HTTP_ON_QUERY, LIMIT_HTTP_QUERY_BODY, false,
		api_query_exemplars},
	{"/api/v1/format_query", GET_POST, HTTP_ON_QUERY, LIMIT_HTTP_QUERY_BODY, false,
		api_format_query},
	{"/api/v1/parse_query", GET_POST, HTTP_ON_QUERY, LIMIT_HTTP_QUERY_BODY, false,
		api_parse_query},
	{"/api/v1/read", POST, HTTP_ON_QUERY, 0, false, api_read},
	{"/api/v1/series", GET_POST, HTTP_ON_QUERY, 0, false, api_series},
	{"/api/v1/labels", GET_POST, HTTP_ON_QUERY, 0, false, api_labels},
	{"/api/v1/label/*/values", GET, HTTP_ON_QUERY, 0, false, api_label_values},
	{"/api/v1/metadata", GET, HTTP_ON_QUERY, 0, false, api_metadata},
	/* rules, alerts, targets */
	{"/api/v1/rules", GET, HTTP_ON_QUERY, 0, false, api_rules},
	{"/api/v1/alerts", GET, HTTP_ON_QUERY, 0, false, api_alerts},
	{"/api/v1/alertmanagers", GET, HTTP_ON_LOOP, 0, false, api_alertmanagers},
	{"/api/v1/targets", GET, HTTP_ON_LOOP, 0, false, api_targets},
	{"/api/v1/targets/metadata", GET, HTTP_ON_LOOP, 0, false, api_targets_metadata},
	{"/api/v1/scrape_pools", GET, HTTP_ON_LOOP, 0, false, api_scrape_pools},
	{"/api/belfry/v1/notify/test", GET, HTTP_ON_QUERY, 0, false, api_notify_test_state},
	{"/api/belfry/v1/notify/test", POST, HTTP_ON_QUERY, 0, true, api_notify_test},
	{"/api/belfry/v1/notify/status", GET, HTTP_ON_QUERY, 0, false, api_notify_status},
	{"/api/belfry/v1/outbox", GET, HTTP_ON_QUERY, 0, false, api_outbox},
	{"/api/belfry/v1/outbox/resend", POST, HTTP_ON_QUERY, 0, true, api_outbox_resend},
	{"/api/belfry/v1/acks", GET, HTTP_ON_QUERY, 0, false, api_acks},
	{"/api/belfry/v1/acks", POST | HTTP_DELETE, HTTP_ON_QUERY, 0, true, api_acks},
	/* Alertmanager's API v2; every question waits for the state writer */
	{"/api/v2/status", GET, HTTP_ON_QUERY, 0, false, api_am_status},
	{"/api/v2/receivers", GET, HTTP_ON_QUERY, 0, false, api_am_receivers},
	{"/api/v2/alerts", GET, HTTP_ON_QUERY, 0, false, api_am_alerts},
	{"/api/v2/alerts", POST, HTTP_ON_QUERY, LIMIT_HTTP_ALERTS_BODY, true, api_am_post_alerts},
	{"/api/v2/alerts/groups", GET, HTTP_ON_QUERY, 0, false, api_am_groups},
	{"/api/v2/silences", GET, HTTP_ON_QUERY, 0, false, api_am_silences},
	{"/api/v2/silences", POST, HTTP_ON_QUERY, 0, true, api_am_post_silence},
	{"/api/v2/silence/*", GET, HTTP_ON_QUERY, 0, false, api_am_silence},
	{"/api/v2/silence/*", HTTP_DELETE, HTTP_ON_QUERY, 0, true, api_am_delete_silence},
	{"/api/v2/status", OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_allowed},
	{"/api/v2/receivers", OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_allowed},
	{"/api/v2/alerts", OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_allowed},
	{"/api/v2/alerts/groups", OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_allowed},
	{"/api/v2/silences", OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_allowed},
	{"/api/v2/silence/*", OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_allowed},
	{"/api/v2/*", GET | OTHERS, HTTP_ON_LOOP, 0, false, api_am_not_found},
	/* the same with more in it */
	{"/api/belfry/v1/alerts", GET, HTTP_ON_QUERY, 0, false, api_belfry_alerts},
	{"/api/belfry/v1/silences", GET, HTTP_ON_QUERY, 0, false, api_belfry_silences},
	/* status */
	{"/api/v1/status/config", GET, HTTP_ON_QUERY, 0, false, api_status_config},
	{"/api/v1/status/flags", GET, HTTP_ON_LOOP, 0, false, api_status_flags},
	{"/api/v1/status/buildinfo", GET, HTTP_ON_LOOP, 0, false, api_status_buildinfo},
	{"/api/v1/status/runtimeinfo", GET, HTTP_ON_LOOP, 0, false, api_status_runtimeinfo},
	{"/api/v1/status/tsdb", GET, HTTP_ON_QUERY, 0, false, api_status_tsdb},
	{"/api/v1/status/walreplay", GET, HTTP_ON_LOOP, 0, false, api_status_walreplay},
	{"/api/v1/features", GET, HTTP_ON_LOOP, 0, false, api_features},
	{"/metrics", GET, HTTP_ON_QUERY, 0, false, api_metrics},
	{"/-/healthy", GET, HTTP_ON_LOOP, 0, false, api_healthy},
	{"/-/ready", GET, HTTP_ON_LOOP, 0, false, api_ready},
	{"/api/belfry/v1/explain", GET, HTTP_ON_QUERY, 0, false, api_explain},
	{"/api/belfry/v1/noise", GET, HTTP_ON_QUERY, 0, false, api_noise},
	{"/api/belfry/v1/past", GET, HTTP_ON_QUERY, 0, false, api_past},
	{"/api/belfry/v1/marks", POST, HTTP_ON_QUERY, 0, true, api_marks},
	/* links in messages: GET shows, POST does */
	{"/l/*", GET, HTTP_ON_QUERY, 0, false, api_link},
	{"/l/*", POST, HTTP_ON_QUERY, 8192, true, api_link},
	/* jobs that report */
	{"/api/belfry/v1/heartbeats", GET, HTTP_ON_LOOP, 0, false, api_heartbeats},
	{"/api/belfry/v1/heartbeat/*", HTTP_POST | HTTP_PUT, HTTP_ON_LOOP, 4096, true,
		api_heartbeat},
	{"/api/belfry/v1/heartbeat/*", HTTP_DELETE, HTTP_ON_LOOP, 0, true, api_heartbeat_delete},
	{"/runbooks/*", GET, HTTP_ON_LOOP, 0, false, api_runbook},
	/* what changes state */
	{"/-/reload", HTTP_POST | HTTP_PUT, HTTP_ON_LOOP, 0, true, api_reload},
	{"/api/v1/write", POST, HTTP_ON_INGEST, LIMIT_HTTP_WRITE_BODY, true, api_write},
	/* with BELFRY_TEST=1 only; GET for simple runners */
	{"/api/belfry/v1/debug/flush", GET_POST, HTTP_ON_QUERY, 0, true, api_debug_flush},
	{"/api/belfry/v1/debug/clock", GET_POST, HTTP_ON_QUERY, 0, true, api_debug_clock},
	/* the page */
	{"/plain", GET, HTTP_ON_QUERY, 0, false, plain_alerts},
	{"/", GET, HTTP_ON_LOOP, 0, false, assets_handle},
	{"/*", GET, HTTP_ON_LOOP, 0, false, assets_handle},
};

const struct http_route *routes(size_t *n)
{
	*n = sizeof table / sizeof *table;
	return table;
}
