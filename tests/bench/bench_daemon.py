#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the whole daemon costs: StatsD, remote write, memory, disk, scrapes, readiness after kill -9.

Prints `name value unit` lines. The same loads go to Prometheus (Debian's package) and to npm's
statsd when they are here (STATSD_JS, or statsd in a node_modules of the usual places), and the
quotient is printed: below 1, belfry is cheaper. CPU is what /proc says of the server's process,
user and system; the loads are other processes and are formatted, encoded and compressed before
their clock starts. Nothing is asserted: the machine decides.

BENCH_ONLY=statsd,write,scrape   BENCH_PEERS=0   BENCH_RUNS=1   BENCH_HOSTS=100   BENCH_STEPS=60
"""

import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib.belfry import Belfry
from lib.net import free_port, wait_until
from lib.peers import Program, Prometheus

LOADS = pathlib.Path(os.environ.get("BENCH_LOADS", TESTS.parent / "build/release/tests/bench"))
ONLY = set(filter(None, os.environ.get("BENCH_ONLY", "").split(",")))
PEERS = os.environ.get("BENCH_PEERS", "1") != "0"
RUNS = int(os.environ.get("BENCH_RUNS", "1"))
HOSTS = int(os.environ.get("BENCH_HOSTS", "100"))
STEPS = int(os.environ.get("BENCH_STEPS", "60"))
SERIES = 10000  # of StatsD
COST_SECONDS = 10  # a flush interval

figures = {}


def say(name, value, unit):
    figures[name] = value
    print(f"{name} {value:.4g} {unit}", flush=True)


def say_ratio(name, ours, theirs):
    """belfry's figure over a peer's, where both were measured."""
    if figures.get(ours) is not None and figures.get(theirs):
        say(name, figures[ours] / figures[theirs], "ratio")


def load(program, *args):
    """Runs a generator and returns what it says of itself."""
    out = subprocess.run([LOADS / program, *map(str, args)], stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


def disk_bytes(path):
    return sum(f.lstat().st_blocks * 512 for f in pathlib.Path(path).rglob("*") if f.is_file())


class Watched:
    """CPU and memory of a process, whoever started it."""

    def __init__(self, pid):
        self.pid = pid

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")


# ---- StatsD ---------------------------------------------------------------------------------------

def statsd_js():
    """npm's statsd, or None."""
    around = [os.environ.get("STATSD_JS", ""), "/usr/lib/node_modules/statsd/stats.js",
              "/usr/local/lib/node_modules/statsd/stats.js",
              TESTS.parent / "build/peers/node_modules/statsd/stats.js"]
    return next((str(p) for p in around if p and pathlib.Path(p).is_file()), None)


class NodeStatsd(Program):
    """npm's statsd with a backend that throws away what it flushes."""

    names = ("node",)

    def arguments(self):
        (self.dir / "none.js").write_text("exports.init = () => true;\n")
        (self.dir / "config.js").write_text(json.dumps({
            "port": self.port, "address": "127.0.0.1", "flushInterval": 10000,
            "mgmt_port": free_port(), "mgmt_address": "127.0.0.1",
            "backends": [str(self.dir / "none.js")]}))
        return [statsd_js(), str(self.dir / "config.js")]

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([self.path(), *self.arguments()], cwd=self.dir,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: udp_socket(self.port), 10, "statsd's socket")


def udp_socket(port):
    """(bytes waiting, packets dropped) of the sockets bound to a port; None when there is none."""
    waiting = dropped = count = 0
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            lines = pathlib.Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if int(fields[1].rsplit(":", 1)[1], 16) == port:
                waiting += int(fields[4].split(":")[1], 16)
                dropped += int(fields[12])
                count += 1
    return (waiting, dropped) if count else None


class StatsdStep:
    """One load against a server: what was lost in the kernel and what the rest cost."""

    def __init__(self, server, port, rate, seconds, mix, per_packet):
        dropped, cpu = udp_socket(port)[1], server.cpu_s()
        sent = load("load_statsd", port, rate, max(1, int(rate * seconds)), SERIES, mix, per_packet)
        wait_until(lambda: udp_socket(port)[0] == 0, 30, "an empty socket")
        time.sleep(0.3)
        lost = udp_socket(port)[1] - dropped
        self.rate = sent["lines"] / sent["seconds"]
        self.loss = lost / sent["packets"]
        received = sent["lines"] * (1 - self.loss)
        self.cpu_per_million = (server.cpu_s() - cpu) / received * 1e6 if received else None


def lossless(server, port, mix, per_packet, rate):
    """The highest rate without a lost packet: doubled until it loses, then halved in between."""
    good, bad = 0, None
    while bad is None and rate <= 16e6:
        step = StatsdStep(server, port, rate, 1.5, mix, per_packet)
        if step.loss > 0.0001:
            bad = rate
        else:
            good = step.rate
            if step.rate < rate * 0.9:  # the sender is the limit
                break
            rate *= 2
    for _ in range(2 if bad else 0):
        middle = (good + bad) / 2
        step = StatsdStep(server, port, middle, 1.5, mix, per_packet)
        if step.loss > 0.0001:
            bad = middle
        else:
            good = step.rate
    return good


STATSD_MODES = {"full": ("plain", 0), "single": ("plain", 1), "dog": ("dog", 0)}


def statsd_figures(name, server, port, modes, rates):
    idle = server.rss()
    for mode in modes:
        mix, per_packet = STATSD_MODES[mode]
        StatsdStep(server, port, 20000, 1, mix, per_packet)  # its series are known from here on
        if mode == "full":
            say(f"{name}_statsd_bytes_per_series", (server.rss() - idle) / SERIES, "bytes")
        costs = [StatsdStep(server, port, rates[mode], COST_SECONDS, mix, per_packet)
                 for _ in range(RUNS)]
        say(f"{name}_statsd_{mode}_cpu", statistics.median(c.cpu_per_million for c in costs),
            "cpu_s/M_lines")
        if any(c.loss > 0 for c in costs):
            say(f"{name}_statsd_{mode}_cost_loss", max(c.loss for c in costs), "of_packets")
        best = lossless(server, port, mix, per_packet, rates[mode] / (1 if mode == "single" else 2))
        say(f"{name}_statsd_{mode}_lossless", best, "lines/s")


def bench_statsd():
    rates = {"full": 200000, "single": 50000, "dog": 200000}
    with Belfry({"statsd": {"flush_interval": "10s"}}) as b:
        statsd_figures("belfry", Watched(b.pid), b.statsd_port, STATSD_MODES, rates)
        refused = (b.metric("belfry_statsd_dropped_total") -
                   b.metric("belfry_statsd_dropped_total", reason="kernel"))
        say("belfry_statsd_refused", refused, "lines")
    if PEERS and statsd_js() and NodeStatsd.path():
        with NodeStatsd() as peer:
            statsd_figures("npm_statsd", Watched(peer.process.pid), peer.port, ("full", "single"),
                           rates)
        for mode in ("full", "single"):
            say_ratio(f"belfry_over_npm_statsd_{mode}_cpu", f"belfry_statsd_{mode}_cpu",
                      f"npm_statsd_statsd_{mode}_cpu")


# ---- remote write ---------------------------------------------------------------------------------

def write_load(name, server, port):
    """One load of remote write; its samples, and figures by name."""
    idle, cpu = server.rss(), server.cpu_s()
    got = load("load_write", port, HOSTS, STEPS, int(time.time()))
    series = HOSTS * 1000
    if got["failed"]:
        say(f"{name}_write_failed", got["failed"], "requests")
    return got["samples"], {
        "write_rate": (got["samples"] / got["seconds"], "samples/s"),
        "write_p99": (got["p99_ms"], "ms"),
        "write_cpu": ((server.cpu_s() - cpu) / got["samples"] * 1e6, "cpu_s/M_samples"),
        "write_rss": (server.rss() / 2**20, "MiB"),
        "write_bytes_per_series": ((server.rss() - idle) / series, "bytes"),
    }


def say_medians(name, runs):
    for key, (_, unit) in runs[0].items():
        say(f"{name}_{key}", statistics.median(r[key][0] for r in runs), unit)


def belfry_write_once(last):
    """A run on an empty store; the last one also dies and comes back."""
    with Belfry({}, statsd=False, env={"BELFRY_TEST": "1"}) as b:
        samples, got = write_load("belfry", Watched(b.pid), b.web_port)
        got["write_disk"] = disk_bytes(b.data_dir) / samples, "bytes/sample"
        if not last:
            return got
        ready = []
        for _ in range(3):
            b.kill9()
            b.start(wait=False)
            ready.append(b.wait_ready(60))
        got["ready_after_kill"] = statistics.median(ready), "s"
        b.stop(60)
        got["write_disk_stopped"] = disk_bytes(b.data_dir) / samples, "bytes/sample"
        b.start()
        b.flush_to_disk()
        b.stop(60)
        got["write_disk_sealed"] = disk_bytes(b.data_dir) / samples, "bytes/sample"
        return got


def prometheus_write():
    config = {"global": {"scrape_interval": "1m"}}
    extra = ("--web.enable-remote-write-receiver", "--log.level=warn")
    with Prometheus(config, extra) as p:
        samples, got = write_load("prometheus", Watched(p.process.pid), p.port)
        got["write_disk"] = disk_bytes(p.dir / "data") / samples, "bytes/sample"
        p.process.kill()
        p.process.wait()
        began = time.monotonic()
        p.start()
        got["ready_after_kill"] = time.monotonic() - began, "s"
        return got


def bench_write():
    runs = [belfry_write_once(i == 2) for i in range(3)]
    runs[0], runs[2] = runs[2], runs[0]  # the fullest names the figures
    last = runs[0]
    say_medians("belfry", [{k: r.get(k, last[k]) for k in last} for r in runs])
    if PEERS and Prometheus.path():
        say_medians("prometheus", [prometheus_write()])
        for key in ("write_cpu", "write_bytes_per_series", "ready_after_kill"):
            say_ratio(f"belfry_over_prometheus_{key}", f"belfry_{key}", f"prometheus_{key}")
        # live, belfry's directory is mostly the journal's segment, whose size is a constant
        say_ratio("belfry_over_prometheus_write_disk", "belfry_write_disk_stopped",
                  "prometheus_write_disk")


# ---- scrape ---------------------------------------------------------------------------------------

class Pages:
    """A target of 10,000 series whose values move: eight pages, served in turn."""

    SERIES = 10000

    def __init__(self):
        pages = [self.page(i).encode() for i in range(8)]
        self.served = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = pages[outer.served % len(pages)]
                outer.served += 1
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def page(self, turn):
        out = []
        for name in range(100):
            out.append(f"# HELP app_metric_{name}_total What is counted.\n"
                       f"# TYPE app_metric_{name}_total counter\n")
            for i in range(self.SERIES // 100):
                value = i * 37 if i % 2 else i * 1000 + turn * (i % 17)
                out.append(f'app_metric_{name}_total{{path="/api/v1/things/{i}",method="get",'
                           f'code="{200 + i % 5}"}} {value}\n')
        return "".join(out)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def config(self):
        return {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [{"job_name": "big",
                                    "static_configs": [{"targets": [self.address]}]}]}


def scrape_cost(name, server, pages):
    time.sleep(3)
    served, cpu = pages.served, server.cpu_s()
    time.sleep(10)
    samples = (pages.served - served) * Pages.SERIES
    if samples == 0:
        print(f"{name}: nothing was scraped", file=sys.stderr)
        return
    say(f"{name}_scrape_cpu", (server.cpu_s() - cpu) / samples * 1e6, "cpu_s/M_samples")
    say(f"{name}_scrape_rss", server.rss() / 2**20, "MiB")


def bench_scrape():
    pages = Pages()
    try:
        with Belfry(pages.config(), statsd=False) as b:
            scrape_cost("belfry", Watched(b.pid), pages)
        if PEERS and Prometheus.path():
            with Prometheus(pages.config(), ("--log.level=warn",)) as p:
                scrape_cost("prometheus", Watched(p.process.pid), pages)
            say_ratio("belfry_over_prometheus_scrape_cpu", "belfry_scrape_cpu",
                      "prometheus_scrape_cpu")
    finally:
        pages.close()


# ---- at rest --------------------------------------------------------------------------------------

def bench_idle():
    with Belfry({"self": {"enabled": True}}) as b:
        server = Watched(b.pid)
        time.sleep(2)
        cpu = server.cpu_s()
        time.sleep(5)
        say("belfry_idle_cpu", (server.cpu_s() - cpu) / 5 * 100, "percent")
        say("belfry_idle_rss", server.rss() / 2**20, "MiB")
        b.stop()
        start = time.monotonic()
        b.start(wait=False)
        b.wait_ready()
        say("belfry_ready_empty", time.monotonic() - start, "s")


def main():
    for part in (bench_idle, bench_write, bench_statsd, bench_scrape):
        if not ONLY or part.__name__.removeprefix("bench_") in ONLY:
            part()


if __name__ == "__main__":
    main()
