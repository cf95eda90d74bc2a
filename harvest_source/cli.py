"""
The command line. People read stderr and a table on stdout; ``--json`` puts one object on stdout.

Imports of dlt wait until a command needs it: ``--help`` and ``tables`` stay quick.
"""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from harvest_source import __version__, show
from harvest_source.errors import HarvestError

F = TypeVar("F", bound=Callable[..., Any])

_INTERRUPTED: Final = 130
_BUG: Final = 1
_USAGE: Final = 2


class Context:
    """What ``--json``, ``--quiet``, ``--debug`` and ``--profile`` ask for."""

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False
        self.debug = False
        self.profile: str | None = None
        self.console = show.Console(self)


def everywhere(function: F) -> F:
    """Add the options that every command takes."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
    @click.option("--quiet", is_flag=True, help="Say nothing but the result and errors.")
    @click.option("--debug", is_flag=True, help="Show tracebacks and dlt's log.")
    @click.option("--profile", metavar="NAME", help="Named sign-in.")
    @click.pass_obj
    @functools.wraps(function)
    def wrapped(context: Context, /, **options: Any) -> Any:
        context.as_json |= options.pop("as_json")
        context.quiet |= options.pop("quiet")
        context.debug |= options.pop("debug")
        context.profile = options.pop("profile") or context.profile
        if context.debug:
            show.open_log()
        return function(context, **options)

    return wrapped  # type: ignore[return-value]


def warehouse(function: F) -> F:
    """Add the options that say where the tables go."""
    options = (
        click.option("--destination", default="duckdb", show_default=True, metavar="NAME"),
        click.option("--database", metavar="PATH", help="DuckDB file.  [default: harvest.duckdb]"),
        click.option("--dataset", default="harvest", show_default=True, metavar="NAME"),
        click.option("--pipeline", default="harvest", show_default=True, metavar="NAME"),
        click.option("--account", multiple=True, metavar="ID", help="May be given several times."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harvest-source")
@click.pass_context
def main(context: click.Context) -> None:
    """Copy a Harvest account into DuckDB, or any dlt destination."""
    context.ensure_object(Context)


@main.command()
@warehouse
@click.option("--sandbox", is_flag=True, help="Use a simulated account: no token needed.")
@click.option("--table", multiple=True, metavar="NAME", help="Only this table; repeatable.")
@click.option("--since", metavar="DATE", help="start_date of this run.")
@click.option("--full-refresh", is_flag=True, help="Read everything; remove what is gone.")
@click.option("--max-deletes", default="20%", show_default=True, metavar="PERCENT")
@click.option("--exclude", multiple=True, metavar="COLUMN", help="table.column; repeatable.")
@everywhere
def sync(context: Context, *, sandbox: bool, **options: Any) -> int:
    """Read what changed and merge it into the warehouse."""
    from harvest_source.run import Hooks
    from harvest_source.run import sync as run_sync

    with _sandboxed(sandbox, options), context.console.progress() as on_progress:
        report = run_sync(**options, hooks=Hooks(on_progress=on_progress))
    context.console.sync_report(report, options)
    return report.exit_code


@main.command()
@warehouse
@click.option("--sandbox", is_flag=True, help="Use a simulated account: no token needed.")
@everywhere
def check(context: Context, *, sandbox: bool, **options: Any) -> int:
    """Credentials, account, role, modules, limits, permission per table, destination."""
    from harvest_source.check import check as run_check

    with _sandboxed(sandbox, options):
        report = run_check(**options)
    context.console.check_report(report)
    return report.exit_code


@main.command()
@everywhere
def tables(context: Context) -> int:
    """Every table: key, cursor, columns with types and descriptions."""
    context.console.tables()
    return 0


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8765, show_default=True, help="0 takes a free one.")
@click.option("--entries", default=5000, show_default=True, help="Time entries of the account.")
@click.option("--seed", default=1, show_default=True, help="The same seed, the same account.")
@click.option("--accounts", default=1, show_default=True, help="Number of accounts.")
@click.option("--latency-ms", default=0.0, show_default=True, help="Wait before each answer.")
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
    serve(settings, host, port, as_json=context.as_json)
    return 0


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
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        return _fail(context, error, error.format_message(), _USAGE)
    except KeyboardInterrupt as error:
        message = "Interrupted. What was loaded stays; the same command goes on from here."
        return _fail(context, error, message, _INTERRUPTED)
    except HarvestError as error:
        return _fail(context, error, str(error), error.exit_code)
    except Exception as error:
        message = (
            f"This is a bug in harvest-source: {type(error).__name__}. Nothing that was loaded is "
            "lost. Run the same command with --debug and report what it prints."
        )
        return _fail(context, error, message, _BUG)
    return code if isinstance(code, int) else 0


def _fail(context: Context, error: BaseException, message: str, code: int) -> int:
    if context.debug:
        traceback.print_exception(error)
    if context.as_json:
        kind = type(error).__name__
        print(json.dumps({**show.EMPTY_REPORT, "errors": [show.error_dict(kind, message)]}))
    else:
        context.console.error(message)
    return code
