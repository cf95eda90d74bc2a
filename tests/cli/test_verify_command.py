"""``harvest-source verify``, and what a sync reports of its audit."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.support.command import Run


def remove_a_client(folder: Path) -> None:
    with duckdb.connect(str(folder / "harvest_data.duckdb")) as connection:
        connection.execute("USE harvest")
        connection.execute("DELETE FROM clients WHERE id = (SELECT MIN(id) FROM clients)")


@pytest.mark.thorough
def test_verify_shows_what_differs_and_mends_it(run: Run, folder: Path) -> None:
    """``verify`` exits with 5 and lists each difference; ``--fix`` mends them and exits with 0."""
    assert run("sync", "--quiet", "--table", "clients").code == 0
    assert run("verify").code == 0
    remove_a_client(folder)
    result = run("verify", "--html", "sheet.html")
    assert result.code == 5
    assert "2 of 3 figures differ" in (folder / "sheet.html").read_text()
    assert "clients" in result.out
    assert "differs: 2 of the 3 figures differ: account 1000001, as of " in result.out
    assert "harvest-source verify --fix" in result.err
    report = run("verify", "--json").json
    (finding,) = [each for each in report["findings"] if each["check"] == "rows"]
    assert (report["status"], finding["state"]) == ("error", "differs")
    assert int(finding["there"]) - int(finding["here"]) == 1
    mended = run("verify", "--fix", "--json")
    assert (mended.code, mended.json["mended"]) == (0, True)
    assert run("verify", "--quiet").err == ""


def test_verify_without_a_warehouse(run: Run, folder: Path) -> None:
    """A missing warehouse is the caller's mistake, and no file is created."""
    result = run("verify")
    assert result.code == 2
    assert "no warehouse harvest_data.duckdb" in " ".join(result.err.split())
    assert list(folder.iterdir()) == []


def test_an_unwritable_report_file_is_refused_before_the_comparison(run: Run, folder: Path) -> None:
    """Comparing takes minutes, so a mistyped folder is refused first."""
    result = run("verify", "--html", "none/sheet.html")
    assert (result.code, list(folder.iterdir())) == (2, [])
    assert "There is no folder" in result.err


@pytest.mark.thorough
def test_a_sync_tells_what_its_audit_found(run: Run, folder: Path) -> None:
    """A sync asked to look for deleted rows also finds one that the warehouse lacks."""
    assert run("sync", "--quiet", "--table", "clients").code == 0
    remove_a_client(folder)
    result = run("sync", "--table", "clients", "--deletes")
    assert result.code == 0
    assert "lacked 1 row that" in result.err
    assert "audit: 1 tables compared with Harvest, 0 rows deleted, 1 found missing" in result.err


@pytest.mark.thorough
@pytest.mark.parametrize("command", ["sync", "check", "verify"])
def test_every_command_uses_the_named_profile(run: Run, command: str) -> None:
    """A profile without a sign-in is refused, though the general configuration has a token."""
    assert run("sync", "--quiet", "--table", "clients").code == 0
    result = run(command, "--profile", "nowhere")
    assert result.code == 2
    assert "harvest-source auth login --profile nowhere" in result.err
