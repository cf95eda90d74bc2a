"""Signing in with a real browser: headless chromium clicks a button of the consent page."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvest_source.sandbox import Sandbox
from tests.support.chromium import CHROMIUM
from tests.support.command import build_environment, clean_environment
from tests.support.signing import app_settings

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium here; Debian: apt-get install chromium"
    ),
]

# The program in BROWSER: chromium under our remote control, and one click on a button.
DRIVER = """#!{python}
import sys
from pathlib import Path

sys.path.insert(0, {root!r})
from tests.support.chromium import open_page

with open_page(Path({profile!r})) as page:
    page.go(sys.argv[1])
    page.until("document.getElementById({button!r}) !== null")
    page.evaluate("document.getElementById({button!r}).click()")
    page.until("location.port !== {port!r} && document.readyState === 'complete' && document.body")
    Path({seen!r}).write_text(page.evaluate("document.body.innerText"))
"""


@pytest.fixture
def office() -> Iterator[Sandbox]:
    """A sandbox that shows its consent page."""
    with Sandbox(entries=5, limit=False).start() as server:
        yield server


def run(office: Sandbox, folder: Path, button: str) -> subprocess.CompletedProcess[str]:
    """``auth login`` of a person whose BROWSER is chromium, and who clicks *button*."""
    driver = folder / "browser.py"
    driver.write_text(
        DRIVER.format(
            python=sys.executable,
            root=str(ROOT),
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
    """Consent page, button, redirect, tokens and a clear last page; then the login works."""
    done = run(office, tmp_path, "approve")
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert (report["account_id"], report["kind"]) == (office.account_id, "oauth")
    assert "Signed in" in wait_for_page(tmp_path)
    assert "You can close this window" in wait_for_page(tmp_path)
    assert not any(secret in done.stdout + done.stderr for secret in office.secrets)


def test_denying_with_chromium(office: Sandbox, tmp_path: Path) -> None:
    """The other button gives exit code 3, and the page says why."""
    done = run(office, tmp_path, "deny")
    assert done.returncode == 3, done
    assert "denied in the browser" in done.stderr + done.stdout
    assert "Not signed in" in wait_for_page(tmp_path)
    assert office.issued == []
