# SPDX-License-Identifier: Apache-2.0
"""The same recordings as another service, another scraper or another network would have made them.

A variant changes scrapes (rows of name, labels, value) and StatsD datagrams; what happened and its labels stay. Rules
that only fit the recordings as they are fail here. Randomness is seeded: a variant is the same every time.
"""
import random
import re

COUNTER = re.compile(r".*(_total|_count|_bucket|_sum)$|circuit$")


class Variant:
    """As recorded; the others override what they change."""
    scraped = True   # whether scrapes are in it
    statsd = True    # whether datagrams are
    no_categories = ()  # which the changed metrics cannot show

    def __init__(self):
        self.random = random.Random(7)

    def scrape(self, ms, job, inst, rows):
        """(ms, job, instance, rows) as it arrives, or None when it is lost; rows None: it failed."""
        return ms, job, inst, rows

    def datagram(self, ms, data):
        """The datagrams that arrive instead of this one."""
        return [data]


class ScrapeOnly(Variant):
    """no StatsD"""
    statsd = False


class StatsdOnly(Variant):
    """no scrapes; StatsD here counts retries but not the calls beside them"""
    scraped = False
    no_categories = ("target", "retry")


class Lost(Variant):
    """2 % of the scrapes and of the datagrams never arrive"""
    def scrape(self, ms, job, inst, rows):
        return None if self.random.random() < 0.02 else (ms, job, inst, rows)

    def datagram(self, ms, data):
        return [] if self.random.random() < 0.02 else [data]


class Failed(Variant):
    """2 % of the scrapes fail: up 0, and every series ends for a moment"""
    def scrape(self, ms, job, inst, rows):
        return ms, job, inst, None if self.random.random() < 0.02 else rows


class Jitter(Variant):
    """scrapes come up to 1.5 s early or late"""
    def scrape(self, ms, job, inst, rows):
        return ms + self.random.randint(-1500, 1500), job, inst, rows


class Sparse(Variant):
    """scrapes every 10 s instead of 5"""
    def __init__(self):
        super().__init__()
        self.turn = {}

    def scrape(self, ms, job, inst, rows):
        self.turn[inst] = self.turn.get(inst, 0) + 1
        return (ms, job, inst, rows) if self.turn[inst] % 2 else None


class Traffic(Variant):
    """every counter and histogram times `factor`: a smaller or a larger service"""
    factor = 1

    def scrape(self, ms, job, inst, rows):
        if rows is not None and job == "shop-api":
            rows = [(n, dict(ls), float(int(v * self.factor)) if COUNTER.match(n) and not n.endswith("_sum") else v * self.factor
                     if n.endswith("_sum") else v, t) for n, ls, v, t in rows]
        return ms, job, inst, rows

    def datagram(self, ms, data):
        lines = []
        for line in data.split(b"\n"):
            if b"|g" in line:
                lines.append(line)
                continue
            whole = int(self.factor)
            lines += [line] * (whole + (self.random.random() < self.factor - whole))
        out, size = [[]], 0
        for line in lines:
            if size + len(line) + 1 > 1400:
                out.append([])
                size = 0
            out[-1].append(line)
            size += len(line) + 1
        return [b"\n".join(part) for part in out if part]


class Small(Traffic):
    """traffic times 0.3"""
    factor = 0.3


class Large(Traffic):
    """traffic times 3"""
    factor = 3


class Renamed(Variant):
    """the service's metrics under the names of other libraries; how() gives the rows of one scrape"""
    statsd = False

    def scrape(self, ms, job, inst, rows):
        if job != "shop-api":
            return ms, job, inst, rows
        if rows is not None:
            rows = list(self.how(rows)) + [r for r in rows if r[0].startswith(("process_", "nodejs_"))]
        return ms, self.job(job), inst, rows

    def job(self, job):
        return job

    def how(self, rows):
        raise NotImplementedError


def value(rows, name, **labels):
    """The sum of a metric over the rows that have these labels."""
    return sum(v for n, ls, v, _ in rows if n == name and labels.items() <= ls.items())


def http(rows, base, route, status):
    """The request histogram under another name with other labels."""
    for n, ls, v, t in rows:
        if n.startswith("http_request_duration_seconds"):
            new = {route: ls["route"], status: ls["status_code"], "method": ls["method"]}
            if "le" in ls:
                new["le"] = ls["le"]
            yield base + n[len("http_request_duration_seconds"):], new, v, t


class Spring(Renamed):
    """Spring Boot: Micrometer, HikariCP, resilience4j, Caffeine"""
    no_categories = ("queue",)

    def job(self, job):
        return "orders"

    def how(self, rows):
        yield from http(rows, "http_server_requests_seconds", "uri", "status")
        size, idle = value(rows, "pg_pool_size"), value(rows, "pg_pool_idle")
        for name, v in (("active", size - idle), ("idle", idle), ("max", value(rows, "pg_pool_max")),
                        ("pending", value(rows, "pg_pool_waiting")),
                        ("timeout_total", value(rows, "pg_pool_acquire_timeouts_total"))):
            yield f"hikaricp_connections_{name}", {"pool": "HikariPool-1"}, v, None
        state = value(rows, "circuit_breaker_state")
        for i, name in enumerate(("closed", "half_open", "open")):
            yield "resilience4j_circuitbreaker_state", {"name": "pricing", "state": name}, float(state == i), None
        yield ("resilience4j_circuitbreaker_not_permitted_calls_total", {"name": "pricing", "kind": "not_permitted"},
               value(rows, "circuit", event="reject"), None)
        calls, retries = value(rows, "http_client_requests_total"), value(rows, "http_client_retries_total")
        yield "resilience4j_retry_calls_total", {"name": "pricing", "kind": "successful_with_retry"}, retries, None
        yield "resilience4j_retry_calls_total", {"name": "pricing", "kind": "successful_without_retry"}, calls - retries, None
        for result, name in (("hit", "cache_hits_total"), ("miss", "cache_misses_total")):
            yield "cache_gets_total", {"cache": "items", "result": result}, value(rows, name), None


