#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make demo`: belfry, a service that gets into trouble, and an inbox that shows who is told.

Environment: DEMO_SECONDS (end by itself after so many seconds; from 180 on the exit status says
whether each of the four conditions was reported, firing and resolved, by Slack and by mail),
DEMO_WEB_PORT, DEMO_STATSD_PORT, DEMO_SHOP_PORT, DEMO_SLACK_PORT, DEMO_SMTP_PORT (free ports
otherwise), DEMO_DIR (keep the files there, and the mails), BELFRY_BIN.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

try:
    from lib.belfry import Belfry, binary
    from lib.inbox import Inbox
    from lib.net import free_port
except ModuleNotFoundError as missing:
    sys.exit(f"demo: {missing}; packaging/deps.sh installs what is needed")

from demo import service

ALERTS = ("LatencyP99High", "ErrorRateHigh", "ConnectionPoolExhausted", "CircuitBreakerTripped")
CHANNELS = ("slack", "mail")
STATES = ("FIRING", "RESOLVED")
STORY_SECONDS = 180
BEGAN = time.time()


def env_int(name, default=0):
    text = os.environ.get(name, "")
    if text and not text.isdigit():
        sys.exit(f"demo: {name} must be a whole number, not {text!r}")
    return int(text) if text else default


class Terminal:
    """Coloured lines when somebody looks, plain ones otherwise. Used from several threads."""

    COLORS = {"FIRING": "1;31", "RESOLVED": "1;32", "dim": "2", "bold": "1"}

    def __init__(self):
        self.color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.lock = threading.Lock()

    def paint(self, style, text):
        code = self.COLORS.get(style)
        return f"\033[{code}m{text}\033[0m" if self.color and code else text

    def say(self, *lines):
        with self.lock:
            for line in lines:
                print(line)
            sys.stdout.flush()

    def story(self, text):
        self.say(self.paint("dim", f"t+{time.time() - BEGAN:3.0f}s  {text}"))

    def message(self, msg):
        """A message that arrived, as interfaces.md says: state, receiver, then what it says."""
        name = msg.alert(ALERTS)
        head = f"{msg.state or 'MESSAGE'} {name}"
        rest = f"{msg.channel} to {msg.receiver}, t+{msg.time - BEGAN:.0f}s"
        lines = ["", f"{self.paint(msg.state, head)}  ({rest})"]
        if msg.channel == "mail":
            lines.append(f"    Subject: {msg.title}")
        bold = re.compile(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])") if msg.channel == "slack" else None
        for line in msg.text.splitlines():
            if bold:
                line = bold.sub(lambda m: self.paint("bold", m.group(1)), line)
            lines.append("    " + line)
        self.say(*lines)


