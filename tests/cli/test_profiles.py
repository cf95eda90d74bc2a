"""Every command takes its settings from one place: an unknown profile has no fallback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import duckdb
import pytest

from harvest_source.cli.main import main
from tests.support.command import Run

EVERY_PROFILE = frozenset(
    {
        "tables",
        "sandbox",
        "rotate-key",
        "query",
        "list",
        "get",
        "mcp",
        "add",
        "revoke",
        "log",
        "export",
        "app",
        "report",
        "dbt",
        "transform",
    }
)
"""Commands that use no profile, or all, or name one in another way."""

ANSWERS = {"auth status": 3, "auth logout": 0}
"""Exit codes other than 2: nothing is signed in, so signing out succeeds."""


def iter_commands(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """The words of every command below *group*."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from iter_commands(command, *above, name)
        elif name not in EVERY_PROFILE:
            yield (*above, name)


@pytest.mark.parametrize("words", list(iter_commands(main)), ids=" ".join)
def test_no_command_falls_back_to_the_default_profile(
    run: Run, folder: Path, words: tuple[str, ...]
) -> None:
    """The general configuration has a token, but it belongs to the default profile."""
    duckdb.connect(str(folder / "harvest_data.duckdb")).close()
    result = run(*words, "--profile", "nowhere")
    assert result.code == ANSWERS.get(" ".join(words), 2)
    assert "nowhere" in result.out + result.err
