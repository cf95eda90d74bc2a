"""A search: nothing that a run writes anywhere contains a secret."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from harvest_source.sandbox import OAuth, Sandbox
from tests.support import loud
from tests.support.command import TOKEN, Result, run_command
from tests.support.signing import REFRESH_TOKEN, app_settings, browser

TABLES = ("tasks", "clients", "projects", "estimates", "invoices", "time_entries", "roles")
"""The tables that fail below, and one for each way of reading."""
SYNC = ("sync", *(f"--table={table}" for table in TABLES))


@pytest.fixture
def office() -> Iterator[Sandbox]:
    """A sandbox in which refresh tokens rotate."""
    oauth = OAuth(auto="approve", rotate=True)
    with Sandbox(entries=40, limit=False, oauth=oauth).start() as server:
        yield server


def run(folder: Path, settings: dict[str, str], *arguments: str, said: str = "") -> Result:
    given = loud.SETTINGS | settings
    call = "tests.support.loud:main"
    return run_command(*arguments, folder=folder, settings=given, call=call, said=said)


def spoil(office: Sandbox) -> None:
    """Inject faults of every kind."""
    office.clear_faults()
    office.fault("server_error", table="oauth_token", times=1)
    office.fault("half_json", table="tasks", times=1)
    office.fault("unavailable_html", table="clients", times=1)
    office.fault("unauthorized", table="projects")
    office.fault("forbidden", table="estimates")
    office.fault("invalid", table="invoices", message=f"bad token {office.issued[-1].value}")


def texts(path: Path) -> Iterator[bytes]:
    """The content of a file, also unpacked."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)


def dump(database: Path) -> Iterator[str]:
    """Every value of every table, including dlt's own tables and their packed states."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        assert len(names) > 5
        for schema, table in names:
            for row in connection.execute(f'FROM "{schema}"."{table}"').fetchall():
                for value in row:
                    yield str(value)
                    yield from unpacked(value)


def unpacked(value: object) -> Iterator[str]:
    """Unpack dlt's state, which is base64 of zlib."""
    if isinstance(value, str) and len(value) > 100:
        try:
            yield zlib.decompress(base64.b64decode(value, validate=True)).decode()
        except (ValueError, zlib.error):
            return


def forms(secret: str) -> list[bytes]:
    """The forms in which a secret might be written."""
    packed = [base64.b64encode(secret[cut:].encode())[4:-4] for cut in range(3)]
    return [secret.encode(), quote(secret, safe="").encode(), *packed]


def find_secrets(folder: Path, results: Iterable[Result], secrets: Iterable[str]) -> list[str]:
    """The places where a secret shows."""
    places = {f"output {number}": f"{r.out}\n{r.err}".encode() for number, r in enumerate(results)}
    for path in folder.rglob("*"):
        if path.is_file():
            places |= {f"{path} {part}": text for part, text in enumerate(texts(path))}
    places["tables"] = "\n".join(dump(folder / "harvest_data.duckdb")).encode()
    assert any("pipelines" in place for place in places)
    wanted = [(secret, form) for secret in secrets for form in forms(secret)]
    return [
        f"{secret[:12]}... in {place}"
        for place, text in places.items()
        for secret, form in wanted
        if form in text
    ]


@pytest.mark.thorough
def test_no_secret_is_written_anywhere(office: Sandbox, tmp_path: Path) -> None:
    """Sign-in, syncs with faults and a revoked login at debug level: output, files, tables."""
    log = {"SOURCES__HARVEST__ACCESS_LOG": str(tmp_path / "access.log")}
    settings = {**app_settings(office), **log, **browser(tmp_path)}
    results = [run(tmp_path, settings, "auth", "login")]
    assert results[0].code == 0, results[0]
    spoil(office)
    office.expire_access_token(office.issued[-1].value)
    results.append(run(tmp_path, settings, *SYNC))
    assert results[1].code == 3, results[1]
    assert "Traceback" not in results[1].out
    seed = office.issue_tokens()["refresh_token"]
    spoil(office)
    results.append(run(tmp_path, settings | {REFRESH_TOKEN: seed}, *SYNC))
    results.append(run(tmp_path, settings | {TOKEN: office.token}, *SYNC, "--json"))
    results.append(run(tmp_path, settings, "auth", "rotate-key"))
    for item in office.issued:
        office.revoke(item.value)
    results.append(run(tmp_path, settings, *SYNC))
    assert results[-1].code == 3
    assert "Traceback" in results[-1].err
    wrong = "1.pt.this-is-not-a-token"
    results.append(run(tmp_path, settings, "auth", "login", "--token", said=wrong))
    assert results[-1].code == 3
    assert (tmp_path / "access.log").exists()
    key = next(tmp_path.rglob("key")).read_text().strip()
    assert find_secrets(tmp_path, results, [*office.secrets, wrong]) == []
    (tmp_path / "data" / "harvest-source" / "vault" / "key").unlink()
    assert find_secrets(tmp_path, results, [key]) == []


@pytest.mark.thorough
def test_the_search_finds_what_it_looks_for(office: Sandbox, tmp_path: Path) -> None:
    """The search finds known words in every kind of place."""
    result = run(tmp_path, {**app_settings(office), TOKEN: office.token}, *SYNC)
    assert result.code == 0, result
    name = str(office.rows("clients")[0]["name"])
    found = find_secrets(tmp_path, [result], [name, "users/me", "resource_state"])
    assert any("tables" in place for place in found)
    assert any("output 0" in place for place in found)
    assert any("pipelines" in place for place in found)
