"""Commands that are imported only when they are called."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from harvest_source.cli.lazy_commands import LazyCommands
from harvest_source.cli.main import main

assert isinstance(main.commands, LazyCommands)


@pytest.mark.parametrize(("name", "summary"), main.commands.list_summaries())
def test_a_command_summary_is_the_first_line_of_its_help(name: str, summary: str) -> None:
    """``--help`` summarizes each command with the first line of its own help."""
    command = main.commands[name]
    assert isinstance(command, click.Command)
    assert (command.name, command.get_short_help_str(100)) == (name, summary)


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--help"]])
def test_other_commands_are_not_imported(arguments: list[str]) -> None:
    """Neither the list of all commands nor one command imports the others."""
    code = (
        "import sys; from harvest_source.cli.main import run;"
        f"code = run({arguments!r});"
        "print(code, *(n for n in sys.modules if n.endswith('_commands')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["0", "harvest_source.cli.lazy_commands"]
