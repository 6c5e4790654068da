# SPDX-License-Identifier: Apache-2.0
"""Starts the real daemon for a test and asks it things.

    with Belfry({"scrape_configs": [...]}, rules={"r.yml": TEXT}) as b:
        b.statsd("shop.orders:1|c")
        b.wait_query("shop_orders_total", lambda v: v and v[0]["value"][1] == "1")

A Belfry owns a temporary directory (configuration, rules, data, log). The daemon gets free
loopback ports, dies with the thread that started it (prctl's parent-death signal is per thread:
start it from the main one), and is stopped by SIGTERM at the end; its log's tail is printed when
the test fails. BELFRY_BIN names another binary.
"""

import copy
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

from . import exposition
from .net import GUARD_S, free_port, http, wait_until
from .statsd import StatsdSender
from .yamlout import to_yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ApiError(Exception):
    """An answer whose status is not success; .status and .answer (parsed) say more."""

    def __init__(self, status, answer):
        super().__init__(f"HTTP {status}: {answer}")
        self.status = status
        self.answer = answer


def binary():
    """Path of the daemon under test."""
    return os.environ.get("BELFRY_BIN") or str(ROOT / "build" / "belfry")


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Belfry:
    """One daemon. config: a mapping merged over small defaults, or the whole file as text."""

    def __init__(self, config=None, *, rules=None, web_port=None, statsd_port=None,
                 statsd=True, env=None, args=(), directory=None, keep=False, wait=True):
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="belfry-test."))
        self._own_dir = directory is None and not keep
        self.web_port = web_port or free_port()
        self.statsd_port = (statsd_port or free_port()) if statsd else None
        self.env = dict(env or {})
        self.args = list(args)
        self.process = None
        self.config_path = self.dir / "belfry.yml"
        self.log_path = self.dir / "belfry.log"
        self.data_dir = self.dir / "data"
        self._wait = wait
        self.dir.mkdir(parents=True, exist_ok=True)
        self.rules = {}
        for name, text in (rules or {}).items():
            self.write_rules(name, text)
        self.write_config({} if config is None else config)

    # -- files ---------------------------------------------------------------------------

    def write_rules(self, name, text):
        """Puts a rule file beside the configuration; name it in rule_files or let defaults do."""
        path = self.dir / name
        path.write_text(text)
        self.rules[name] = path

    def write_config(self, config):
        """Writes belfry.yml (before start, or before reload)."""
        if not isinstance(config, str):
            config = to_yaml(self.with_defaults(config))
        self.config_path.write_text(config)

    def with_defaults(self, config):
        """The configuration with paths and ports filled in where it says nothing."""
        full = copy.deepcopy(config)
        full.setdefault("storage", {}).setdefault("path", str(self.data_dir))
        full.setdefault("web", {}).setdefault("listen", f"127.0.0.1:{self.web_port}")
        listen = [f"udp://127.0.0.1:{self.statsd_port}"] if self.statsd_port else []
        full.setdefault("statsd", {}).setdefault("listen", listen)
        full.setdefault("host", {}).setdefault("enabled", False)
        full.setdefault("self", {}).setdefault("enabled", False)
        full.setdefault("rule_files", [str(p) for p in self.rules.values()])
        return full

    def log_text(self):
        """What the daemon wrote to stdout and stderr so far."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    # -- life ----------------------------------------------------------------------------

    def __enter__(self):
        try:
            self.start(wait=self._wait)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not KeyboardInterrupt:
            tail = self.log_text().splitlines()[-40:]
            print("-- belfry's log --", *tail, "-- end of log --", sep="\n", file=sys.stderr)
        try:
            self.stop()
        finally:
            # never under a daemon that still runs: whatever ends _end, the process is dead then
            if self._own_dir and self.process is None:
                shutil.rmtree(self.dir, ignore_errors=True)

    def command(self):
        return [binary(), "run", "--config", str(self.config_path), *self.args]

    def start(self, wait=True, timeout=GUARD_S):
        """Starts the daemon and (unless wait=False) returns when /-/ready says 200."""
        assert self.process is None, "already started"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                env={**os.environ, **self.env}, preexec_fn=_die_with_parent,
                start_new_session=True)
        if wait:
            self.wait_ready(timeout)
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def ready(self):
        """True when /-/ready answers 200; a dead daemon raises."""
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"belfry ended with {self.process.returncode}:\n{self.log_text()}")
        try:
            return http(self.url("/-/ready"), timeout=5.0).status == 200
        except OSError:
            return False

    def wait_ready(self, timeout=GUARD_S):
        """Waits for readiness; returns the seconds it took."""
        start = time.monotonic()
        wait_until(self.ready, timeout, "readiness", every=0.005)
        return time.monotonic() - start

    def stop(self, timeout=GUARD_S):
        """SIGTERM and wait; returns the exit status (None when it was not running)."""
        return self._end(signal.SIGTERM, max(timeout, GUARD_S))

    def kill9(self):
        """SIGKILL and wait, as a crash."""
        return self._end(signal.SIGKILL, GUARD_S)

    def restart(self, wait=True, timeout=GUARD_S):
        """Starts again after stop() or kill9() with the same files and ports."""
        return self.start(wait=wait, timeout=timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def _end(self, number, timeout):
        process = self.process
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            status = process.wait(timeout)
        except BaseException:  # it hangs, or we are interrupted: nobody else would end it
            process.kill()
            process.wait()
            self.process = None
            raise
        self.process = None
        return status

    def rss_bytes(self):
        """Resident memory of the daemon."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self):
        """User and system time the daemon has used."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # -- HTTP ----------------------------------------------------------------------------

    def url(self, path=""):
        return f"http://127.0.0.1:{self.web_port}{path}"

    def get(self, path, timeout=GUARD_S, headers=None):
        """GET; the lib.net.Answer whatever the status."""
        return http(self.url(path), timeout=timeout, headers=headers)

    def post(self, path, data=b"", timeout=GUARD_S, headers=None):
        return http(self.url(path), data=data, timeout=timeout, headers=headers, method="POST")

    def api(self, path, **params):
        """GET /api/v1/PATH with parameters (a list repeats); the answer's data, or ApiError."""
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None}, True)
        res = self.get(f"/api/v1/{path}" + (f"?{query}" if query else ""))
        try:
            answer = json.loads(res.body)
        except ValueError:
            raise ApiError(res.status, res.text) from None
        if res.status != 200 or answer.get("status") != "success":
            raise ApiError(res.status, answer)
        return answer.get("data")

    def query(self, expr, at=None):
        """Result of an instant query (list for vectors and matrices, [t, v] for scalars)."""
        return self.api("query", query=expr, time=at)["result"]

    def query_range(self, expr, start, end, step):
        return self.api("query_range", query=expr, start=start, end=end, step=step)["result"]

    def value(self, expr, at=None):
        """The single value of an instant query as a float; None when the result is empty."""
        res = self.query(expr, at)
        if not res:
            return None
        if isinstance(res[0], dict):
            assert len(res) == 1, f"{expr} has {len(res)} results"
            return float(res[0]["value"][1])
        return float(res[1])

    def wait_query(self, expr, check=bool, timeout=GUARD_S):
        """Repeats an instant query until check(result) is true; returns that result."""
        last = []

        def once():
            last[:] = [self.query(expr)]
            return check(last[0])

        try:
            wait_until(once, timeout, f"query {expr!r}")
        except TimeoutError as err:
            raise TimeoutError(f"{err}; last result {last}") from None
        return last[0]

    def wait_value(self, expr, want, timeout=GUARD_S):
        """Waits until the single value of expr equals want."""
        return self.wait_query(
            expr, lambda r: len(r) == 1 and float(r[0]["value"][1]) == want, timeout)

    def alerts(self, **labels):
        """Pending and firing alerts that have these labels."""
        found = self.api("alerts")["alerts"]
        return [a for a in found if labels.items() <= a["labels"].items()]

    def metrics(self):
        """All samples of belfry's own /metrics."""
        res = self.get("/metrics")
        if res.status != 200:
            raise ApiError(res.status, res.text)
        return exposition.parse(res.text)

    def metric(self, name, **labels):
        """The sum of the samples of /metrics with that name and these labels; 0 when none."""
        return sum(s.value for s in exposition.select(self.metrics(), name, **labels))

    def reload(self):
        """POST /-/reload; the Answer (200, or 400/500 with the reason)."""
        return self.post("/-/reload")

    def statsd(self, *lines):
        """Sends lines to the daemon's StatsD port."""
        with StatsdSender(self.statsd_port) as sender:
            sender.send(*lines)

    def write(self, series, **kw):
        """Remote write 1.0 of series (lib.remote_write); the Answer."""
        from . import remote_write
        return remote_write.push(self.url("/api/v1/write"), series, **kw)

    def flush_to_disk(self):
        """Seals and writes every open chunk; needs env BELFRY_TEST=1."""
        res = self.post("/api/belfry/v1/debug/flush")
        if res.status // 100 != 2:
            raise ApiError(res.status, res.text)
