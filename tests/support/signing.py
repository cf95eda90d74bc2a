"""People who sign in: an app's settings, a scripted browser, a pasted address."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from harvest_source.sandbox import Sandbox
from tests.sandbox.reader import NO_CERTIFICATES
from tests.support.command import API_URL, ID_URL, Result, start_command

CLIENT_ID = "SOURCES__HARVEST__CREDENTIALS__CLIENT_ID"
CLIENT_SECRET = "SOURCES__HARVEST__CREDENTIALS__CLIENT_SECRET"
REFRESH_TOKEN = "SOURCES__HARVEST__CREDENTIALS__REFRESH_TOKEN"

Say = Callable[..., Result]
"""Runs a command with text on its stdin; the fixture ``say``."""

VISIT = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
page = opener.open(sys.argv[1], timeout=20).read().decode()
open(sys.argv[2], "w").write(page)
"""


def app_settings(server: Sandbox) -> dict[str, str]:
    """The environment of a person with an app who has not signed in yet."""
    return {
        API_URL: server.api_url,
        ID_URL: server.id_url,
        CLIENT_ID: server.app.client_id,
        CLIENT_SECRET: server.app.client_secret,
    }


def browser(folder: Path) -> dict[str, str]:
    """A BROWSER that follows redirects, presses nothing, and keeps the last page."""
    script = folder / "visit.py"
    script.write_text(VISIT)
    return {"BROWSER": f"{sys.executable} {script} %s {folder / 'page.html'}"}


def visit(url: str) -> str:
    """Where a browser ends up that opens *url*, in a sandbox without a consent page."""
    answer = httpx.get(
        url, verify=NO_CERTIFICATES, trust_env=False, headers={"User-Agent": "browser"}
    )
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def paste(
    *arguments: str, folder: Path, settings: Mapping[str, str], change: tuple[str, str] = ("", "")
) -> Result:
    """``auth login --no-browser``: open the address it prints, paste where that led."""
    command = ("auth", "login", "--no-browser", *arguments)
    child = start_command(*command, folder=folder, settings=settings)
    said = ""
    while not (line := child.stderr.readline()).startswith("http"):
        assert line, said
        said += line
    landed = visit(line.strip()).replace(*change) if change[0] else visit(line.strip())
    out, err = child.communicate(f"{landed}\n")
    return Result(child.wait(), out, said + line + err)


def sign_in(server: Sandbox, say: Say, *arguments: str) -> Result:
    """Save an administrator's personal access token."""
    result = say(server.token, "auth", "login", "--token", *arguments)
    assert result.code == 0, result
    return result
