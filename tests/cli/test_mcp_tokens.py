"""``mcp token``: tokens for callers over HTTP, as far as it works without the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.command import Run, run_shell
from tests.support.dlt_project import enter_project

ADD = ("mcp", "token", "add")
SCOPE = """
[sources.harvest.scopes.mine]
tables = ["users"]

[sources.harvest.scopes.own]
rows = "own"
columns = ["users.*"]
"""

MISTAKES = (
    (("ada", "--url", "nope"), "--url is the address"),
    (("ada", "--url", "https://harvest.example.com"), "/mcp"),
    (("ada", "--days", "99999999999"), "--days"),
    (("a b",), "NAME cannot be 'a b'"),
    (("ada", "--profile", "adda"), "harvest-source auth login --profile adda"),
    (("ada", "--scope", "own"), "harvest-source auth login"),
)


def write_scope(folder: Path) -> None:
    (folder / ".dlt").mkdir(exist_ok=True)
    (folder / ".dlt" / "config.toml").write_text(SCOPE)


@pytest.fixture
def scoped(bare: Run, folder: Path) -> Iterator[Run]:
    """Run the command in a folder with a scope."""
    write_scope(folder)
    with enter_project(folder):
        yield bare


@pytest.mark.parametrize(("arguments", "says"), MISTAKES)
def test_a_token_that_could_not_work_is_not_made(
    scoped: Run, arguments: Sequence[str], says: str
) -> None:
    """The server compares the address exactly, and would refuse the caller."""
    refused = scoped(*ADD, "--scope", "mine", *arguments)
    assert refused.code == 2
    assert says in refused.err
    assert "bug" not in refused.err
    assert scoped("mcp", "token", "list", "--json").json["tokens"] == []


@pytest.mark.thorough
def test_a_token_that_could_not_be_printed_is_not_kept(tmp_path: Path) -> None:
    """A token is shown once; one that no person saw would only leave its name taken."""
    write_scope(tmp_path)
    add = "harvest mcp token add ada --scope mine"
    done = run_shell(tmp_path, f"{add} > /dev/full; {add}")
    assert "could not be printed" in done.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("hsa_") == 1


@pytest.mark.parametrize("port", ["²", "0", "x", pytest.param("9" * 5000, id="long")])
def test_an_invalid_port_is_refused(scoped: Run, port: str) -> None:
    """Python calls a superscript two a digit, and cannot parse it or 5,000 digits as a number."""
    assert scoped(*ADD, "ada", "--scope", "mine").code == 0
    refused = scoped("mcp", "--http", f"127.0.0.1:{port}")
    assert refused.code == 2
    assert "--http has to be HOST:PORT" in refused.err
