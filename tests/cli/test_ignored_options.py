"""Options that have no effect beside others are refused, as users expect an effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.cli.main import run
from tests.support.command import Run

WITH_FORMAT = ("sync", "check", "verify", "status")

IGNORED = (
    (("list", "clients", "--as", "ada"), "--scope"),
    (("query", "SELECT 1", "--as", "ada"), "--scope"),
    (("get", "clients", "1", "--as", "ada"), "--scope"),
    (("list", "--where", "id=1"), "Name a TABLE"),
    (("list", "--limit", "5"), "Name a TABLE"),
    (("query", "SELECT 1", "--csv", "--json"), "cannot be used together"),
    (("get", "clients", "1", "--csv", "--json"), "cannot be used together"),
    (("mcp", "--tls-cert", "/nope"), "--http"),
    (("mcp", "--url", "x"), "--http"),
    (("mcp", "--http", "127.0.0.1:0", "--scope", "mine"), "mcp token add"),
    (("auth", "login", "--token", "--port", "8000"), "uses no browser"),
    (("auth", "login", "--token", "--no-browser"), "uses no browser"),
    (("auth", "login", "--no-browser", "--timeout", "9"), "--timeout has no effect"),
    (("status", "--sandbox", "--check"), "has no sign-in"),
    (("verify", "--max-deletes", "100%"), "Add --fix"),
    (("sync", "--full-refresh", "--no-deletes"), "Leave one of them out"),
    (("mcp", "--url", "https://a.example/mcp", "token", "add", "ada", "--scope", "x"), "--url has"),
    (("mcp", "--database", "other.duckdb", "token", "list"), "--database has no effect"),
    (("query", "SELECT 1", "--destination", "postgres"), "harvest-source sync --pipeline"),
    (("get", "clients", "1", "--account", "7"), "account_id"),
    (("mcp", "--pipeline", "harvest"), "whichever pipeline"),
    (("list", "--destinaton", "duckdb"), "No such option"),
    (("export", "out", "--table-format", "delta"), "found by itself"),
    (("report", "a.html", "--table-format", "delta"), "DuckDB or PostgreSQL"),
    *(((name, "--table-format", "delta"), "filesystem") for name in WITH_FORMAT),
)


@pytest.mark.parametrize(("arguments", "says"), IGNORED)
def test_an_option_that_would_be_ignored_is_refused(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without its scope, for example, a query for one person would show everyone's rows."""
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    written = capsys.readouterr()
    assert says in written.err + written.out


@pytest.mark.thorough
def test_the_sandbox_keeps_the_table_format_option(
    bare: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option was lost beside the sandbox's own settings, and the message asked for it again."""
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(folder / "bucket"))
    place = ("--destination", "filesystem", "--table-format", "delta")
    result = bare("check", "--sandbox", *place)
    assert "plain files" not in result.out + result.err
