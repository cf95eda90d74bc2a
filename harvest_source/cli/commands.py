"""The commands that copy, check and compare an account, list its tables, and simulate one."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harvest_source.activity import Phase
from harvest_source.api.rate_limit import LimiterMaker, build_unlimited_limiter
from harvest_source.cli.file_modes import private_files
from harvest_source.cli.options import (
    Context,
    FiniteRange,
    PathType,
    choose_warehouse,
    common_options,
    log_format_option,
    max_deletes_option,
    publish_option,
    refuse_given,
    refuse_table_format,
    sandbox_option,
    sandbox_warehouse_option,
    table_format_option,
    warehouse_options,
)
from harvest_source.cli.progress import show_progress
from harvest_source.cli.show_check import show_check
from harvest_source.cli.show_sync import show_sync
from harvest_source.cli.show_tables import show_tables
from harvest_source.cli.show_verify import show_verify
from harvest_source.defaults import DUCKDB
from harvest_source.errors import ConfigError
from harvest_source.exit_codes import ExitCode
from harvest_source.startup import without_gc


@click.command()
@warehouse_options
@table_format_option
@sandbox_option
@click.option("--table", multiple=True, metavar="NAME", help="Only this table; repeatable.")
@click.option("--since", metavar="DATE", help="start_date for this run, such as 2024-01-31.")
@click.option("--full-refresh", is_flag=True, help="Read everything; remove rows that are gone.")
@click.option("--all-children", is_flag=True, help="Read all messages, payments and rates now.")
@click.option(
    "--deletes/--no-deletes", default=None, help="Look for deleted rows.  [default: once a day]"
)
@max_deletes_option("a run")
@click.option(
    "--exclude",
    multiple=True,
    metavar="COLUMN",
    help="Column to leave out: table.column; repeatable.",
)
@click.option("--take-over", is_flag=True, help="Load into a warehouse of another pipeline.")
@publish_option
@log_format_option
@common_options
def sync(context: Context, *, sandbox: bool, **options: Any) -> int:
    """Read what changed and merge it into the warehouse."""
    if options["full_refresh"] and options["deletes"] is False:
        msg = (
            "--full-refresh removes the rows that it did not see, which --no-deletes forbids. "
            "Leave one of them out."
        )
        raise click.UsageError(msg)
    with _importing():
        from harvest_source.config.parse import parse_date
        from harvest_source.operations.sync import Hooks
        from harvest_source.operations.sync import sync as run_sync

    options["since"] = parse_date(options["since"], "--since")
    options["all_children"] |= sandbox  # The sandbox has no rate limit: reading all is cheap.
    with (
        _placed(context, options, sandbox=sandbox) as (chosen, build_limiter),
        show_progress(context.console) as board,
    ):
        hooks = Hooks(
            on_progress=board.add_page,
            activity=board.activity,
            on_imported=gc.freeze,
            build_limiter=build_limiter,
        )
        report = run_sync(**chosen, hooks=hooks)
    context.finish(report.exit_code)
    show_sync(context.console, report)
    return report.exit_code


@click.command()
@warehouse_options
@table_format_option
@sandbox_option
@log_format_option
@common_options
def check(context: Context, *, sandbox: bool, **options: Any) -> int:
    """
    Show what a sync would meet, without writing anything.

    Credentials, account, role, modules, limits, permission for each table, destination.
    """
    with _importing():
        from harvest_source.operations.check import check as run_check
        from harvest_source.operations.sync import Hooks

    with (
        _placed(context, options, sandbox=sandbox) as (chosen, build_limiter),
        show_progress(context.console, base=Phase.ASKING) as board,
    ):
        hooks = Hooks(activity=board.activity, build_limiter=build_limiter)
        report = run_check(**chosen, hooks=hooks)
    context.exit_code = report.exit_code
    show_check(context.console, report)
    return report.exit_code


@click.command()
@warehouse_options
@table_format_option
@sandbox_option
@click.option("--fix", is_flag=True, help="Reread what differs, then compare again.")
@click.option(
    "--all-values",
    is_flag=True,
    help="Compare all values in long tables, too: a request for each 2,000 rows.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="COLUMN",
    help="Column not to compare: table.column; repeatable.",
)
@max_deletes_option("--fix")
@log_format_option
@click.option(
    "--html",
    metavar="FILE",
    type=PathType(),
    help="Write a page with every figure, to be signed.",
)
@common_options
def verify(context: Context, *, sandbox: bool, html: Path | None, **options: Any) -> int:
    """
    Compare the warehouse with Harvest's own totals.

    Rows by table and year; hours, amounts and expenses by project and year; invoices by their
    lines and payments. Without --fix it changes nothing except for adding a row to verify_runs.
    """
    if not options["fix"]:
        refuse_given(["max_deletes"], "it limits what --fix removes. Add --fix, or leave it out.")
        options["max_deletes"] = None
    with _importing():
        from harvest_source.operations.sync import Hooks
        from harvest_source.operations.verify import verify as run_verify
        from harvest_source.pages.html import check_place
        from harvest_source.pages.verify_sheet import write_sheet

    if html is not None:
        check_place(html)
    with (
        _placed(context, options, sandbox=sandbox) as (chosen, build_limiter),
        show_progress(context.console, base=Phase.COMPARING) as board,
    ):
        hooks = Hooks(activity=board.activity, build_limiter=build_limiter)
        report = run_verify(**chosen, hooks=hooks)
    context.finish(report.exit_code)
    show_verify(context.console, report)
    if html is not None:
        write_sheet(html, report)
        context.console.note("sheet", str(html))
    return report.exit_code


@click.command()
@warehouse_options
@table_format_option
@sandbox_warehouse_option
@click.option(
    "--max-age", metavar="AGE", help="Exit with code 5 if a table is older: 90m, 26h, 2d."
)
@click.option("--table", multiple=True, metavar="NAME", help="Only this table; repeatable.")
@click.option("--check", is_flag=True, help="Ask Harvest whether the sign-in works.")
@common_options
def status(context: Context, *, sandbox: bool, **options: Any) -> int:
    """
    Show the last runs and the age of each table.

    Also shows row counts, data not loaded yet, and what is planned. Contacts Harvest only with
    --check.
    """
    with _importing():
        from harvest_source.cli.show_warehouse_status import show_warehouse_status
        from harvest_source.operations.warehouse_status import read_warehouse_status

    refuse_table_format(options["destination"])
    if sandbox:
        refuse_given(["check"], "the sandbox has no sign-in. Leave out --check or --sandbox.")
    chosen = choose_warehouse(options, sandbox=sandbox)
    with show_progress(context.console, base=Phase.WAREHOUSE) as board:
        report = read_warehouse_status(**chosen, settings=context.settings, activity=board.activity)
    context.exit_code = report.exit_code
    show_warehouse_status(context.console, report)
    return report.exit_code


@click.command()
@common_options
def tables(context: Context) -> int:
    """List every table: key, cursor, columns with types."""
    show_tables(context.console)
    return ExitCode.DONE


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 picks a free port.",
)
@click.option(
    "--data",
    default="agency",
    show_default=True,
    type=click.Choice(["agency", "varied"]),
    help="A plausible consultancy, or a few rows with every oddity of the API.",
)
@click.option(
    "--entries",
    type=click.IntRange(0),
    help="Time entries per account.  [default: 24000; varied: 5000]",
)
@click.option(
    "--people",
    type=click.IntRange(3),
    help="People in the agency.  [default: 40; more above 108000 entries]",
)
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same account.")
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
    type=FiniteRange(0),
    help="Milliseconds to wait before each answer.",
)
@click.option("--no-limit", is_flag=True, help="Turn off Harvest's limit of 100 requests in 15 s.")
@click.option("--cursor-entries", is_flag=True, help="Hand out cursors for time entries.")
@common_options
def sandbox(
    context: Context,
    *,
    host: str,
    port: int,
    accounts: int,
    no_limit: bool,
    cursor_entries: bool,
    data: str,
    entries: int | None,
    people: int | None,
    **more: Any,
) -> int:
    """Serve a simulated Harvest account until interrupted."""
    from harvest_source.sandbox import Settings, agency_settings, serve
    from harvest_source.sandbox.__main__ import FIRST_ACCOUNT

    more |= {} if entries is None else {"entries": entries}
    if data == "agency":
        more |= {} if people is None else {"people": people}
    elif people is not None:
        raise click.UsageError("--people is for --data agency only.")
    build = agency_settings if data == "agency" else Settings
    settings = build(
        accounts=tuple(range(FIRST_ACCOUNT, FIRST_ACCOUNT + accounts)),
        limit=not no_limit,
        cursor_tables=("time_entries",) if cursor_entries else (),
        **more,
    )
    try:
        serve(settings, host, port, as_json=context.console.as_json)
    except BrokenPipeError:
        raise  # Stdout was closed; the port is fine.
    except OSError as error:
        msg = (
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --host or "
            "--port."
        )
        raise ConfigError(msg) from error
    return ExitCode.DONE


COMMANDS = (sync, check, verify, status, tables, sandbox)


@contextmanager
def _importing() -> Iterator[None]:
    """
    Import modules without the garbage collector, and have it skip them from then on.

    Scanning them takes a fifth of a run without changes.
    """
    with without_gc():
        yield
        gc.freeze()


@contextmanager
def _placed(
    context: Context, options: Mapping[str, Any], *, sandbox: bool
) -> Iterator[tuple[dict[str, Any], LimiterMaker]]:
    """
    Yield *options* with the defaults and settings of a run, and the maker of its rate limiters.

    Files that are created meanwhile have the permissions of the warehouse.

    Args:
        sandbox: Run against a sandbox in this process, with a database and a pipeline of its own.
            It has no rate limit: a person who tries the command should not wait for Harvest's.
    """
    from harvest_source.dlt_internals import avoid_sqlalchemy, defer_requests

    chosen = {**choose_warehouse(options, sandbox=sandbox), "settings": context.settings}
    refuse_table_format(chosen["destination"])
    defer_requests()
    if chosen["destination"] == DUCKDB:
        avoid_sqlalchemy()
    with private_files(chosen["destination"], chosen["database"]):
        if not sandbox:
            yield chosen, context.build_limiter
            return
        from harvest_source.sandbox import Sandbox, agency_settings

        with Sandbox(agency_settings(limit=False)).start() as server:
            settings = {
                **context.settings,
                "credentials": {"access_token": server.token},
                "api_url": server.api_url,
                "id_url": server.id_url,
            }
            account = chosen["account"] or (str(server.account_id),)
            yield {**chosen, "settings": settings, "account": account}, build_unlimited_limiter
