"""The commands for the dbt models: build them in the warehouse, or copy their package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harvest_source.cli.explaining import ModelsCommand
from harvest_source.cli.file_modes import private_files
from harvest_source.cli.options import (
    Context,
    PathType,
    choose_warehouse,
    common_options,
    log_format_option,
    publish_option,
    sandbox_warehouse_option,
    warehouse_options,
)
from harvest_source.cli.show_transform import show_steps, show_transform
from harvest_source.defaults import SANDBOX_DAYS_OFF
from harvest_source.exit_codes import ExitCode


@click.command(cls=ModelsCommand)
@warehouse_options
@sandbox_warehouse_option
@click.option(
    "--vars", "variables", metavar="JSON", help="Variables of the dbt package, as one JSON object."
)
@publish_option
@log_format_option
@common_options
def transform(context: Context, *, sandbox: bool, variables: str | None, **options: Any) -> int:
    """
    Build the dbt models in the warehouse that sync filled.

    They go to the schema <dataset>_models: harvest_models. Needs the extra dbt.
    """
    from harvest_source.operations.transform import transform as run_transform

    options = choose_warehouse(options, sandbox=sandbox)
    known: dict[str, Any] = dict(SANDBOX_DAYS_OFF) if sandbox else {}
    with (
        private_files(options["destination"], options["database"]),  # dbt inherits the umask.
        show_steps(context.console) as on_progress,
    ):
        report = run_transform(
            **options, variables=known | _parse_variables(variables), on_progress=on_progress
        )
    context.finish(report.exit_code)
    show_transform(context.console, report)
    return report.exit_code


@click.command()
@click.argument("path", required=False, type=PathType())
@common_options
def dbt(context: Context, *, path: Path | None) -> int:
    """
    Copy the dbt package to PATH, or print where it is.

    For a dbt project of your own: the printed folder can be used in packages.yml unchanged.
    """
    from harvest_source.cli.console import print_json
    from harvest_source.operations.dbt_runs import PACKAGE, copy_package

    if path is not None:
        copy_package(path)
        context.finish()
    place = str((path or PACKAGE).absolute())
    if context.console.as_json:
        print_json({"status": "ok", "path": place})
    else:
        print(place)
    return ExitCode.DONE


def _parse_variables(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        example = '{"harvest_as_of": "2026-01-31"}'
        msg = f"--vars {text[:80]!r} is not a JSON object such as '{example}'."
        raise click.BadParameter(msg)
    return found
