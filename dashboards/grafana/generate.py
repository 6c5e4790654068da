#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes services.json and belfry.json, the Grafana dashboards, from the tables below.

usage: generate.py [--check]     --check only says whether the files are up to date (exit status 1)

Every panel is one row of a table: title, what it tells, unit, queries. Names of metrics are those
that real libraries emit; a query whose library is not in use answers with nothing, which Grafana
leaves out, so one panel serves several libraries.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Panel:
    """width in Grafana's 24 columns; queries: (expression, legend) pairs."""

    def __init__(self, title, about, unit, *queries, width=8, kind="timeseries", top=None,
                 stack=False, steps=None):
        self.title = title
        self.about = about
        self.unit = unit
        self.queries = queries
        self.width = width
        self.kind = kind
        self.max = top
        self.stack = stack
        self.steps = steps

    def height(self):
        return 4 if self.kind == "stat" else 8

    def json(self, number, x, y):
        defaults = {"unit": self.unit, "color": {"mode": "palette-classic"},
                    "thresholds": {"mode": "absolute",
                                   "steps": self.steps or [{"color": "green", "value": None}]}}
        if self.kind == "timeseries":
            defaults["min"] = 0
            defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8,
                                  "showPoints": "never", "spanNulls": False,
                                  "stacking": {"mode": "normal" if self.stack else "none"}}
        else:
            defaults["color"] = {"mode": "thresholds"}
        if self.max is not None:
            defaults["max"] = self.max
        return {
            "id": number, "type": self.kind, "title": self.title, "description": self.about,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height(), "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": self.options(),
            "targets": [
                {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expr,
                 "legendFormat": legend, "range": True, "editorMode": "code"}
                for i, (expr, legend) in enumerate(self.queries)],
        }

    def options(self):
        if self.kind == "stat":
            return {"colorMode": "value", "graphMode": "area", "justifyMode": "auto",
                    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                    "textMode": "auto"}
        if self.kind == "state-timeline":
            return {"showValue": "never", "mergeValues": True, "rowHeight": 0.8,
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                    "tooltip": {"mode": "single", "sort": "none"}}
        return {"legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table",
                           "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"}}


def red_above(limit):
    return [{"color": "green", "value": None}, {"color": "red", "value": limit}]


def red_below(limit):
    return [{"color": "red", "value": None}, {"color": "green", "value": limit}]


def variable(name, label, query, everything=".*"):
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE,
        "definition": query, "query": {"query": query, "refId": "variable"}, "refresh": 2,
        "regex": "", "sort": 1, "multi": True, "includeAll": True, "allValue": everything,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "options": [],
        "hide": 0, "skipUrlSync": False,
    }


def textbox(name, label, value):
    return {"name": name, "label": label, "type": "textbox", "query": value, "hide": 0,
            "current": {"text": value, "value": value}, "options": [
                {"selected": True, "text": value, "value": value}], "skipUrlSync": False}


DATASOURCE_VARIABLE = {
    "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
    "refresh": 1, "regex": "", "multi": False, "includeAll": False, "hide": 0, "options": [],
    "current": {}, "skipUrlSync": False,
}


def dashboard(uid, title, about, variables, rows, refresh="10s"):
    """rows: (row title, panels); panels flow left to right, top to bottom."""
    panels, number, y = [], 1, 0
    for row_title, row_panels in rows:
        panels.append({"id": number, "type": "row", "title": row_title, "collapsed": False,
                       "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "panels": []})
        number, y, x = number + 1, y + 1, 0
        for panel in row_panels:
            if x + panel.width > 24:
                x, y = 0, y + panel.height()
            panels.append(panel.json(number, x, y))
            number, x = number + 1, x + panel.width
        y += row_panels[-1].height()
    return {
        "uid": uid, "title": title, "description": about, "tags": ["belfry"], "schemaVersion": 39,
        "version": 1, "editable": True, "graphTooltip": 1, "refresh": refresh,
        "time": {"from": "now-1h", "to": "now"}, "timepicker": {}, "timezone": "browser",
        "weekStart": "", "fiscalYearStartMonth": 0, "liveNow": False, "links": [],
        "annotations": {"list": [{
            "name": "Alerts firing", "enable": True, "hide": False, "iconColor": "red",
            "datasource": DATASOURCE, "titleFormat": "{{alertname}}", "step": "10s",
            "expr": 'ALERTS{alertstate="firing"}', "tagKeys": "severity",
            "useValueForTime": False}]},
        "templating": {"list": [DATASOURCE_VARIABLE, *variables]},
        "panels": panels,
    }


# ---- services -----------------------------------------------------------------------------------

J = 'job=~"$job"'
W = "[$__rate_interval]"
DURATION = ("http_request_duration_seconds|http_server_request_duration_seconds"
            "|http_server_requests_seconds")
BUCKETS = f'{{__name__=~"({DURATION})_bucket",{J}}}'
COUNTS = f'{{__name__=~"({DURATION})_count",{J}}}'
REQUESTS = f"sum by (job) (rate({COUNTS}{W}))"
# The label that holds the status is named differently by each library.
FAILED = " or ".join(f'sum by (job) (rate({{__name__=~"http_requests_total|({DURATION})_count",'
                     f'{J},{label}=~"5.."}}{W}))'
                     for label in ("code", "status", "status_code", "http_response_status_code"))
ANSWERED = f"(sum by (job) (rate(http_requests_total{{{J}}}{W})) or {REQUESTS})"
ERROR_RATIO = f"({FAILED} or 0 * {ANSWERED}) / {ANSWERED}"


def quantile(q, by="job"):
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({BUCKETS}{W})))"


