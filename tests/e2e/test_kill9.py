#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under load: what was acknowledged stays, nobody is forgotten.

The load: StatsD counters, remote writes that are repeated until acknowledged, a scraped
node_exporter, and alerts that fire and resolve all the time, told by Slack and by mail.
KILLS says how often (3; the full experiment is 20), KILL_LINES how many StatsD lines a second
(50000), KILL_SERIES how many series a real Prometheus scrapes each second and remote-writes (500;
the full experiment is 10000): it repeats what was not acknowledged, so that all it holds is here.
"""

import collections
import os
import pathlib
import random
import sys
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from lib import runner
from lib.belfry import Belfry
from lib.inbox import Inbox
from lib.load import StatsdLoad, WriteLoad
from lib.net import wait_until
from lib.peers import NodeExporter, Prometheus, raw_samples
from lib.source import Source, compare_samples
from lib.toggles import Toggles

KILLS = int(os.environ.get("KILLS", "3"))
LINES = int(os.environ.get("KILL_LINES", "50000"))
PEER_SERIES = int(os.environ.get("KILL_SERIES", "500"))
SERIES = 200
TOGGLES = 3
HOLD_S = 6.0  # a toggle stays up, and down, so long: several evaluations whatever dies
FLUSH_S = 1.0

RULES = """
groups:
  - name: toggles
    interval: 1s
    rules:
      - alert: Toggled
        expr: toggle == 1
        labels: {severity: warning}
        annotations: {summary: "%s"}
