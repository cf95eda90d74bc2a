"""The commands that show the models to people: a report as a file, an app as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harvest_source.cli.browser import open_browser
from harvest_source.cli.console import print_address, print_json
from harvest_source.cli.explaining import ModelsCommand
from harvest_source.cli.options import (
    Context,
    PathType,
    choose_warehouse,
    common_options,
    sandbox_warehouse_option,
    warehouse_options,
)
from harvest_source.exit_codes import ExitCode

if TYPE_CHECKING:
    from harvest_source.warehouse.target import Target


@click.command(cls=ModelsCommand)
@click.argument("file", type=PathType())
@warehouse_options
@sandbox_warehouse_option
@click.option("--since", metavar="DATE", help="First day.  [default: twelve months back]")
@click.option("--until", metavar="DATE", help="Last day.  [default: day of the last sync]")
@click.option("--client", multiple=True, metavar="NAME", help="Only this client; repeatable.")
@click.option("--person", multiple=True, metavar="NAME", help="Only this person; repeatable.")
@click.option("--currency", metavar="CODE", help="Only clients with this currency.")
@common_options
def report(context: Context, *, file: Path, sandbox: bool, **options: Any) -> int:
    """
    Write the report of the models as one HTML file.

    Utilization, budgets, uninvoiced work, open invoices, margins, missing time, data quality. The
    file holds everything and fetches nothing. Needs the extra report, and models: transform.
    """
    from harvest_source.pages.html import check_place
    from harvest_source.pages.needs import check_installed

    check_installed("report")
    check_place(file)
    from harvest_source.config.parse import parse_destination_wait
    from harvest_source.config.resolve import read_configuration
    from harvest_source.pages.choosing import build_filters
    from harvest_source.pages.filters import read_choices
    from harvest_source.pages.marts import open_marts
    from harvest_source.pages.report import write_report
    from harvest_source.pages.section import PageContext

    options = choose_warehouse(options, sandbox=sandbox)
    target = _build_target(options)
    wait_s = parse_destination_wait(read_configuration({}).destination_wait)

    def tell(holder: str) -> None:
        context.console.note("waiting", f"{target} is in use by {holder}")

    with open_marts(target, wait_s=wait_s, on_wait=tell) as marts:
        choices = read_choices(marts)
        names = ("account", "since", "until", "client", "person", "currency")
        filters = build_filters(choices, **{name: options[name] for name in names})
        write_report(file, PageContext(marts, filters, choices))
    context.finish()
    if context.console.as_json:
        days = {"since": filters.start, "until": filters.end, "as_of": choices.as_of}
        print_json(
            {"status": "ok", "file": str(file)} | {name: str(day) for name, day in days.items()}
        )
    elif not context.console.quiet:
        print(f"{file}: {filters.start} to {filters.end}, as of {choices.as_of}")
    return ExitCode.DONE


@click.command(cls=ModelsCommand)
@warehouse_options
@sandbox_warehouse_option
@click.option(
    "--port",
    default=8766,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 picks a free port.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@common_options
def app(context: Context, *, sandbox: bool, port: int, no_browser: bool, **options: Any) -> int:
    """
    Serve the report as a page with controls, until interrupted.

    Period, clients, people and currency can be chosen. For this machine alone: nothing is fetched
    from others, and the address contains a token. Needs the extra app, and models: transform.
    """
    from harvest_source.pages.needs import check_installed

    check_installed("app")
    from harvest_source.config.parse import parse_accounts
    from harvest_source.pages.live import Shown
    from harvest_source.pages.serving import bind, serve

    accounts = parse_accounts(options["account"])
    target = _build_target(choose_warehouse(options, sandbox=sandbox))

    def tell(address: str) -> None:
        print_address(address, as_json=context.console.as_json)
        if not (no_browser or context.console.as_json):
            open_browser(address, context.console)

    serve(Shown(target, accounts), bind(port), tell)
    return ExitCode.DONE


def _build_target(options: Mapping[str, Any]) -> Target:
    """Build the place of the models from all warehouse options except --account."""
    from harvest_source.warehouse.target import build_target

    names = ("destination", "database", "dataset", "pipeline")
    return build_target(*(options[name] for name in names))
