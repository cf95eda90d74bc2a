"""A headless chromium by its debugging protocol: pages as users see them, and what they fetch."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Chromium asks its maker about the fields of a page, as if the page had asked.
    "--disable-features=AutofillServerCommunication",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


_ALL = (
    "var all = (wanted, root = document) => [...root.querySelectorAll('*')].flatMap(e => ["
    "...(e.matches(wanted) ? [e] : []), ...(e.shadowRoot ? all(wanted, e.shadowRoot) : [])]);"
)
"""JavaScript: every matching element, also in shadow roots."""

LONGEST_WAIT_MS: Final = 120_000
"""How long a page may take to show what a test waits for."""


class Page:
    """
    One tab.

    Args:
        address: Its WebSocket.
    """

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        assert place.hostname
        assert place.port
        self._wire = socket.create_connection((place.hostname, place.port))
        key = base64.b64encode(os.urandom(16)).decode()
        self._wire.sendall(
            f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._wire.makefile("rb")
        while self._stream.readline().strip():
            pass
        self._number = 0
        self.events: list[dict[str, Any]] = []
        """The page's events, in order."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its answer."""
        answer = self._send(method, **params)
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        text = json.dumps({"id": self._number, "method": method, "params": params}).encode()
        size = len(text)
        length = (
            struct.pack("!BH", 0xFE, size) if size < 1 << 16 else struct.pack("!BQ", 0xFF, size)
        )
        self._wire.sendall(b"\x81" + length + b"\0\0\0\0" + text)  # Masked with zeros.
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                return answer
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        size = self._stream.read(2)[1]
        if size == 126:
            (size,) = struct.unpack("!H", self._stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._stream.read(8))
        return dict(json.loads(self._stream.read(size)))

    def go(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, or of its promise."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """
        Wait in the page until *condition* is true; start again if a navigation interrupts it.

        A ``TypeError`` counts as false: an element is not there yet.

        Raises:
            AssertionError: It did not become true: the message has the page's text. Or it cannot
                be evaluated: the message is the browser's.
        """
        wait = (
            f"new Promise((done, fail) => {{ const end = Date.now() + {LONGEST_WAIT_MS}; "
            f"const look = () => {{ let thrown = ''; try {{ if ({condition}) return done(null) }} "
            "catch (error) { if (!(error instanceof TypeError)) return fail(error); "
            "thrown = String(error) } "
            "Date.now() > end ? done(thrown) : requestAnimationFrame(look) }; look() })"
        )
        answer: dict[str, Any] = {"error": "not asked yet"}
        while "error" in answer:  # A navigation ended the page that was asked.
            answer = self._send(
                "Runtime.evaluate", expression=wait, awaitPromise=True, returnByValue=True
            )
        found = answer["result"]
        if "exceptionDetails" in found:
            said = found["result"].get("description") or found["exceptionDetails"]
            raise AssertionError(f"cannot be evaluated: {condition}\n{said}")
        if (thrown := found["result"].get("value")) is not None:
            text = self.evaluate("document.body.innerText")
            raise AssertionError(
                f"not true in {LONGEST_WAIT_MS} ms: {condition}\n{thrown}\n{text[:2000]}"
            )

    def click(self, element: str) -> None:
        """
        Press the left button on an element.

        Args:
            element: JavaScript that finds it; ``all(...)`` also looks into shadow roots.
        """
        self.evaluate(_ALL)
        self.until(f"({element}) != null")
        found = self.evaluate(
            f"{{ const e = {element}; e.scrollIntoView({{block: 'center'}}); "
            "const r = e.getBoundingClientRect(); [r.x + r.width / 2, r.y + r.height / 2] }"
        )
        for kind in ("mousePressed", "mouseReleased"):
            place = {"x": found[0], "y": found[1], "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, **place)

    def press(self, *keys: str) -> None:
        """Type one key after another."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def show(self, width: int, *, height: int = 900, dark: bool = False) -> None:
        """Set a screen of this size, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def print(self, path: Path) -> None:
        """Print the page as PDF, in its own paper size."""
        found = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def complaints(self) -> list[str]:
        """The errors in the browser's console."""
        self.evaluate("1")  # Earlier messages have arrived by then.
        found = []
        for each in self.events:
            if each["method"] == "Log.entryAdded" and each["params"]["entry"]["level"] == "error":
                found.append(str(each["params"]["entry"]))
            if each["method"] == "Runtime.exceptionThrown":
                found.append(str(each["params"]["exceptionDetails"]))
        return found

    def close(self) -> None:
        """End the browser."""
        self.call("Browser.close")
        self._stream.close()
        self._wire.close()


@contextmanager
def open_page(profile: Path) -> Iterator[Page]:
    """
    A tab of a new browser.

    Args:
        profile: Folder for the browser's own data. :func:`list_requests` reads it afterwards.
    """
    assert CHROMIUM is not None
    profile.mkdir(parents=True, exist_ok=True)
    folders = [f"--user-data-dir={profile}", f"--log-net-log={profile / 'net.json'}"]
    browser = subprocess.Popen(
        [CHROMIUM, *_FLAGS, *folders, "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert browser.stderr is not None
        port = next(
            int(found[1])
            for line in browser.stderr
            if (found := re.search(r"ws://127.0.0.1:(\d+)", line))
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs = json.load(answer)
        page = Page(next(each for each in tabs if each["type"] == "page")["webSocketDebuggerUrl"])
        yield page
        page.close()
        browser.wait(30)
    finally:
        browser.kill()
        browser.wait()
        if browser.stderr is not None:
            browser.stderr.close()


def list_foreign(profile: Path) -> set[str]:
    """
    Hosts and addresses of other machines that pages requested, by the browser's network log.

    Workers, frames, sockets and names that were only looked up count too. The browser's own
    requests, such as for updates, do not count.

    Args:
        profile: Folder of a browser that has ended.
    """
    log = json.loads((profile / "net.json").read_text())
    kinds = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    found = set()
    for event in log["events"]:
        given = event.get("params") or {}
        kind = kinds.get(event["type"], "")
        if kind == "URL_REQUEST_START_JOB" and given.get("initiator") not in _BROWSER:
            found.add(str(given["url"]))
        if kind == "HOST_RESOLVER_MANAGER_REQUEST" and _OURS.search(
            str(given.get("network_anonymization_key"))
        ):
            found.add(str(given["host"]))
    return {each for each in found if not _LOCAL.match(each)}


_BROWSER = (None, "not an origin")
"""Initiators that belong to no page: the browser itself, or a person who types an address."""

_OURS = re.compile(r"file://|127\.0\.0\.1|localhost")
"""Part of the key by which the browser separates our pages' connections from others."""

_LOCAL = re.compile(
    r"(?:https?|wss?)://(?:127\.0\.0\.1|localhost)(?:[:/]|$)|file:|data:|blob:|about:"
)
