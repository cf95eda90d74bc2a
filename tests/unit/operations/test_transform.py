"""How dbt reaches the destination, and what a build says about the rows that it read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.load.state import change_account
from harvest_source.operations.transform import (
    connect_postgres,
    describe_unread_payments,
    profile_folder,
)
from harvest_source.warehouse.target import Target

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_certificates_of_postgresql_are_passed_on() -> None:
    """A server that asks for a certificate, or has one of a company's own, accepts dbt as well."""
    options = {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "sslcert": "/etc/me.pem",
        "sslkey": "/etc/me.key",
    }
    address = "postgresql://me:p%40w@db.example.com:6432/warehouse?application_name=x&"
    connection = connect_postgres(
        PostgresCredentials(address + "&".join("=".join(each) for each in options.items()))
    )
    assert connection.password == "p@w"
    assert (
        connection.output.items()
        >= {
            **options,
            "host": "db.example.com",
            "port": 6432,
            "user": "me",
            "dbname": "warehouse",
        }.items()
    )
    assert "application_name" not in connection.output


KILLED = """
import os, signal, sys
from pathlib import Path
from harvest_source.operations.transform import profile_folder

with profile_folder(Path(sys.argv[1])) as folder:
    (folder / "profiles.yml").write_text("host: db.example.com")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_profile_that_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """It is private, in no folder for temporary files, and never used for another build."""
    kept, temporary = tmp_path / "dbt", tmp_path / "tmp"
    temporary.mkdir()
    (kept / "target").mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-c", KILLED, str(kept)],
        env={**os.environ, "TMPDIR": str(temporary)},
        check=False,
    )
    assert list(temporary.iterdir()) == []
    assert list(kept.glob("*/profiles.yml"))
    with profile_folder(kept) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert list(folder.iterdir()) == []
    assert list(kept.iterdir()) == [kept / "target"]


@pytest.mark.parametrize(
    ("accounts", "is_first", "said"),
    [([], True, True), ([1], True, True), ([2], True, False), ([], False, False)],
    ids=["all accounts", "this account", "another account", "a later sweep"],
)
def test_invoices_whose_payments_are_not_read_yet_are_counted(
    accounts: list[int], is_first: bool, said: bool
) -> None:
    """In the week after a first sync, models of payments lack some; later all were read once."""
    sweep = ParentSweep(is_first=is_first).advance(range(200, 140, -1), range(1, 201), NOW)
    state: dict[str, Any] = {}
    change_account(state, "invoice_payments", 1)[SWEEP_KEY] = sweep.dump()
    change_account(state, "invoice_payments", 2)[SWEEP_KEY] = ParentSweep.whole(9, NOW).dump()
    found = describe_unread_payments(state, accounts, Target(pipeline="other"))
    assert len(found) == said
    assert all("of 140 of 200 invoices of account 1 are" in each for each in found)
    assert all(each.endswith("sync --all-children --pipeline other") for each in found)
