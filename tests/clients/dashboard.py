"""
dlt's dashboard on a warehouse that ``sync`` has filled: ``python -m tests.clients.dashboard``.

Runs as if on another machine, without dlt's working folder: ``harvest_source.attach()`` creates it,
and a headless Chromium opens ``dlt pipeline harvest show``. Prints what the page shows; exits with
1 unless it shows the rows. Makes an environment, which needs a package index.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harvest_source.sandbox import Sandbox
from tests.clients.warehouses import QUIET, SYNC, write_settings
from tests.support.children import REPOSITORY
from tests.support.environments import make_environment

PACKAGES = ("marimo", "ibis-framework[duckdb]", "pandas", "duckdb<2", "playwright")
ATTACH = (
    "import sys, harvest_source; print(harvest_source.attach(database=sys.argv[1]).dataset_name)"
)
SHOW = """
# ``dlt pipeline harvest show`` runs this command, but opens a browser of its own.
import json, subprocess, sys, time, urllib.request
from dlt._workspace.helpers.dashboard.runner import run_dashboard_command
from playwright.sync_api import sync_playwright

PORT = 27181
command = run_dashboard_command("harvest", port=PORT, headless=True)
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
address = f"http://localhost:{PORT}/?pipeline=harvest"
try:
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            assert server.poll() is None, "the dashboard has ended"
            time.sleep(0.5)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 2400})
        page.set_default_timeout(300_000)
        page.goto(address)
        for button, awaited in zip(("Load row counts", "Run Query"), sys.argv[3:], strict=True):
            page.get_by_role("button", name=button).click()
            page.locator("marimo-table td").get_by_text(awaited, exact=True).first.wait_for()
        page.screenshot(path=sys.argv[2])
        print(json.dumps(page.locator("marimo-table td").all_inner_texts()))
finally:
    server.terminate()
    server.wait()
"""


def main() -> int:
    """Make the warehouse, open the page, and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Keep the environment and the screenshot.")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        python = folder / "environment" / "bin" / "python"
        if not python.exists():
            make_environment(folder / "environment", str(REPOSITORY), *PACKAGES)
        file, other = Path(scratch) / "harvest_data.duckdb", Path(scratch) / "other"
        other.mkdir()
        base = {"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": scratch, **QUIET}
        here = base | {"DLT_DATA_DIR": f"{scratch}/here"}
        there = base | {"DLT_DATA_DIR": f"{scratch}/there"}
        with Sandbox(entries=400, limit=False).start() as server:
            given = write_settings(server, ("time_entries", "clients")) | {"database": str(file)}
            entries, account = f"{server.count('time_entries'):,}", f"{server.account_id:,}"
            run(python, here, Path(scratch), SYNC, json.dumps(given))
        run(python, there, other, ATTACH, str(file))
        picture = str(folder / "dashboard.png")
        shown = run(python, there, other, SHOW, options.chromium, picture, entries, account)
        created = sorted(path.name for path in other.rglob("*.duckdb"))
    cells = [cell for cell in json.loads(shown.splitlines()[-1]) if cell]
    print(" | ".join(cells[:60]))
    print(f"{entries} entries in Harvest; files made beside the warehouse: {created or 'none'}")
    return 0 if entries in cells and account in cells and not created else 1


def run(python: Path, environment: dict[str, str], folder: Path, code: str, *given: str) -> str:
    """Run a script in the environment; return its output."""
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", code, *given],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
