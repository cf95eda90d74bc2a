"""The command that exports tables to files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import click

from harvest_source.activity import Phase
from harvest_source.cli.console import Console, print_json, print_table
from harvest_source.cli.explaining import ExplainingCommand
from harvest_source.cli.options import (
    Context,
    choose_warehouse,
    common_options,
    sandbox_warehouse_option,
    warehouse_options,
)
from harvest_source.cli.progress import show_progress

if TYPE_CHECKING:
    from harvest_source.export.export import ExportReport


class ExportCommand(ExplainingCommand):
    """The command that exports tables, of any format."""

    lacks: ClassVar[Mapping[str, str]] = {
        "--table-format": "the format of the warehouse's tables is found by itself, and --format "
        "names that of the files. Leave it out."
    }


@click.command(cls=ExportCommand)
@click.argument("folder", metavar="DIR")
@warehouse_options
@sandbox_warehouse_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet", "xlsx"]),
    default="csv",
    show_default=True,
    help="xlsx needs the extra excel.",
)
@click.option("--table", multiple=True, metavar="NAME", help="Only this table; repeatable.")
@click.option(
    "--decimal-comma", is_flag=True, help="CSV with decimal commas and semicolons between values."
)
@common_options
def export(context: Context, *, folder: str, sandbox: bool, **options: Any) -> int:
    """
    Write tables into files of DIR, one for each table.

    The warehouse is only read. CSV and Excel files are for spreadsheets: times in UTC without a
    zone, decimals without trailing zeros, and texts that look like formulas made harmless. Parquet
    files keep every type.
    """
    from harvest_source.export.export import export as run_export

    options = choose_warehouse(options, sandbox=sandbox)
    with show_progress(context.console, base=Phase.WAREHOUSE) as board:
        report = run_export(folder, **options, on_wait=board.activity.wait_for)
    context.finish(report.exit_code)
    _show(context.console, report)
    return report.exit_code


def _show(console: Console, report: ExportReport) -> None:
    if console.as_json:
        print_json(report.as_dict())
        return
    for warning in report.warnings:
        console.note("warning", warning)
    for why in report.refused.values():
        console.error(why)
    if not console.quiet:
        print_table(
            ("File", "Rows"),
            ((str(path), f"{rows:,}") for path, rows in report.rows.items()),
            whole=("File", "Rows"),
        )