""" % Toggles.SUMMARY


class Kill9(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_and_nobody_is_told_twice_for_nothing(self):
        rng = random.Random()
        seed = rng.randrange(1 << 30)
        print(f"seed {seed}")
        rng.seed(seed)
        inbox = self.enterContext(Inbox())
        node = self.enterContext(NodeExporter()) if NodeExporter.path() else None
        belfry = self.enterContext(Belfry(self.config(inbox, node), rules={"r.yml": RULES}))
        peer = self.start_peer(belfry) if Prometheus.path() else None
        toggles = Toggles(inbox, TOGGLES, HOLD_S)

        def make(t_ms):
            series = [({"__name__": "acked", "i": str(i)}, [(t_ms, float(t_ms % 1000003 + i))])
                      for i in range(SERIES)]
            return series + [
                ({"__name__": "toggle", "n": str(n)}, [(t_ms, toggles.value(n))])
                for n in range(TOGGLES)]

        began = time.time()
        down_lines, ready, bound = 0.0, [], 0.0
        with StatsdLoad(belfry.statsd_port, lines_per_s=LINES) as lines, \
                WriteLoad(belfry.url("/api/v1/write"), make) as writes:
            belfry.wait_query("load_c0_total")
            for _ in range(KILLS):
                time.sleep(rng.uniform(1.0, 5.0))
                before = self.totals(belfry)
                bound += self.may_be_lost(belfry)
                sent_at_kill = lines.total
                belfry.kill9()
                belfry.start(wait=False)
                ready.append(belfry.wait_ready())
                down_lines += lines.total - sent_at_kill
                self.compare_totals(before, self.totals(belfry))
            time.sleep(2 * HOLD_S)
            toggles.ending = True
            wait_until(toggles.ended, what="the toggles' ends being told")
        self.settle(belfry)
        end = time.time()
        print("ready after " + ", ".join(f"{s:.2f}" for s in ready) + " s; "
              f"{len(writes.acked)} writes acknowledged, {writes.repeated} attempts repeated")
        self.check_writes(belfry, writes, began, end)
        self.check_statsd(belfry, lines, bound + self.dropped(belfry), down_lines, began, end)
        self.check_messages(inbox, toggles)
        if peer:
            self.check_peer(belfry, peer, end, int(end - began) + 60)

    def start_peer(self, belfry):
        source = Source(PEER_SERIES)
        self.addCleanup(source.close)
        return self.enterContext(Prometheus({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "load",
                                "static_configs": [{"targets": [source.address]}]}],
            "remote_write": [{"url": belfry.url("/api/v1/write")}],
        }))

    def check_peer(self, belfry, peer, end, seconds):
        wait_until(lambda: peer.sent_until() > end, 120, "everything being sent")
        compared = compare_samples(self, belfry, peer, PEER_SERIES, end, seconds)
        self.assertGreater(compared, PEER_SERIES * 5)
        print(f"{compared} samples of {PEER_SERIES} series that Prometheus holds are exact")

    @staticmethod
    def config(inbox, node):
        target = {"job_name": "node", "static_configs": [{"targets": [node and node.address]}]}
        scrape = [target] if node else []
        return {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s",
                       "smtp_smarthost": inbox.smarthost, "smtp_from": "belfry@x.test",
                       "smtp_require_tls": False},
            "statsd": {"flush_interval": f"{int(FLUSH_S)}s"},
            "scrape_configs": scrape,
            "route": {"receiver": "ops", "group_by": ["alertname", "n"], "group_wait": "0s",
                      "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "ops",
                           "slack_configs": [{"api_url": inbox.slack_url("ops")}],
                           "email_configs": [{"to": "ops@x.test"}]}],
        }

    @staticmethod
    def totals(belfry):
        return {r["metric"]["__name__"]: float(r["value"][1])
                for r in belfry.query('{__name__=~"load_c.+_total"}')}

    def compare_totals(self, before, after):
        for name, value in before.items():
            self.assertGreaterEqual(after.get(name, -1), value, f"{name} fell over a kill")

    @staticmethod
    def dropped(belfry):
        """Lines that the kernel dropped before this life of the daemon could read them."""
        return belfry.metric("belfry_statsd_dropped_total", reason="kernel") * StatsdLoad.PER_PACKET

    def may_be_lost(self, belfry):
        """Lines that a kill now may take: those since the last flush, which is late on a busy
        machine, and as many as wait in the socket."""
        age = belfry.value("time() - timestamp(load_c0_total)")
        return (age + 3 * FLUSH_S) * LINES + self.dropped(belfry)

    @staticmethod
    def settle(belfry):
        """Until a flush after the last line was stored and the outbox is empty."""
        flushes = belfry.metric("belfry_statsd_flushes_total")
        wait_until(lambda: belfry.metric("belfry_statsd_flushes_total") >= flushes + 2,
                   what="two flushes")
        wait_until(lambda: belfry.metric("belfry_notify_outbox_rows") == 0, what="an empty outbox")
        time.sleep(2.5)  # whatever would come for nothing comes now

    def check_writes(self, belfry, writes, began, end):
        self.assertEqual(writes.refused, [])
        have = raw_samples(belfry.url(), "acked", end, int(end - began) + 5)
        by_i = {dict(k)["i"]: dict(v) for k, v in have.items()}
        missing = wrong = 0
        for t_ms, _ in writes.acked:
            for i in range(SERIES):
                value = by_i.get(str(i), {}).get(t_ms)
                missing += value is None
                wrong += value is not None and float(value) != t_ms % 1000003 + i
        self.assertEqual((missing, wrong), (0, 0), f"of {len(writes.acked) * SERIES} acknowledged")

    def check_statsd(self, belfry, lines, bound, down_lines, began, end):
        for labels, points in raw_samples(belfry.url(), '{__name__=~"load_c.+_total"}', end,
                                          int(end - began) + 5).items():
            values = [float(v) for _, v in points]
            self.assertEqual(values, sorted(values), f"{labels} fell")
        final = self.totals(belfry)
        for i, sent in enumerate(lines.sent):
            self.assertLessEqual(final[f"load_c{i}_total"], sent)
        lost = lines.total - sum(final.values())
        bound += down_lines
        print(f"StatsD: {lines.total} lines sent, {lost:.0f} lost, {down_lines:.0f} of them while "
              f"down, bound {bound:.0f}")
        self.assertLessEqual(lost, bound)

    def check_messages(self, inbox, toggles):
        for channel in ("slack", "mail"):
            ids = collections.defaultdict(list)
            for msg in inbox.messages:
                if msg.channel == channel:
                    ids[msg.headers.get("X-Belfry-Id")].append(msg)
            self.assertNotIn(None, ids)
            for key, same in ids.items():
                self.assertLessEqual(len(same), 1 + KILLS, f"{key} came {len(same)} times")
                self.assertEqual(len({m.text for m in same}), 1, "a repeat says the same")
                if channel == "mail":
                    self.assertEqual(len({m.payload["Message-ID"] for m in same}), 1)
            told = collections.Counter(same[0].state for same in ids.values())
            print(f"{channel}: {dict(told)}, {sum(map(len, ids.values())) - len(ids)} repeats")
            self.assertEqual(told["FIRING"], sum(toggles.ups.values()), channel)
            self.assertEqual(told["RESOLVED"], sum(toggles.downs.values()), channel)


if __name__ == "__main__":
    sys.exit(runner.main())