def native(q):
    return f"histogram_quantile({q}, sum(rate({{__name__=~\"$timer\"}}{W})))"


POOL_USE = (
    (f"max by (job, pool) (hikaricp_connections_active{{{J}}})"
     f" / max by (job, pool) (hikaricp_connections_max{{{J}}} > 0)", "{{job}} {{pool}}"),
    (f"max by (job, db_name) (go_sql_in_use_connections{{{J}}})"
     f" / max by (job, db_name) (go_sql_max_open_connections{{{J}}} > 0)", "{{job}} {{db_name}}"),
    (f"max by (job, database) (pg_pool_active_connections{{{J}}})"
     f" / max by (job, database) (pg_pool_max{{{J}}} > 0)", "{{job}} {{database}}"),
    (f"max by (job, db_name) (pgxpool_acquired_conns{{{J}}})"
     f" / max by (job, db_name) (pgxpool_max_conns{{{J}}} > 0)", "{{job}} {{db_name}}"),
)

HIT_RATIO = (
    (f'sum by (job, cache) (rate(cache_gets_total{{{J},result="hit"}}{W}))'
     f" / sum by (job, cache) (rate(cache_gets_total{{{J}}}{W}))", "{{job}} {{cache}}"),
    (f"rate(redis_keyspace_hits_total{{{J}}}{W}) / (rate(redis_keyspace_hits_total{{{J}}}{W})"
     f" + rate(redis_keyspace_misses_total{{{J}}}{W}))", "redis {{instance}}"),
)

