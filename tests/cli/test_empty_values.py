"""Empty values on the command line, as a shell passes for an unset variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.cli.main import run

EMPTY = (
    ("sync", "--exclude", ""),
    ("sync", "--since", ""),
    ("sync", "--database", " "),
    ("sync", "--destination", ""),
    ("sync", "--table", ""),
    ("sync", "--account", ""),
    ("sync", "--publish", ""),
    ("verify", "--exclude", "", "--fix"),
    ("verify", "--html", ""),
    ("export", ""),
    ("status", "--max-age", ""),
    ("transform", "--vars", ""),
    ("dbt", ""),
    ("report", ""),
    ("list", "clients", "--columns", ""),
    ("list", "clients", "--columns", ","),
    ("list", "clients", "--order", " , "),
    ("list", "clients", "--scope", ""),
    ("query", "SELECT 1", "--as", ""),
    ("mcp", "--http", ""),
    ("sandbox", "--host", ""),
    ("auth", "login", "--account", ""),
)


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_an_empty_value_is_refused(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An ignored empty value would make the command load or write more than intended."""
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    assert "empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