class Go(Renamed):
    """Go: promhttp's counters, database/sql, gobreaker's gauge, redis_exporter, Sidekiq's queue"""
    def how(self, rows):
        for n, ls, v, t in rows:
            if n.endswith("duration_seconds_count") and n.startswith("http"):
                yield "http_requests_total", {"handler": ls["route"], "code": ls["status_code"]}, v, t
            elif n.endswith("duration_seconds_bucket") and n.startswith("http"):
                yield n, {"handler": ls["route"], "code": ls["status_code"], "le": ls["le"]}, v, t
        size, idle = value(rows, "pg_pool_size"), value(rows, "pg_pool_idle")
        yield "go_sql_in_use_connections", {"db_name": "shop"}, size - idle, None
        yield "go_sql_max_open_connections", {"db_name": "shop"}, value(rows, "pg_pool_max"), None
        yield "go_sql_wait_count_total", {"db_name": "shop"}, value(rows, "pg_pool_acquire_timeouts_total"), None
        yield "go_sql_wait_duration_seconds_total", {"db_name": "shop"}, 2 * value(rows, "pg_pool_acquire_timeouts_total"), None
        yield "circuit_breaker_state", {"name": "pricing"}, value(rows, "circuit_breaker_state"), None
        yield ("circuit_breaker_state_changes_total", {"name": "pricing", "from": "closed", "to": "open"},
               value(rows, "circuit", event="open"), None)
        yield "client_retries_total", {"client": "pricing"}, value(rows, "http_client_retries_total"), None
        yield "client_requests_total", {"client": "pricing"}, value(rows, "http_client_requests_total"), None
        yield "redis_keyspace_hits_total", {}, value(rows, "cache_hits_total"), None
        yield "redis_keyspace_misses_total", {}, value(rows, "cache_misses_total"), None
        yield "sidekiq_queue_enqueued_jobs", {"name": "orders"}, value(rows, "job_queue_waiting"), None
        yield "sidekiq_queue_latency_seconds", {"name": "orders"}, value(rows, "job_queue_oldest_age_seconds"), None
        yield "sidekiq_jobs_success_total", {"queue": "orders", "worker": "W"}, value(rows, "jobs_completed_total"), None


class Otel(Renamed):
    """OpenTelemetry's semantic conventions, Polly, Envoy's retries, BullMQ"""
    def how(self, rows):
        yield from http(rows, "http_server_request_duration_seconds", "http_route", "http_response_status_code")
        pool = {"db_client_connection_pool_name": "main"}
        size, idle = value(rows, "pg_pool_size"), value(rows, "pg_pool_idle")
        for state, v in (("used", size - idle), ("idle", idle)):
            yield "db_client_connection_count", {**pool, "db_client_connection_state": state}, v, None
        yield "db_client_connection_max", pool, value(rows, "pg_pool_max"), None
        yield "db_client_connection_pending_requests", pool, value(rows, "pg_pool_waiting"), None
        yield "db_client_connection_timeouts_total", pool, value(rows, "pg_pool_acquire_timeouts_total"), None
        for event, v in (("OnCircuitOpened", value(rows, "circuit", event="open")),
                         ("OnRetry", value(rows, "http_client_retries_total"))):
            yield "resilience_polly_strategy_events_total", {"pipeline_name": "pricing", "event_name": event}, v, None
        yield ("resilience_polly_pipeline_duration_milliseconds_count", {"pipeline_name": "pricing"},
               value(rows, "http_client_requests_total"), None)
        yield "app_cache_hits_total", {"cache_name": "items"}, value(rows, "cache_hits_total"), None
        yield "app_cache_misses_total", {"cache_name": "items"}, value(rows, "cache_misses_total"), None
        yield "bullmq_job_count", {"queue": "orders", "state": "waiting"}, value(rows, "job_queue_waiting"), None
        yield "bullmq_job_completed_total", {"queue": "orders"}, value(rows, "jobs_completed_total"), None


class Labels(Variant):
    """other names of job, instance, tags and the status label, and labels besides"""
    TAGS = ((b"service:shop-api", b"service:checkout"), (b"shop.", b"checkout.prod."), (b"env:prod", b"env:prod,region:eu,pod:p-7"))

    def scrape(self, ms, job, inst, rows):
        if rows is not None and job == "shop-api":
            rows = [(n, {"pod": "p-7", "region": "eu", **{"status" if k == "status_code" else k: v for k, v in ls.items()}}, v, t)
                    for n, ls, v, t in rows]
        return ms, "checkout" if job == "shop-api" else job, "pod-" + inst, rows

    def datagram(self, ms, data):
        for old, new in self.TAGS:
            data = data.replace(old, new)
        return [data]


VARIANTS = {"recorded": Variant, "scrape-only": ScrapeOnly, "statsd-only": StatsdOnly, "lost": Lost, "failed": Failed,
            "jitter": Jitter, "sparse": Sparse, "small": Small, "large": Large, "labels": Labels, "spring": Spring, "go": Go,
            "otel": Otel}