SERVICES = [
    ("At a glance", [
        Panel("Requests", "Answered requests a second, all selected jobs.", "reqps",
              (f"sum({REQUESTS})", ""), width=4, kind="stat"),
        Panel("Error ratio", "Share of requests answered with a 5xx status.", "percentunit",
              (f"max({ERROR_RATIO})", ""), width=4, kind="stat", steps=red_above(0.01)),
        Panel("p99 latency", "The slowest job's 99th percentile.", "s",
              (f"max({quantile(0.99)})", ""), width=4, kind="stat", steps=red_above(1)),
        Panel("Fullest pool", "Connections lent, of the maximum.", "percentunit",
              (" or ".join(f"max({e})" for e, _ in POOL_USE), ""), width=4, kind="stat",
              steps=red_above(0.9)),
        Panel("Open breakers", "Circuit breakers that refuse calls now.", "short",
              (f'sum(max by (job, name) (resilience4j_circuitbreaker_state{{{J},'
               f'state=~"open|forced_open"}}))', ""), width=4, kind="stat", steps=red_above(1)),
        Panel("Cache hit ratio", "The worst cache's hits of its look-ups.", "percentunit",
              (" or ".join(f"min({e})" for e, _ in HIT_RATIO), ""), width=4, kind="stat",
              steps=red_below(0.7)),
    ]),
    ("Latency and traffic", [
        Panel("Latency percentiles", "From classic histograms; above the last finite bucket it "
              "shows that bucket's bound.", "s",
              *((quantile(q), f"{{{{job}}}} p{int(q * 100)}") for q in (0.5, 0.95, 0.99))),
        Panel("Latency of StatsD timers", "From native histograms, which StatsD timers are kept "
              "as; the name stands in the variable above.", "s",
              *((native(q), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99))),
        Panel("Slowest routes", "95th percentile by route, the five slowest.", "s",
              (f"topk(5, {quantile(0.95, 'job, route')})", "{{job}} {{route}}")),
        Panel("Requests by job", "Answered requests a second.", "reqps",
              (REQUESTS, "{{job}}"), width=12, stack=True),
        Panel("Requests by status", "Where they are counted as http_requests_total.", "reqps",
              (f"sum by (code) (rate(http_requests_total{{{J}}}{W}))", "{{code}}"),
              width=12, stack=True),
    ]),
    ("Errors", [
        Panel("Error ratio", "5xx answers of all answers.", "percentunit",
              (ERROR_RATIO, "{{job}}"), width=12),
        Panel("Failing routes", "5xx answers a second, the five worst routes.", "reqps",
              (f"topk(5, sum by (job, route, code) "
               f'(rate(http_requests_total{{{J},code=~"5.."}}{W})))',
               "{{job}} {{route}} {{code}}"), width=12),
    ]),
    ("Connection pools", [
        Panel("Use", "Connections lent of the maximum. HikariCP, Go database/sql, node-postgres "
              "and pgx.", "percentunit", *POOL_USE, top=1),
        Panel("Waiting", "Requests that wait for a connection.", "short",
              (f"sum by (job, pool) (hikaricp_connections_pending{{{J}}})", "{{job}} {{pool}}"),
              (f"sum by (job, database) (pg_pool_waiting_connections{{{J}}})",
               "{{job}} {{database}}"),
              (f"sum by (database) (pgbouncer_pools_client_waiting_connections{{{J}}})",
               "pgbouncer {{database}}")),
        Panel("Timeouts", "Waits for a connection that were given up, a second.", "ops",
              (f"sum by (job, pool) (rate(hikaricp_connections_timeout_total{{{J}}}{W}))",
               "{{job}} {{pool}}"),
              (f"sum by (job) (rate(db_client_connection_timeouts_total{{{J}}}{W}))", "{{job}}")),
        Panel("Mean wait", "Seconds until a connection was lent.", "s",
              (f"sum by (job, pool) (rate(hikaricp_connections_acquire_seconds_sum{{{J}}}{W}))"
               " / sum by (job, pool) "
               f"(rate(hikaricp_connections_acquire_seconds_count{{{J}}}{W}))",
               "{{job}} {{pool}}"),
              (f"sum by (job, db_name) (rate(go_sql_wait_duration_seconds_total{{{J}}}{W}))"
               f" / sum by (job, db_name) (rate(go_sql_wait_count_total{{{J}}}{W}))",
               "{{job}} {{db_name}}"), width=12),
        Panel("Mean use", "Seconds that a connection was lent: slow queries, or a leak.", "s",
              (f"sum by (job, pool) (rate(hikaricp_connections_usage_seconds_sum{{{J}}}{W}))"
               f" / sum by (job, pool) (rate(hikaricp_connections_usage_seconds_count{{{J}}}{W}))",
               "{{job}} {{pool}}"), width=12),
    ]),
    ("Circuit breakers and retries", [
        Panel("Breaker state", "1 in the state that the breaker is in. A breaker that is open for "
              "less than a scrape interval shows only among the trips.", "short",
              (f"max by (job, name, state) (resilience4j_circuitbreaker_state{{{J}}}) == 1",
               "{{job}} {{name}} {{state}}"), kind="state-timeline", width=12),
        Panel("Trips", "Times a breaker opened, in five minutes; from StatsD events and from "
              "opossum.", "short",
              ('sum by (service, name) (increase({__name__=~".+_breaker_trips_total"}[5m]))',
               "{{service}} {{name}}"),
              (f'sum by (job, name) (increase(circuit{{{J},event="open"}}[5m]))',
               "{{job}} {{name}}"), width=12),
        Panel("Refused calls", "Calls that an open breaker refused, a second.", "ops",
              (f"sum by (job, name) (rate(resilience4j_circuitbreaker_not_permitted_calls_total"
               f"{{{J}}}{W}))", "{{job}} {{name}}"),
              (f'sum by (job, name) (rate(circuit{{{J},event="reject"}}{W}))', "{{job}} {{name}}")),
        Panel("Retried calls", "Share of calls that needed more than one attempt.", "percentunit",
              (f'sum by (job, name) (rate(resilience4j_retry_calls_total{{{J},'
               f'kind=~".*_with_retry"}}{W}))'
               f" / sum by (job, name) (rate(resilience4j_retry_calls_total{{{J}}}{W}))",
               "{{job}} {{name}}")),
        Panel("Calls that failed after all retries", "A second.", "ops",
              (f'sum by (job, name) (rate(resilience4j_retry_calls_total{{{J},'
               f'kind="failed_with_retry"}}{W}))', "{{job}} {{name}}")),
    ]),
    ("Caches", [
        Panel("Hit ratio", "Hits of all look-ups. Micrometer's caches and Redis.", "percentunit",
              *HIT_RATIO, top=1),
        Panel("Look-ups", "A second: a ratio without volume says little.", "ops",
              (f"sum by (job, cache, result) (rate(cache_gets_total{{{J}}}{W}))",
               "{{job}} {{cache}} {{result}}"), stack=True),
        Panel("Evictions", "Entries thrown out for room, a second.", "ops",
              (f"sum by (job, cache) (rate(cache_evictions_total{{{J}}}{W}))", "{{job}} {{cache}}"),
              (f"rate(redis_evicted_keys_total{{{J}}}{W})", "redis {{instance}}")),
    ]),
    ("Queues", [
        Panel("Depth", "Jobs that wait.", "short",
              (f'sum by (job, queue) (bullmq_job_count{{{J},state="waiting"}})',
               "{{job}} {{queue}}"),
              (f"sum by (job, name) (sidekiq_queue_enqueued_jobs{{{J}}})", "{{job}} {{name}}"),
              (f"sum by (job, queue) (rabbitmq_queue_messages_ready{{{J}}})",
               "{{job}} {{queue}}")),
        Panel("Done and failed", "Jobs a second.", "ops",
              (f"sum by (job, queue) (rate(bullmq_job_completed_total{{{J}}}{W}))",
               "{{job}} {{queue}} done"),
              (f"sum by (job, queue) (rate(bullmq_job_failed_total{{{J}}}{W}))",
               "{{job}} {{queue}} failed"),
              (f"sum by (job) (rate(sidekiq_processed_jobs_total{{{J}}}{W}))", "{{job}} done"),
              (f"sum by (job) (rate(sidekiq_failed_jobs_total{{{J}}}{W}))", "{{job}} failed")),
        Panel("Oldest job", "Seconds that the oldest job has waited.", "s",
              (f"max by (job, name) (sidekiq_queue_latency_seconds{{{J}}})", "{{job}} {{name}}")),
    ]),
]

