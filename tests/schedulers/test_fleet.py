"""Fifty accounts on Dagster, three of them in trouble: none holds up the others."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from harvest_source.sandbox import Request, Sandbox
from harvest_source.sandbox.settings import Person
from tests.schedulers.site import FILES
from tests.support.command import clean_environment

pytestmark = pytest.mark.schedulers

ACCOUNTS = tuple(range(1000001, 1000051))
SLOW, FAILING, REVOKED = ACCOUNTS[:3]
WORKERS = 4
WAIT_S = 15.0
"""The longest wait for each answer to the slow account."""


def start_fleet(server: Sandbox, folder: Path, dagster: Path) -> subprocess.Popen[str]:
    """Start Dagster's workers, with each account's token in the environment."""
    tokens = {f"HARVEST_TOKEN_{each}": f"{each}.pt.fleet" for each in ACCOUNTS}
    settings = {
        "SOURCES__HARVEST__API_URL": server.api_url,
        "SOURCES__HARVEST__ID_URL": server.id_url,
        "HARVEST_HOME": str(folder),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "DAGSTER_HOME": str(folder),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "NO_PROXY": "127.0.0.1",
    }
    script = Path(__file__).with_name("fleet_worker.py")
    arguments = [FILES / "dagster_fleet.py", WORKERS, *ACCOUNTS]
    with (folder / "dagster.log").open("w") as log:
        return subprocess.Popen(
            [dagster, script, *map(str, arguments)],
            cwd=folder,
            env={**clean_environment(), **settings, **tokens, "HOME": str(folder)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def test_fifty_accounts(tmp_path: Path, dagster: Path) -> None:
    """One fails, one is slow, one is revoked: the other 47 are loaded, each into its own file."""
    people = tuple(Person(f"{each}.pt.fleet", accounts=(each,)) for each in ACCOUNTS)
    released = threading.Event()

    def hold(request: Request) -> None:
        if request.account_id == SLOW:
            released.wait(WAIT_S)

    with Sandbox(accounts=ACCOUNTS, people=people, entries=40).start() as server:
        server.before_request(hold)
        server.fault("missing_key", table="projects", account_id=FAILING)
        server.revoke(f"{REVOKED}.pt.fleet")
        began = time.monotonic()
        ended = {}
        with start_fleet(server, tmp_path, dagster) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                if line.startswith("ENDED "):
                    found = json.loads(line.removeprefix("ENDED "))
                    ended[int(found["account"])] = found
                    if len(ended) == len(ACCOUNTS) - 1:
                        released.set()
            seconds = time.monotonic() - began
            assert worker.wait() == 0, (tmp_path / "dagster.log").read_text()[-3000:]
        requests = sum(server.stats()["requests"].values())
        refused = sum(each.status == 429 for each in server.requests)
    statuses = {account: found["status"] for account, found in ended.items()}
    usual = sorted(ended[each]["seconds"] for each in ACCOUNTS[3:])
    print(
        f"\n{len(ended)} accounts, {WORKERS} workers, {os.cpu_count()} cores: {seconds:.0f} s, "
        f"{requests} requests, {refused} of them refused for the limit; "
        f"an account takes {usual[0]} to {usual[-1]} s, median {usual[len(usual) // 2]} s; "
        f"slow {ended[SLOW]['seconds']} s, failing {ended[FAILING]['seconds']} s, revoked "
        f"{ended[REVOKED]['seconds']} s; {dict(Counter(statuses.values()))}"
    )
    assert {each for each, status in statuses.items() if status == "FAILURE"} == {FAILING, REVOKED}
    before_slow = list(ended).index(SLOW)
    print(f"{before_slow} accounts ended before the slow one, which began first")
    assert before_slow > 2 * WORKERS
    for account in ACCOUNTS:
        if account != REVOKED:
            check_loaded(tmp_path, account, server)


def check_loaded(folder: Path, account: int, server: Sandbox) -> None:
    """Check that the account's file has its rows, and no other account's."""
    file = folder / f"account_{account}.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        query = "SELECT account_id, COUNT(*) FROM harvest.time_entries GROUP BY ALL"
        assert connection.execute(query).fetchall() == [(account, 40)]
