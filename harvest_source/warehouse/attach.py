"""Attach to the dlt pipeline of an existing warehouse, to read it with dlt's own tools."""

from __future__ import annotations

from pathlib import Path

import dlt

from harvest_source.defaults import DATASET, DUCKDB, PIPELINE
from harvest_source.errors import ConfigError
from harvest_source.warehouse.pipeline import attach_existing, read_identity
from harvest_source.warehouse.target import Target, build_target, check_names


def attach(
    pipeline: str = PIPELINE,
    *,
    destination: str | None = None,
    database: str | Path | None = None,
    dataset: str | None = None,
    read_only: bool = True,
) -> dlt.Pipeline:
    """
    Return the dlt pipeline of an existing warehouse: ``attach().dataset().time_entries.df()``.

    Arguments that are not given come from the pipeline's working folder on this machine, which
    records where the last sync loaded; without such a folder, from the defaults of
    ``harvest-source sync``.

    Args:
        pipeline: Name of the pipeline that loads the warehouse.
        destination: Name of dlt's destination.
        database: DuckDB file.
        dataset: Schema that holds the tables.
        read_only: Open a DuckDB file for reading only, so that others can read it too; False: as
            dlt opens it.

    Raises:
        ConfigError: There is no such warehouse. Nothing is created.
    """
    target = _find_target(pipeline, destination, database, dataset)
    if target.database is not None and not target.database.exists():
        msg = (
            f"There is no warehouse {target.database}. Name its file: attach(database=...), or "
            f"make it: {target.build_command('sync')}"
        )
        raise ConfigError(msg)
    found = attach_existing(target, read_only=read_only)
    if found is None:
        msg = (
            f"Pipeline {pipeline} has loaded nothing into {target}. Give the names of your sync: "
            "--pipeline, --destination and --dataset; in Python attach(NAME, destination=..., "
            f"dataset=...). Or load the data: {target.build_command('sync')}"
        )
        raise ConfigError(msg)
    return found


def _find_target(
    pipeline: str, destination: str | None, database: str | Path | None, dataset: str | None
) -> Target:
    """Where the tables are: as the caller says, where the last sync loaded, or the default."""
    check_names(destination or DUCKDB, database, dataset or DATASET, pipeline)
    known = read_identity(pipeline)
    if known is None or database is not None or destination not in (None, known.destination):
        return build_target(destination or DUCKDB, database, dataset or DATASET, pipeline)
    return Target(known.destination, known.database, dataset or known.dataset, pipeline)
