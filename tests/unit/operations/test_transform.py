"""How dbt reaches the destination, with the credentials that dlt has for it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from harvest_source.operations.transform import connect_postgres, profile_folder


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
