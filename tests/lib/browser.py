# SPDX-License-Identifier: Apache-2.0
"""Drives headless Chromium over its debugging pipe, with nothing but the standard library.

    with Browser(width=1280, height=900) as page:
        page.open(url)
        page.wait("document.title.startsWith('(')")
        page.screenshot("/tmp/x.png")
        assert page.problems == []

problems collects uncaught exceptions, console errors and Content-Security-Policy violations.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from .net import GUARD_S, wait_until


def chromium():
    """Path of the browser, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page in one fresh profile."""

    def __init__(self, width=1280, height=900, dark=False, scale=1):
        self.problems = []
        self._profile = tempfile.mkdtemp(prefix="belfry-chromium.")
        self._buffer = b""
        self._next = 0
        self._answers = {}
        self._loaded = False
        self._session = None
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        self._process = self._start(to_child, from_child)
        os.close(to_child)
        os.close(from_child)
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        self.resize(width, height, dark, scale)

    def _start(self, to_child, from_child):
        def pipes():
            # the browser wants its commands on 3 and answers on 4
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        return subprocess.Popen(
            [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
             "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe",
             "--no-proxy-server", f"--user-data-dir={self._profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=pipes, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Ends the browser and its helper processes, and removes the profile."""
        if self._process is None:
            return
        os.close(self._write)
        os.close(self._read)
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process = None
        shutil.rmtree(self._profile, ignore_errors=True)

    # -- the wire ------------------------------------------------------------------------

    def _call(self, method, params=None, timeout=GUARD_S):
        self._next += 1
        message = {"id": self._next, "method": method, "params": params or {}}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        deadline = time.monotonic() + timeout
        while self._next not in self._answers:
            self._pump(deadline - time.monotonic())
        answer = self._answers.pop(self._next)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _pump(self, timeout):
        if timeout <= 0 or not select.select([self._read], [], [], timeout)[0]:
            raise TimeoutError("the browser does not answer")
        got = os.read(self._read, 1 << 20)
        if not got:
            raise RuntimeError("the browser ended")
        *whole, self._buffer = (self._buffer + got).split(b"\0")
        for one in whole:
            self._take(json.loads(one))

    def _take(self, message):
        if "id" in message:
            self._answers[message["id"]] = message
            return
        params = message.get("params", {})
        if message.get("method") == "Page.loadEventFired":
            self._loaded = True
        elif message.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details["text"]
            self.problems.append(f"exception: {text}")
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            self.problems.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.problems.append("console: " + " ".join(
                str(a.get("value", a.get("description"))) for a in params["args"]))

    # -- what tests use ------------------------------------------------------------------

    def resize(self, width, height, dark=False, scale=1):
        self._call("Emulation.setDeviceMetricsOverride",
                   {"width": width, "height": height, "deviceScaleFactor": scale,
                    "mobile": width < 600})
        self._call("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def open(self, url):
        self._call("Page.navigate", {"url": url})
        self.wait("document.readyState === 'complete'")

    def script_off(self):
        """No JavaScript from the next page on."""
        self._call("Emulation.setScriptExecutionDisabled", {"value": True})

    def html(self, url):
        """The document of url as the browser has it, also with JavaScript off."""
        self._loaded = False
        self._call("Page.navigate", {"url": url})
        while not self._loaded:
            self._pump(GUARD_S)
        root = self._call("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        return self._call("DOM.getOuterHTML", {"nodeId": root})["outerHTML"]

    def eval(self, code):
        """Value of an expression in the page."""
        got = self._call("Runtime.evaluate",
                         {"expression": code, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in got:
            raise RuntimeError(got["exceptionDetails"].get("exception", {}).get("description"))
        return got["result"].get("value")

    def wait(self, code, timeout=GUARD_S):
        """Waits until an expression in the page is true."""
        return wait_until(lambda: self.eval(f"Boolean({code})"), timeout, code, every=0.05)

    def text(self, selector="body"):
        """The visible text of the first match; an empty string when there is none."""
        return self.eval(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def click(self, selector):
        self.eval(f"document.querySelector({json.dumps(selector)}).click()")

    def type_into(self, selector, text):
        """Sets a field's value and submits its form."""
        self.eval(f"(() => {{ const f = document.querySelector({json.dumps(selector)}); "
                  f"f.value = {json.dumps(text)}; f.form.requestSubmit(); }})()")

    def screenshot(self, path, full=True):
        got = self._call("Page.captureScreenshot",
                         {"format": "png", "captureBeyondViewport": full})
        with open(path, "wb") as out:
            out.write(base64.b64decode(got["data"]))
