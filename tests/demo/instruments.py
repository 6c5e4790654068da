# SPDX-License-Identifier: Apache-2.0
"""The demo service's metrics, twice over: as Prometheus text and as StatsD lines.

The names are those that real libraries use: an HTTP middleware's histogram, HikariCP's pool and
resilience4j's breaker and retry under Micrometer's names, Micrometer's cache. What the business
counts (orders, retries, breaker trips, query times per statement) goes out by StatsD with
DogStatsD tags, as many services do side by side with a /metrics page.
"""

import bisect
import socket

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Family:
    """All series of one name. kind: counter, gauge or histogram; label names are fixed."""

    def __init__(self, name, kind, help_text, *label_names):
        self.name = name
        self.kind = kind
        self.help = help_text
        self.label_names = label_names
        self.series = {}

    def add(self, amount=1.0, *labels):
        self.series[labels] = self.series.get(labels, 0.0) + amount

    def set(self, value, *labels):
        self.series[labels] = float(value)

    def observe(self, value, *labels):
        entry = self.series.get(labels)
        if entry is None:
            entry = self.series[labels] = [0.0, [0] * (len(BOUNDS) + 1)]
        entry[0] += value
        entry[1][bisect.bisect_left(BOUNDS, value)] += 1

    def _pairs(self, labels):
        return [f'{k}="{v}"' for k, v in zip(self.label_names, labels)]

    def lines(self):
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.series.items():
            pairs = self._pairs(labels)
            if self.kind != "histogram":
                inside = "{" + ",".join(pairs) + "}" if pairs else ""
                yield f"{self.name}{inside} {value!r}"
                continue
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), value[1]):
                total += count
                inside = ",".join([*pairs, f'le="{bound}"'])
                yield f"{self.name}_bucket{{{inside}}} {total}"
            inside = "{" + ",".join(pairs) + "}" if pairs else ""
            yield f"{self.name}_sum{inside} {value[0]!r}"
            yield f"{self.name}_count{inside} {total}"


class StatsdOut:
    """Collects lines and sends them in datagrams below 1432 bytes."""

    def __init__(self, address, tags):
        self.tags = "|#" + ",".join(f"{k}:{v}" for k, v in tags.items())
        self._pending, self._size = [], 0
        self._sock = None
        if address:
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.setblocking(False)
            self._sock.connect(address)

    def line(self, name, value, kind, extra=""):
        text = f"{name}:{value}|{kind}{self.tags}{extra}"
        if self._size + len(text) + 1 > 1432:
            self.flush()
        self._pending.append(text)
        self._size += len(text) + 1

    def flush(self):
        data, self._pending, self._size = "\n".join(self._pending).encode(), [], 0
        if data and self._sock:
            try:
                self._sock.send(data)
            except OSError:
                pass  # nobody listens, or the queue is full: StatsD is fire and forget


