"""The commands that messages name as the next step act on the warehouse that they are about."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import duckdb
import pytest

from harvest_source.api.rate_limit import build_unlimited_limiter
from harvest_source.cli import main as cli
from harvest_source.operations import compare_tables
from tests.support.command import ACCOUNT, TOKEN, Result, Run, Start

PROFILE = "SOURCES__HARVEST__PROFILES__WORK__"


def find_commands(text: str) -> list[list[str]]:
    """The arguments of each command at the end of a line of *text*, or in parentheses."""
    found = re.findall(r"harvest-source ((?:sync|verify|transform)\b.*?)(?=\)?\"?,?$)", text, re.M)
    return [shlex.split(each) for each in found]


class Books:
    """A warehouse of which nothing has its default name, filled by a person with a profile."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.capsys = capsys
        self.names = ("--database", str(path), "--dataset", "books", "--pipeline", "acme")

    def run(self, *arguments: str) -> Result:
        """Run a command that does not wait for Harvest's limit: it asks for many lists."""
        self.capsys.readouterr()
        code = cli.run(arguments, build_unlimited_limiter)
        captured = self.capsys.readouterr()
        return Result(code, captured.out, captured.err)

    def __call__(self, *arguments: str) -> Result:
        return self.run(*arguments, *self.names, "--profile", "work")

    def take(self, text: str, *begin: str) -> Result:
        """Run the only command of *text* that begins with *begin*, exactly as it was printed."""
        (command,) = {
            tuple(each) for each in find_commands(text) if tuple(each[: len(begin)]) == begin
        }
        return self.run(*command)

    def fetch(self, query: str) -> int:
        with duckdb.connect(str(self.path)) as connection:
            return int(connection.execute(f"USE books; {query}").fetchall()[0][0])


@pytest.fixture
def books(
    folder: Path,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Books:
    """A warehouse in another folder; only the profile's token is accepted."""
    server = start(entries=40, invoices=60)
    monkeypatch.setenv(TOKEN, "1.pt.other")
    monkeypatch.delenv(ACCOUNT)
    monkeypatch.setenv(f"{PROFILE}CREDENTIALS__ACCESS_TOKEN", server.token)
    monkeypatch.setenv(f"{PROFILE}ACCOUNT_ID", str(server.account_id))
    elsewhere = folder.parent / "our books"
    elsewhere.mkdir()
    return Books(elsewhere / "acme.duckdb", capsys)


@pytest.mark.thorough
def test_next_commands_act_on_the_warehouse_they_are_about(books: Books, folder: Path) -> None:
    """The file, dataset, pipeline and profile are in each, and no other file appears."""
    missing = books("verify")
    assert (missing.code, books.path.exists()) == (2, False)
    first = books.take(missing.err, "sync")
    assert (first.code, books.path.exists()) == (0, True)
    later = books.take(first.err, "sync", "--all-children")
    assert (later.code, "To read all now" in later.err) == (0, False)
    assert books.fetch("SELECT COUNT(*) FROM sync_runs") == 2
    assert books.take(books("status").err, "verify").code == 0
    assert books.fetch("SELECT COUNT(*) FROM verify_runs") == 1
    clients = books.fetch("SELECT COUNT(*) FROM clients")
    books.fetch("DELETE FROM clients WHERE id = (SELECT MIN(id) FROM clients) RETURNING 1")
    differs = books("verify")
    assert differs.code == 5
    assert books.take(differs.err, "verify", "--fix").code == 0
    assert books.fetch("SELECT COUNT(*) FROM clients") == clients
    assert list(folder.glob("*.duckdb")) == []


@pytest.mark.thorough
def test_a_difference_that_is_undecided_names_a_command_for_its_warehouse(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The excuse is a constant that comparisons are recognised by; the options come when shown."""
    monkeypatch.setattr(compare_tables, "LISTS", 60)  # All of them: each day others would be first.
    assert books("sync").code == 0
    found = books("verify", "--json")
    details = {each["detail"] for each in found.json["findings"]}
    (detail,) = (each for each in details if each.startswith("not read yet"))
    assert "{" not in detail
    assert books.take(detail, "sync", "--all-children").code == 0
    again = books("verify", "--json").json["findings"]
    assert not [each for each in again if each["detail"].startswith("not read yet")]


def test_a_profile_is_told_to_set_its_account_where_it_is_read(
    bare: Run, folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account of the general section belongs to the default profile."""
    server = start(accounts=(1, 2), entries=5)
    assert folder.is_dir()
    monkeypatch.setenv(f"{PROFILE}CREDENTIALS__ACCESS_TOKEN", server.token)
    said = bare("sync", "--table", "clients", "--profile", "work")
    assert (said.code, "none was chosen: 1 Sandbox" in said.err) == (2, True)
    assert "account_id under [sources.harvest.profiles.work] in" in " ".join(said.err.split())
    monkeypatch.setenv(f"{PROFILE}ACCOUNT_ID", "two")
    said = bare("sync", "--table", "clients", "--profile", "work")
    assert "account_id under [sources.harvest.profiles.work] in" in " ".join(said.err.split())
    monkeypatch.setenv(f"{PROFILE}ACCOUNT_ID", "2")
    assert bare("sync", "--table", "clients", "--profile", "work").code == 0
