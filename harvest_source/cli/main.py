"""
The command line: the list of commands, and the exit code of the process.

People read stderr and a table on stdout; ``--json`` prints one object on stdout. dlt is imported
only when a command needs it, so that ``--help`` and ``tables`` stay quick.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from harvest_source._version import __version__
from harvest_source.api.rate_limit import LimiterMaker, build_general_limiter
from harvest_source.cli.console import print_json
from harvest_source.cli.json_log import JsonLog, wants_json_log
from harvest_source.cli.lazy_commands import LazyCommand, LazyCommands, LazyGroup
from harvest_source.cli.options import Context, common_options
from harvest_source.cli.streams import OutputError, discard_stdout
from harvest_source.errors import (
    HarvestError,
    ResourceError,
    describe_os_error,
    error_dict,
    find_cause,
    printable,
)
from harvest_source.exit_codes import ExitCode
from harvest_source.process_limits import explain_lack
from harvest_source.termination import Terminated

EMPTY_REPORT: Final[Mapping[str, Any]] = {
    "status": "error",
    "account_ids": [],
    "seconds": 0,
    "requests": 0,
    "tables": {},
    "skipped": [],
    "errors": [],
    "warnings": [],
}
"""The ``--json`` object of a command that ended before it had a report."""

_KEPT: Final = "What was loaded stays; the same command goes on from here."
_INTERRUPTED_MESSAGE: Final = f"Interrupted. {_KEPT}"
_TERMINATED_MESSAGE: Final = f"Ended by SIGTERM. {_KEPT}"
_INTERRUPTS: Final[Mapping[int, type[KeyboardInterrupt]]] = {
    ExitCode.INTERRUPTED: KeyboardInterrupt,
    ExitCode.TERMINATED: Terminated,
}


_MODULES: Final[Mapping[str, Mapping[str, str]]] = {
    "commands": {
        "check": "Show what a sync would meet, without writing anything.",
        "sandbox": "Serve a simulated Harvest account until interrupted.",
        "status": "Show the last runs and the age of each table.",
        "sync": "Read what changed and merge it into the warehouse.",
        "tables": "List every table: key, cursor, columns with types.",
        "verify": "Compare the warehouse with Harvest's own totals.",
    },
    "export_command": {"export": "Write tables into files of DIR, one for each table."},
    "ask_commands": {
        "query": "Run one query on the warehouse.",
        "list": "List records of a table, or the tables.",
        "get": "Show the record of a table that has this id.",
    },
    "mcp_commands": {"mcp": "Serve the warehouse to agents, read-only."},
    "ask_log_command": {"ask": "What callers asked."},
    "model_commands": {
        "transform": "Build the dbt models in the warehouse that sync filled.",
        "dbt": "Copy the dbt package to PATH, or print where it is.",
    },
    "page_commands": {
        "app": "Serve the report as a page with controls, until interrupted.",
        "report": "Write the report of the models as one HTML file.",
    },
    "auth_commands": {"auth": "Sign in to Harvest and keep the sign-in, encrypted."},
}
"""Each command and the first sentence of its help, by the module of this package it lives in."""

_COMMANDS: Final = {
    name: LazyCommand(f"harvest_source.cli.{module}", "list_" if name == "list" else name, summary)
    for module, commands in _MODULES.items()
    for name, summary in commands.items()
}


@click.group(
    cls=LazyGroup,
    commands=LazyCommands(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="harvest-source")
@common_options
def main(context: Context) -> None:
    """
    Copy a Harvest account into DuckDB, or any dlt destination.

    Settings come from .dlt/config.toml and .dlt/secrets.toml in this folder, or from the
    environment (SOURCES__HARVEST__...). Without an account, try: harvest-source sync --sandbox
    """
    del context  # Its options were taken by the decorator.


def run(arguments: Sequence[str], build_limiter: LimiterMaker = build_general_limiter) -> int:
    """
    Run one command.

    Args:
        build_limiter: Makes the rate limiter of each account that is read.

    Returns:
        The exit code. Only ``--debug`` prints a traceback.
    """
    context = Context(build_limiter)
    # These apply even when the command line cannot be parsed.
    context.console.as_json = "--json" in arguments
    context.debug = "--debug" in arguments
    if not wants_json_log(arguments):
        return _run(context, arguments)
    context.console.log = log = JsonLog()
    code = _run(context, arguments)
    log.end(code)
    return code


def _run(context: Context, arguments: Sequence[str]) -> int:
    try:
        code = main.main(
            list(arguments), prog_name="harvest-source", standalone_mode=False, obj=context
        )
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except (BrokenPipeError, SystemExit):
        # ``| head`` has read enough. click and rich would exit with 1, a code reserved for bugs.
        # If stdout were left closed, Python's flush at exit would print another error.
        discard_stdout()
        return context.exit_code
    except OutputError as error:
        discard_stdout()
        context.console.error(_explain_unprinted(error, is_done=context.is_done))
        # A command that only answers has failed if its answer was not printed, and must not exit
        # with 0: ``query ... > f && upload f``.
        return context.exit_code or (ExitCode.DONE if context.is_done else ExitCode.USAGE)
    except (Exception, KeyboardInterrupt) as error:
        return _fail(context, error)
    return code if isinstance(code, int) else ExitCode.DONE


def _fail(context: Context, error: BaseException) -> int:
    """Report *error* in the form that the caller asked for, and return its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not context.console.as_json:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    code, message = explain_error(error)
    if context.debug:
        traceback.print_exception(error)
    if context.console.as_json:
        cause = _INTERRUPTS[code]() if code in _INTERRUPTS else error
        try:
            print_json({**EMPTY_REPORT, "errors": [error_dict(cause, message=message)]})
            sys.stdout.flush()
        except OutputError as unprinted:
            discard_stdout()
            context.console.error(message)
            context.console.error(_explain_unprinted(unprinted, is_done=True))
    if context.console.log is not None or not context.console.as_json:
        context.console.error(message)
    return code