class Meter:
    """What the model tells, turned into metrics."""

    def __init__(self, statsd_address=None):
        self.families = []
        family = self._family
        self.requests = family("http_requests_total", "counter", "Requests answered.",
                               "method", "route", "code")
        self.duration = family("http_request_duration_seconds", "histogram",
                               "Time to answer a request.", "method", "route")
        self.in_flight = family("http_requests_in_flight", "gauge", "Requests being answered.")
        self.pool = {
            part: family(f"hikaricp_connections{part}", "gauge", f"Connections{part}.", "pool")
            for part in ("", "_active", "_idle", "_pending", "_max", "_min")}
        self.pool_timeouts = family("hikaricp_connections_timeout_total", "counter",
                                    "Waits for a connection that timed out.", "pool")
        self.acquire = self._summary("hikaricp_connections_acquire_seconds",
                                     "Wait for a connection.", "pool")
        self.usage = self._summary("hikaricp_connections_usage_seconds",
                                   "Time a connection was lent.", "pool")
        self.state = family("resilience4j_circuitbreaker_state", "gauge",
                            "1 for the state that the breaker is in.", "name", "state")
        self.failure_rate = family("resilience4j_circuitbreaker_failure_rate", "gauge",
                                   "Failed calls in percent, -1 when too few.", "name")
        self.calls = self._summary("resilience4j_circuitbreaker_calls_seconds",
                                   "Calls through the breaker.", "name", "kind")
        self.rejections = family("resilience4j_circuitbreaker_not_permitted_calls_total",
                                 "counter", "Calls the open breaker refused.", "name", "kind")
        self.retries = family("resilience4j_retry_calls_total", "counter",
                              "Calls by how retrying went.", "name", "kind")
        self.cache_gets = family("cache_gets_total", "counter", "Look-ups.", "cache", "result")
        self.cache_puts = family("cache_puts_total", "counter", "Entries stored.", "cache")
        self.cache_evictions = family("cache_evictions_total", "counter", "Entries evicted.",
                                      "cache")
        self.cache_size = family("cache_size", "gauge", "Entries.", "cache")
        self.statsd = StatsdOut(statsd_address, {"service": "shop", "env": "demo"})
        self._start_at_zero()

    def _family(self, *args):
        self.families.append(Family(*args))
        return self.families[-1]

    def _summary(self, name, help_text, *label_names):
        """Micrometer's timer without buckets: _count and _sum."""
        return (self._family(name + "_count", "counter", help_text, *label_names),
                self._family(name + "_sum", "counter", help_text, *label_names))

    def _start_at_zero(self):
        for kind in ("successful_without_retry", "successful_with_retry", "failed_without_retry",
                     "failed_with_retry"):
            self.retries.add(0, "orders-db", kind)
        self.pool_timeouts.add(0, "orders-db")
        self.rejections.add(0, "orders-db", "not_permitted")
        for kind in ("successful", "failed"):
            self.calls[0].add(0, "orders-db", kind)
            self.calls[1].add(0, "orders-db", kind)
        for result in ("hit", "miss"):
            self.cache_gets.add(0, "products", result)

    def answered(self, method, route, code, seconds):
        self.requests.add(1, method, route, code)
        self.duration.observe(seconds, method, route)
        self.statsd.line("shop.http.request", f"{seconds * 1000:.2f}", "ms",
                         f",route:{route.strip('/').split('/')[0]},code:{code}")

    def cache_get(self, hit):
        self.cache_gets.add(1, "products", "hit" if hit else "miss")

    def cache_put(self):
        self.cache_puts.add(1, "products")

    def order_placed(self):
        self.statsd.line("shop.orders.placed", 1, "c")

    def user_seen(self, user):
        self.statsd.line("shop.users", user, "s")

    def retry(self):
        self.statsd.line("shop.retries", 1, "c", ",dependency:orders-db")

    def retried(self, attempts, ok):
        how = "_with_retry" if attempts else "_without_retry"
        kind = ("successful" if ok else "failed") + how
        self.retries.add(1, "orders-db", kind)

    def not_permitted(self):
        self.rejections.add(1, "orders-db", "not_permitted")

    def acquired(self, seconds):
        self.acquire[0].add(1, "orders-db")
        self.acquire[1].add(seconds, "orders-db")

    def queried(self, what, seconds, ok):
        self.usage[0].add(1, "orders-db")
        self.usage[1].add(seconds, "orders-db")
        self.statsd.line("shop.db.query", f"{seconds * 1000:.2f}", "ms",
                         f",statement:{what},ok:{'true' if ok else 'false'}")

    def called(self, seconds, ok):
        kind = "successful" if ok else "failed"
        self.calls[0].add(1, "orders-db", kind)
        self.calls[1].add(seconds, "orders-db", kind)

    def breaker_changed(self, before, after):
        if after == "open":
            self.statsd.line("shop.breaker.trips", 1, "c", ",name:orders-db")

    def gauges(self, shop, in_flight):
        """Samples what is a state, not an event."""
        pool = shop.pool
        for part, value in (("", pool.active), ("_active", pool.active), ("_pending", pool.pending),
                            ("_max", pool.size), ("_min", pool.size),
                            ("_idle", pool.size - pool.active)):
            self.pool[part].set(pool.size if part == "" else value, "orders-db")
        self.pool_timeouts.set(pool.timeouts, "orders-db")
        for state in ("closed", "open", "half_open"):
            self.state.set(1.0 if shop.breaker.state == state else 0.0, "orders-db", state)
        self.failure_rate.set(shop.breaker.failure_rate, "orders-db")
        self.cache_size.set(len(shop.cache.entries), "products")
        self.cache_evictions.set(shop.cache.evictions, "products")
        self.in_flight.set(in_flight)

    def statsd_gauges(self, shop):
        self.statsd.line("shop.db.waiting", shop.pool.pending, "g")

    def text(self):
        """The exposition, format 0.0.4."""
        return "\n".join(line for f in self.families for line in f.lines()) + "\n"
