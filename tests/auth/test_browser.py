"""Signing in with a real browser: headless chromium presses the button of the consent page."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvest_source.sandbox import Sandbox
from tests.support.command import build_environment, clean_environment
from tests.support.signing import app_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium here; Debian: apt-get install chromium"
    ),
]

# What BROWSER starts: chromium under its own remote control, and one press on a button.
DRIVER = '''#!{python}
import base64, json, os, re, socket, struct, subprocess, sys, urllib.request

url, seen = sys.argv[1], {seen!r}
profile = {profile!r}
browser = subprocess.Popen(
    [{chromium!r}, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
     "--no-first-run", "--no-proxy-server", "--disable-background-networking",
     "--remote-debugging-port=0", f"--user-data-dir={{profile}}", "about:blank"],
    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
for line in browser.stderr:
    if found := re.search(r"ws://127.0.0.1:(\\d+)", line):
        break
port = int(found.group(1))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
pages = json.load(opener.open(f"http://127.0.0.1:{{port}}/json/list"))
path = next(page for page in pages if page["type"] == "page")["webSocketDebuggerUrl"]
path = path.partition(str(port))[2]
wire = socket.create_connection(("127.0.0.1", port))
key = base64.b64encode(os.urandom(16)).decode()
wire.sendall(f"GET {{path}} HTTP/1.1\\r\\nHost: 127.0.0.1:{{port}}\\r\\nUpgrade: websocket\\r\\n"
             f"Connection: Upgrade\\r\\nSec-WebSocket-Key: {{key}}\\r\\n"
             "Sec-WebSocket-Version: 13\\r\\n\\r\\n".encode())
stream = wire.makefile("rb")
while stream.readline().strip():
    pass
number = 0

def call(method, **params):
    """One command of the DevTools protocol, and its answer."""
    global number
    number += 1
    text = json.dumps({{"id": number, "method": method, "params": params}}).encode()
    head = struct.pack("!BBH", 0x81, 0xFE, len(text)) + b"\\0\\0\\0\\0"
    wire.sendall(head + text)
    while True:
        size = stream.read(2)[1]
        if size == 126:
            (size,) = struct.unpack("!H", stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", stream.read(8))
        answer = json.loads(stream.read(size))
        if answer.get("id") == number:
            return answer.get("result", {{}})

def until(script):
    """Wait in the page until *script* is true there; navigation may cut it short: then again."""
    wait = ("new Promise(done => {{ const look = () => (" + script + ") ? done(true) : "
            "requestAnimationFrame(look); look(); }})")
    while True:
        found = call("Runtime.evaluate", expression=wait, awaitPromise=True, returnByValue=True)
        if found.get("result", {{}}).get("value"):
            return

call("Page.enable")
call("Page.navigate", url=url)
until("document.getElementById({button!r}) !== null")
call("Runtime.evaluate", expression="document.getElementById({button!r}).click()")
until("location.port !== {port!r} && document.readyState === 'complete' && document.body")
page = call("Runtime.evaluate", expression="document.body.innerText", returnByValue=True)
open(seen, "w").write(page["result"]["value"])
call("Browser.close")
browser.wait()
'''


@pytest.fixture
def office() -> Iterator[Sandbox]:
    """A sandbox that shows its consent page."""
    with Sandbox(entries=5, limit=False).start() as server:
        yield server


def run(office: Sandbox, folder: Path, button: str) -> subprocess.CompletedProcess[str]:
    """``auth login`` of somebody whose BROWSER is chromium, and who presses *button*."""
    driver = folder / "browser.py"
    driver.write_text(
        DRIVER.format(
            python=sys.executable,
            chromium=CHROMIUM,
            seen=str(folder / "seen"),
            profile=str(folder / "profile"),
            button=button,
            port=office.id_url.rpartition(":")[2],
        )
    )
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
    environment = {**clean_environment(), **build_environment(folder), **app_settings(office)}
    return subprocess.run(
        [sys.executable, "-m", "harvest_source", "auth", "login", "--json", "--timeout", "60"],
        cwd=folder,
        env=environment | {"BROWSER": str(driver), "HOME": os.fspath(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def wait_for_page(folder: Path) -> str:
    """The last page as the browser showed it."""
    return (folder / "seen").read_text()


def test_signing_in_with_chromium(office: Sandbox, tmp_path: Path) -> None:
    """Consent page, button, redirect, tokens, clear last page; and the login works."""
    done = run(office, tmp_path, "approve")
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert (report["account_id"], report["kind"]) == (office.account_id, "oauth")
    assert "Signed in" in wait_for_page(tmp_path)
    assert "You can close this window" in wait_for_page(tmp_path)
    assert not any(secret in done.stdout + done.stderr for secret in office.secrets)


def test_denying_with_chromium(office: Sandbox, tmp_path: Path) -> None:
    """The other button: exit code 3, and the page says why."""
    done = run(office, tmp_path, "deny")
    assert done.returncode == 3, done
    assert "denied in the browser" in done.stderr + done.stdout
    assert "Not signed in" in wait_for_page(tmp_path)
    assert office.issued == []
