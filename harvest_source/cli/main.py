"""
The command line. People read stderr and a table on stdout; ``--json`` puts one object on stdout.

Imports of dlt wait until a command needs it: ``--help`` and ``tables`` stay quick.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from harvest_source._version import __version__
from harvest_source.cli import console as show
from harvest_source.cli.auth_commands import auth
from harvest_source.cli.options import Context, everywhere
from harvest_source.errors import ConfigError, HarvestError
from harvest_source.startup import without_gc

F = TypeVar("F", bound=Callable[..., Any])

INTERRUPTED: Final = 130
_BUG: Final = 1
_USAGE: Final = 2
_INTERRUPTED_MESSAGE: Final = (
    "Interrupted. What was loaded stays; the same command goes on from here."
)


def check_name(_: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse a name that would be taken for a path, or that is none."""
    if parameter.name == "pipeline" and not re.fullmatch(r"[\w-]+", value):
        msg = "Letters, digits, - and _ only: it names a folder."
        raise click.BadParameter(msg)
    if not value.strip():
        msg = "It cannot be empty. Leave it out for harvest."
        raise click.BadParameter(msg)
    return value


def warehouse(function: F) -> F:
    """Add the options that say where the tables go."""
    options = (
        click.option(
            "--destination",
            default="duckdb",
            show_default=True,
            metavar="NAME",
            help="Any destination of dlt.",
        ),
        click.option("--database", metavar="PATH", help="DuckDB file.  [default: harvest.duckdb]"),
        click.option(
            "--dataset",
            default="harvest",
            show_default=True,
            metavar="NAME",
            callback=check_name,
            help="Schema that holds the tables.",
        ),
        click.option(
            "--pipeline",
            default="harvest",
            show_default=True,
            metavar="NAME",
            callback=check_name,
            help="dlt pipeline that keeps the cursors.",
        ),
        click.option(
            "--account", multiple=True, metavar="ID", help="Instead of account_id; repeatable."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harvest-source")
@everywhere
def main(context: Context) -> None:
    """
    Copy a Harvest account into DuckDB, or any dlt destination.

    Settings come from .dlt/config.toml and .dlt/secrets.toml in this folder, or from the
    environment (SOURCES__HARVEST__...). Without an account, try: harvest-source sync --sandbox
    """


@main.command()
@warehouse
@click.option("--sandbox", is_flag=True, help="Use a simulated account: no token needed.")
@click.option("--table", multiple=True, metavar="NAME", help="Only this table; repeatable.")
@click.option("--since", metavar="DATE", help="start_date of this run: 2024-01-31.")
@click.option("--full-refresh", is_flag=True, help="Read everything; remove what is gone.")
@click.option(
    "--deletes/--no-deletes", default=None, help="Look for deleted rows.  [default: once a day]"
)
@click.option(
    "--max-deletes",
    default="20%",
    show_default=True,
    metavar="PERCENT",
    help="Share of a table that a run may remove, beyond 25 rows.",
)
@click.option(
    "--exclude", multiple=True, metavar="COLUMN", help="Leave out table.column; repeatable."
)
@everywhere
def sync(context: Context, *, sandbox: bool, **options: Any) -> int:
    """Read what changed and merge it into the warehouse."""
    with _importing():
        from harvest_source.config.parse import parse_date
        from harvest_source.operations.sync import Hooks
        from harvest_source.operations.sync import sync as run_sync

    options["since"] = parse_date(options["since"], "--since")
    options["settings"] = context.settings
    with _sandboxed(sandbox, options), context.console.progress() as on_progress:
        report = run_sync(**options, hooks=Hooks(on_progress=on_progress, on_imported=gc.freeze))
    context.exit_code = report.exit_code
    context.console.sync_report(report, options)
    return report.exit_code


@main.command()
@warehouse
@click.option("--sandbox", is_flag=True, help="Use a simulated account: no token needed.")
@everywhere
def check(context: Context, *, sandbox: bool, **options: Any) -> int:
    """
    Show what a sync would meet, without writing anything.

    Credentials, account, role, modules, limits, permission for each table, destination.
    """
    with _importing():
        from harvest_source.operations.check import check as run_check

    options["settings"] = context.settings
    with _sandboxed(sandbox, options):
        report = run_check(**options)
    context.exit_code = report.exit_code
    context.console.check_report(report)
    return report.exit_code


main.add_command(auth)


@main.command()
@warehouse
@click.option("--sandbox", is_flag=True, help="Use a simulated account: no token needed.")
@click.option("--fix", is_flag=True, help="Read again what differs, then compare once more.")
@click.option(
    "--max-deletes",
    default="20%",
    show_default=True,
    metavar="PERCENT",
    help="Share of a table that --fix may remove, beyond 25 rows.",
)
@everywhere
def verify(context: Context, *, sandbox: bool, **options: Any) -> int:
    """
    Compare the warehouse with Harvest's own totals.

    Rows by table and year, hours and amounts by project and year, invoices by their lines. Writes
    nothing without --fix.
    """
    with _importing():
        from harvest_source.operations.verify import verify as run_verify

    with _sandboxed(sandbox, options):
        report = run_verify(**options)
    context.exit_code = report.exit_code
    context.console.verify_report(report)
    return report.exit_code


@main.command()
@everywhere
def tables(context: Context) -> int:
    """List every table: key, cursor, columns with types."""
    context.console.tables()
    return 0


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 takes a free one.",
)
@click.option(
    "--entries",
    default=5000,
    show_default=True,
    type=click.IntRange(0),
    help="Time entries of each account.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same account.")
@click.option(
    "--accounts",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Number of accounts.",
)
@click.option(
    "--latency-ms",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Wait before each answer.",
)
@click.option("--no-limit", is_flag=True, help="Without Harvest's limit of 100 requests in 15 s.")
@click.option("--cursor-entries", is_flag=True, help="Hand out cursors for time entries.")
@everywhere
def sandbox(
    context: Context,
    *,
    host: str,
    port: int,
    accounts: int,
    no_limit: bool,
    cursor_entries: bool,
    **sizes: Any,
) -> int:
    """Serve a simulated Harvest account until interrupted."""
    from harvest_source.sandbox import Settings, serve
    from harvest_source.sandbox.__main__ import FIRST_ACCOUNT

    settings = Settings(
        accounts=tuple(range(FIRST_ACCOUNT, FIRST_ACCOUNT + accounts)),
        limit=not no_limit,
        cursor_tables=("time_entries",) if cursor_entries else (),
        **sizes,
    )
    try:
        serve(settings, host, port, as_json=context.as_json)
    except OSError as error:
        msg = f"Cannot listen on {host}:{port}: {error.strerror}. Name another with --port."
        raise ConfigError(msg) from error
    return 0


@contextmanager
def _importing() -> Iterator[None]:
    """
    Import without looking for garbage in modules, then or later.

    Looking takes a fifth of a run without changes.
    """
    with without_gc():
        yield
        gc.freeze()


@contextmanager
def _sandboxed(wanted: bool, options: dict[str, Any]) -> Iterator[None]:
    """Run against a sandbox of this process, with its own database, when *wanted*."""
    if not wanted:
        yield
        return
    from harvest_source.sandbox import Sandbox

    if options["destination"] == "duckdb" and options["database"] is None:
        options["database"] = "harvest_sandbox.duckdb"
    with Sandbox().start() as server:
        options["settings"] = {
            "credentials": {"access_token": server.token},
            "api_url": server.api_url,
            "id_url": server.id_url,
        }
        options["account"] = options["account"] or (str(server.account_id),)
        yield


def run(arguments: Sequence[str]) -> int:
    """
    Run one command.

    Returns:
        The exit code. Nothing but ``--debug`` prints a traceback.
    """
    context = Context()
    # Asked for even when the command line cannot be read.
    context.as_json = "--json" in arguments
    context.debug = "--debug" in arguments
    try:
        code = main.main(
            list(arguments), prog_name="harvest-source", standalone_mode=False, obj=context
        )
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        if context.as_json:
            return _fail(context, error, "No command was given. See: harvest-source --help", _USAGE)
        click.echo(error.format_message(), err=True)
        return _USAGE
    except click.ClickException as error:
        return _fail(context, error, f"{error.format_message()}{_hint(error)}", _USAGE)
    except (KeyboardInterrupt, click.Abort) as error:
        return _fail(context, error, _INTERRUPTED_MESSAGE, INTERRUPTED)
    except HarvestError as error:
        return _fail(context, error, str(error), error.exit_code)
    except (BrokenPipeError, SystemExit):
        # ``| head`` has seen enough; click and rich make it an exit with 1, which is for bugs.
        # Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return context.exit_code
    except Exception as error:
        if _was_interrupted(error):
            return _fail(context, error, _INTERRUPTED_MESSAGE, INTERRUPTED)
        message = (
            f"This is a bug in harvest-source: {type(error).__name__}. Nothing that was loaded is "
            "lost. Run the same command with --debug and report what it prints."
        )
        return _fail(context, error, message, _BUG)
    return code if isinstance(code, int) else 0


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C started it: dlt, closing what still ran, raises errors of its own on top."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _hint(error: click.ClickException) -> str:
    """Where to look the right words up."""
    asked = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return f" See: {asked or 'harvest-source'} --help"


def _fail(context: Context, error: BaseException, message: str, code: int) -> int:
    if context.debug:
        traceback.print_exception(error)
    if context.as_json:
        kind = "KeyboardInterrupt" if code == INTERRUPTED else type(error).__name__
        print(json.dumps({**show.EMPTY_REPORT, "errors": [show.error_dict(kind, message)]}))
    else:
        context.console.error(message)
    return code