# ---- belfry itself ------------------------------------------------------------------------------

PARTS = ("http", "notify", "remote_write", "rule", "scrape", "self", "statsd", "storage")
DROPPED_5M = " + ".join(f"(sum(increase(belfry_{part}_dropped_total[5m])) or vector(0))"
                        for part in PARTS)

BELFRY = [
    ("At a glance", [
        Panel("Samples stored", "A second, from all ways in.", "cps",
              (f"sum(rate(belfry_storage_samples_total{W}))", ""), width=4, kind="stat"),
        Panel("Active series", "Series in memory.", "short",
              ("sum(belfry_storage_active_series)", ""), width=4, kind="stat"),
        Panel("Dropped", "Whatever was dropped or refused in the last five minutes.", "short",
              (DROPPED_5M, ""), width=4, kind="stat", steps=red_above(1)),
        Panel("Memory", "Resident memory of the process.", "bytes",
              ('sum(process_resident_memory_bytes{job="belfry"})', ""), width=4, kind="stat"),
        Panel("Messages waiting", "Notifications that no receiver has accepted yet.", "short",
              ("sum(belfry_notify_outbox_rows)", ""), width=4, kind="stat", steps=red_above(50)),
        Panel("Configuration", "1 when the last reload succeeded.", "short",
              ("min(belfry_config_last_reload_successful)", ""), width=4, kind="stat",
              steps=red_below(1)),
    ]),
    ("What comes in", [
        Panel("StatsD", "Lines and packets a second.", "cps",
              (f"sum(rate(belfry_statsd_lines_total{W}))", "lines"),
              (f"sum(rate(belfry_statsd_packets_total{W}))", "packets")),
        Panel("Remote write", "Samples a second, stored and refused.", "cps",
              (f"sum(rate(belfry_remote_write_samples_total{W}))", "received"),
              (f"sum(rate(belfry_remote_write_refused_samples_total{W}))", "refused")),
        Panel("Targets", "Scraped targets by state.", "short",
              ("count(up == 1)", "up"), ("count(up == 0)", "down"), stack=True),
        Panel("Slowest scrapes", "Seconds a scrape took, the five slowest.", "s",
              ("topk(5, scrape_duration_seconds)", "{{job}} {{instance}}")),
        Panel("Drops by reason", "Whatever was dropped or refused, a second. Nothing is dropped "
              "without being counted here.", "cps",
              *((f"sum by (reason) (rate(belfry_{part}_dropped_total{W}))",
                 f"{part} {{{{reason}}}}") for part in PARTS)),
        Panel("Limits hit", "How often a bound refused something, a second.", "cps",
              (f"sum by (limit) (rate(belfry_limit_hits_total{W}))", "{{limit}}")),
    ]),
    ("Storage", [
        Panel("Series", "In memory, known, and the limit of those in memory.", "short",
              ("sum(belfry_storage_active_series)", "in memory"),
              ("sum(belfry_storage_series)", "known"),
              ("sum(belfry_storage_active_series_limit)", "limit")),
        Panel("Memory", "The process, and what the store holds of it.", "bytes",
              ('sum(process_resident_memory_bytes{job="belfry"})', "process"),
              ("sum(belfry_storage_memory_bytes)", "store"),
              ("sum(belfry_statsd_memory_bytes)", "StatsD table")),
        Panel("Disk", "Files of the data directory, and write-ahead logs not yet folded in.",
              "bytes", ("sum(belfry_storage_disk_bytes)", "all files"),
              ("sum(belfry_storage_wal_bytes)", "write-ahead logs"),
              ("sum(belfry_storage_wal_limit_bytes)", "their limit")),
        Panel("Commits", "Groups of samples written, a second, and those that failed.", "cps",
              (f"sum(rate(belfry_storage_commits_total{W}))", "written"),
              (f"sum(rate(belfry_storage_commit_failures_total{W}))", "failed")),
        Panel("Time of a commit", "Mean seconds to write and publish a group.", "s",
              (f"sum(rate(belfry_storage_commit_seconds_total{W}))"
               f" / sum(rate(belfry_storage_commits_total{W}))", "samples"),
              (f"sum(rate(belfry_state_commit_seconds_total{W}))"
               f" / sum(rate(belfry_state_commits_total{W}))", "state")),
        Panel("Waiting for the writer", "Batches that were handed over and are not written yet.",
              "short", ("sum(belfry_storage_queue_batches)", "batches")),
    ]),
    ("Rules", [
        Panel("Evaluations", "Rules evaluated a second, and those that failed.", "cps",
              (f"sum(rate(belfry_rule_evaluations_total{W}))", "evaluated"),
              (f"sum(rate(belfry_rule_evaluation_failures_total{W}))", "failed")),
        Panel("Missed slots", "Evaluations of a group that were left out because the one before "
              "took too long, a second.", "cps",
              (f"sum(rate(belfry_rule_group_iterations_missed_total{W}))", "missed")),
        Panel("Alerts", "By state.", "short",
              ("count by (alertstate) (ALERTS)", "{{alertstate}}"), stack=True),
    ]),
    ("Notifications", [
        Panel("Accepted", "Messages that a receiver accepted, a second.", "cps",
              (f"sum by (integration) (rate(belfry_notify_sent_total{W}))", "{{integration}}")),
        Panel("Waiting", "Messages in the outbox.", "short",
              ("sum by (integration) (belfry_notify_queued)", "{{integration}}")),
        Panel("Retried and given up", "A second.", "cps",
              (f"sum by (integration) (rate(belfry_notify_retries_total{W}))",
               "{{integration}} retried"),
              (f"sum by (integration) (rate(belfry_notify_failed_total{W}))",
               "{{integration}} given up")),
    ]),
    ("HTTP and process", [
        Panel("Requests", "Answered a second.", "reqps",
              (f"sum by (code) (rate(belfry_http_requests_total{W}))", "{{code}}"), stack=True),
        Panel("Connections", "Open, and the limit.", "short",
              ("sum(belfry_http_connections)", "open"),
              ("sum(belfry_http_connections_limit)", "limit")),
        Panel("CPU", "Processor seconds a second.", "percentunit",
              (f'sum(rate(process_cpu_seconds_total{{job="belfry"}}{W}))', "used")),
    ]),
]


def outputs():
    """{file name: text}"""
    made = {
        "services.json": dashboard(
            "belfry-services", "Services", "Latency, errors, connection pools, circuit breakers, "
            "retries, caches and queues of the services that belfry watches.",
            [variable("job", "Job", "label_values(up, job)"),
             textbox("timer", "StatsD timer", "shop_http_request")], SERVICES),
        "belfry.json": dashboard(
            "belfry-self", "belfry", "How belfry itself fares: what comes in, what is kept, what "
            "the rules cost and who was told.", [], BELFRY),
    }
    return {name: json.dumps(value, indent=2, ensure_ascii=False) + "\n"
            for name, value in made.items()}


def main():
    stale = [name for name, text in outputs().items()
             if not (HERE / name).exists() or (HERE / name).read_text() != text]
    if sys.argv[1:] == ["--check"]:
        for name in stale:
            print(f"{name} is not what generate.py makes")
        return 1 if stale else 0
    for name, text in outputs().items():
        (HERE / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