def configuration(inbox, shop_port, web_port):
    """What a user would write into belfry.yml, at demo speed."""
    return {
        "web": {
            "listen": f"127.0.0.1:{web_port}",
            "external_url": f"http://127.0.0.1:{web_port}",
        },
        "global": {
            "scrape_interval": "2s",
            "scrape_timeout": "1s",
            "evaluation_interval": "2s",
            "smtp_smarthost": inbox.smarthost,
            "smtp_from": "belfry@shop.example",
            "smtp_require_tls": False,
        },
        "statsd": {"flush_interval": "2s"},
        "self": {"enabled": True},
        "scrape_configs": [
            {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{shop_port}"]}]},
        ],
        "route": {
            "receiver": "on-call",
            "group_by": ["alertname"],
            "group_wait": "1s",
            "group_interval": "5s",
            "repeat_interval": "1h",
        },
        "receivers": [{
            "name": "on-call",
            "slack_configs": [{"api_url": inbox.slack_url("on-call"), "send_resolved": True}],
            "email_configs": [{"to": "on-call@shop.example", "send_resolved": True}],
        }],
    }


def keep_mails(inbox, directory):
    """Each mail as a file that a mail program opens: with its HTML part and its graph."""
    folder = pathlib.Path(directory) / "mails"
    folder.mkdir(exist_ok=True)
    mails = [m for m in inbox.messages if m.channel == "mail"]
    for number, mail in enumerate(mails, 1):
        (folder / f"{number:02d}-{mail.alert(ALERTS)}-{mail.state.lower()}.eml").write_bytes(mail.raw)


def table(term, inbox):
    """All messages, one line each."""
    term.say("", term.paint("bold", "What the inbox received"),
             f"{'time':<9}{'after':>6}  {'state':<9} {'receiver':<28} {'alert':<24} title")
    for msg in inbox.messages:
        clock = time.strftime("%H:%M:%S", time.localtime(msg.time))
        receiver = f"{msg.channel}:{msg.receiver}"
        title = msg.title if len(msg.title) <= 70 else msg.title[:69] + "…"
        state = term.paint(msg.state, f"{msg.state:<9}")
        term.say(f"{clock:<9}{msg.time - BEGAN:5.0f}s  {state} {receiver:<28} "
                 f"{msg.alert(ALERTS):<24} {title}")
    if not inbox.messages:
        term.say("(nothing)")


def missing(inbox):
    """Which of the messages that the story owes did not come."""
    came = {(m.channel, m.alert(ALERTS), m.state) for m in inbox.messages}
    return [f"{state} {alert} by {channel}" for alert in ALERTS for state in STATES
            for channel in CHANNELS if (channel, alert, state) not in came]


def figures(term, daemon):
    """What it cost."""
    size = sum(p.stat().st_size for p in daemon.data_dir.rglob("*") if p.is_file())
    term.say("", f"belfry used {daemon.rss_bytes() / 2**20:.1f} MiB of memory, "
             f"{daemon.cpu_seconds():.1f} s of CPU time and {size / 2**20:.1f} MiB of disk.")


def watch(term, daemon, shop, done, seconds):
    """Tells the story until its end, Ctrl-C, or somebody's death. True when all is well."""
    said = None
    while not done.wait(0.2):
        at = time.time() - BEGAN
        if seconds and at >= seconds:
            return True
        now = service.phase(at)
        if now != said:
            term.story(now)
            said = now
        if not daemon.running():
            term.say("", "demo: belfry ended by itself; its log ends with:",
                     *daemon.log_text().splitlines()[-20:])
            return False
        if shop.poll() is not None:
            term.say("", f"demo: the shop ended with status {shop.returncode}")
            return False
    return True


def play(term, inbox, done, seconds):
    """Everything between the start of the inbox and the end of the story."""
    global BEGAN
    shop_port = env_int("DEMO_SHOP_PORT") or free_port()
    web_port = env_int("DEMO_WEB_PORT") or free_port()
    statsd_port = env_int("DEMO_STATSD_PORT") or free_port()
    directory = os.environ.get("DEMO_DIR")
    daemon = Belfry(configuration(inbox, shop_port, web_port),
                    rules={"shop.rules.yml": (TESTS / "demo" / "rules.yml").read_text()},
                    web_port=web_port, statsd_port=statsd_port,
                    directory=directory)
    with daemon:
        shop = subprocess.Popen(
            [sys.executable, str(TESTS / "demo" / "service.py"), "--port", str(shop_port),
             "--statsd", f"127.0.0.1:{statsd_port}"],
            stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            BEGAN = time.time()
            ends = f"It ends after {seconds} s or on Ctrl-C." if seconds else "Ctrl-C ends it."
            term.say(term.paint("bold", f"belfry's page:  {daemon.url('/')}"),
                     f"configuration:  {daemon.config_path}",
                     f"the shop:       {f'http://127.0.0.1:{shop_port}/metrics'} and StatsD to "
                     f"port {statsd_port}",
                     f"the inbox:      Slack on port {inbox.http_port}, mail on port "
                     f"{inbox.smtp_port}; messages appear below",
                     f"A slow database brings four alerts within a minute; all resolve within "
                     f"three. {ends}", "")
            well = watch(term, daemon, shop, done, seconds)
            if well:
                figures(term, daemon)
            return well
        finally:
            shop.terminate()
            shop.wait(10)


def main():
    term, done = Terminal(), threading.Event()
    seconds = env_int("DEMO_SECONDS")
    if not os.access(binary(), os.X_OK):
        sys.exit(f"demo: {binary()} is not there; `make` builds it")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with Inbox(http_port=env_int("DEMO_SLACK_PORT"), smtp_port=env_int("DEMO_SMTP_PORT"),
               on_message=term.message) as inbox:
        well = play(term, inbox, done, seconds)
        table(term, inbox)
        if os.environ.get("DEMO_DIR"):
            keep_mails(inbox, os.environ["DEMO_DIR"])
        if not well:
            return 1
        if seconds < STORY_SECONDS or done.is_set():
            return 0
        absent = missing(inbox)
        if absent:
            term.say("", "demo: these messages did not come:", *("  " + a for a in absent))
            return 1
        term.say("", "Each of the four conditions fired and resolved, by Slack and by mail.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