def _explain_unprinted(error: OutputError, *, is_done: bool) -> str:
    if is_done:
        what, so = "report", "The exit code says how the command ended."
    else:
        what, so = "answer", "The part that was written is incomplete."
    return (
        f"The {what} could not be printed ({error}). {so} Send it elsewhere: harvest-source ... > "
        "FILE"
    )


def explain_error(error: BaseException) -> tuple[int, str]:
    """The exit code of *error*, and the message for people."""
    if find_cause(error, Terminated) is not None:
        return ExitCode.TERMINATED, _TERMINATED_MESSAGE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return ExitCode.INTERRUPTED, _INTERRUPTED_MESSAGE
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return ExitCode.USAGE, "No command was given. See: harvest-source --help"
    if isinstance(error, click.ClickException):
        return ExitCode.USAGE, f"{error.format_message()} See: {_find_command(error)} --help"
    if isinstance(error, HarvestError):
        return error.exit_code, str(error)
    if find_cause(error, KeyboardInterrupt) is not None:
        # After Ctrl-C, dlt raises errors of its own while it shuts down what is still running.
        return ExitCode.INTERRUPTED, _INTERRUPTED_MESSAGE
    if lack := explain_lack(error):
        return ResourceError.exit_code, lack
    if refusal := _explain_refusal(error):
        return ExitCode.USAGE, refusal
    return ExitCode.BUG, (
        f"This is a bug in harvest-source: {type(error).__name__}. Nothing that was loaded is "
        "lost. Run the same command with --debug and report what it prints."
    )


def _explain_refusal(error: BaseException) -> str | None:
    """Explain which path this user may not access; None if *error* is something else."""
    try:
        Path.cwd()
    except OSError:
        return (
            "The current folder does not exist any more, or this user may not read it. Change to "
            "another: cd PATH"
        )
    found = find_cause(error, PermissionError)
    if found is None or not found.filename:
        return None
    return (
        f"{printable(found.filename)} cannot be accessed ({describe_os_error(found)}). Nothing "
        "that was loaded is lost. Give this user access, or name another path."
    )


def _find_command(error: click.ClickException) -> str:
    """The command whose help explains *error*."""
    if isinstance(error, click.UsageError) and error.ctx:
        return error.ctx.command_path
    return "harvest-source"
