# SPDX-License-Identifier: Apache-2.0
"""Real programs beside which belfry is tested: node_exporter, Prometheus and Alertmanager, on
loopback ports.

Each is a context manager that is ready when entered and gone when left.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

from . import exposition
from .net import free_port, http, wait_until
from .yamlout import to_yaml


def answers(url):
    """True when a GET of url says 200."""
    try:
        return http(url, timeout=2).status == 200
    except OSError:
        return False


class Program:
    """A child process with a temporary directory; waits until url() answers."""

    names = ()

    def __init__(self):
        self.port = free_port()
        self.dir = None
        self.process = None

    @classmethod
    def path(cls):
        """Where the program is, or None."""
        return next(filter(None, map(shutil.which, cls.names)), None)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def url(self, path=""):
        return f"http://{self.address}{path}"

    def arguments(self):
        raise NotImplementedError

    ready_path = "/"

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="belfry-peer."))
        self.start()
        return self

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([self.path(), *self.arguments()], cwd=self.dir,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready():
            if self.process.poll() is not None:
                said = (self.dir / "log").read_text()[-2000:]
                raise RuntimeError(f"{self.path()} ended:\n{said}")
            return answers(self.url(self.ready_path))

        wait_until(ready, 30, f"{self.path()} answering")

    def __exit__(self, *exc):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class NodeExporter(Program):
    """prometheus-node-exporter as Debian ships it."""

    names = ("prometheus-node-exporter", "node_exporter")
    ready_path = "/metrics"

    def arguments(self):
        return [f"--web.listen-address={self.address}"]


class Prometheus(Program):
    """Prometheus with a configuration given as a mapping."""

    names = ("prometheus",)
    ready_path = "/-/ready"

    def __init__(self, config, extra=()):
        super().__init__()
        self.config = config
        self.extra = extra

    def arguments(self):
        (self.dir / "prometheus.yml").write_text(to_yaml(self.config))
        return [f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/data",
                f"--web.listen-address={self.address}", *self.extra]

    def query(self, expr, at=None):
        """Result of an instant query."""
        return api_query(self.url(), expr, at)

    def sent_until(self):
        """The newest time (Unix seconds) up to which remote write has been acknowledged."""
        text = exposition.parse(http(self.url("/metrics")).body)
        name = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds"
        return max((s.value for s in exposition.select(text, name)), default=0)


class Alertmanager(Program):
    """Alertmanager with a configuration given as a mapping; alone, without a cluster."""

    names = ("prometheus-alertmanager", "alertmanager")

    def __init__(self, config=None, prefix=""):
        super().__init__()
        self.config = config or {"route": {"receiver": "none", "group_wait": "0s"},
                                 "receivers": [{"name": "none"}]}
        self.prefix = prefix
        self.ready_path = prefix + "/-/ready"

    def arguments(self):
        (self.dir / "alertmanager.yml").write_text(to_yaml(self.config))
        return [f"--config.file={self.dir}/alertmanager.yml", f"--storage.path={self.dir}/data",
                f"--web.listen-address={self.address}", "--cluster.listen-address=",
                f"--web.route-prefix={self.prefix or '/'}"]

    def alerts(self, **labels):
        """What it holds firing, as its API says it."""
        found = json.loads(http(self.url(self.prefix + "/api/v2/alerts")).body)
        return [a for a in found if labels.items() <= a["labels"].items()]


def api_query(base, expr, at=None):
    """Result of an instant query at any server of the Prometheus API."""
    body = urllib.parse.urlencode({"query": expr, **({"time": at} if at is not None else {})})
    answer = json.loads(http(base + "/api/v1/query", body, timeout=60).body)
    if answer["status"] != "success":
        raise RuntimeError(f"{expr}: {answer['error']}")
    return answer["data"]["result"]


def raw_samples(base, selector, end, seconds):
    """All raw samples with end − seconds < t ≤ end: {labels as sorted pairs: [(t_ms, text)]}."""
    result = api_query(base, f"{selector}[{seconds}s]", end)
    return {tuple(sorted(r["metric"].items())): [(round(t * 1000), v) for t, v in r["values"]]
            for r in result if "values" in r}
