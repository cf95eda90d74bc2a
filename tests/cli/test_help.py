"""What the command says about itself, and how quickly."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from harvest_source._version import __version__
from harvest_source.cli import main as cli
from tests.support.command import Run

EVERYWHERE = {"--json", "--quiet", "--debug", "--profile"}
WAREHOUSE = {"--destination", "--database", "--dataset", "--pipeline", "--account"}
OPTIONS = {
    "sync": {"--sandbox", "--table", "--since", "--full-refresh", "--max-deletes", "--exclude"}
    | WAREHOUSE,
    "check": WAREHOUSE,
    "tables": set(),
    "sandbox": {"--port", "--entries", "--seed"},
}


def find_word(parameter: click.Parameter) -> str:
    """How the help shows an option or an argument."""
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[-1] if is_option else parameter.make_metavar(click.Context(cli.main))


@pytest.mark.parametrize("command", OPTIONS)
def test_every_promised_option_is_there(command: str) -> None:
    """Each command takes the options that the contract promises, and the common ones."""
    found = {word for option in cli.main.commands[command].params for word in option.opts}
    assert OPTIONS[command] | EVERYWHERE <= found


@pytest.mark.parametrize("command", sorted(cli.main.commands))
def test_every_option_is_explained(bare: Run, command: str) -> None:
    """``--help`` shows each option of a command, with a sentence about what it does."""
    result = bare(command, "--help")
    assert result.code == 0
    for parameter in cli.main.commands[command].params:
        assert find_word(parameter) in result.out
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_help_lists_every_command(bare: Run) -> None:
    """``harvest-source --help`` names each command with its purpose."""
    result = bare("--help")
    assert result.code == 0
    assert all(f"\n  {name} " in result.out for name in cli.main.commands)
    assert "..." not in result.out.split("Commands:")[1]


def test_the_version_is_printed(bare: Run) -> None:
    """``--version`` prints the package's version."""
    assert bare("--version").out == f"harvest-source, version {__version__}\n"


WITHOUT_DLT = """
import sys

def loaded():
    return sorted({"dlt", "duckdb"} & sys.modules.keys())

import harvest_source
print(loaded())
from harvest_source.cli.main import run
for command in (["--help"], ["sync", "--help"], ["tables"]):
    run(command)
    print(loaded())
"""


def test_dlt_is_not_loaded_where_it_is_not_needed() -> None:
    """``import harvest_source``, help and ``tables`` do not load dlt."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_DLT], capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 0)
    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == ["[]"] * 4
