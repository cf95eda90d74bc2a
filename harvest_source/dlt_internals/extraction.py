"""What dlt knows during extraction: the pipeline, the load id and the tables."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.common.destination import Destination
from dlt.common.pipeline import current_pipeline
from dlt.common.schema.utils import normalize_table_identifiers
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.common.storages.load_package import create_load_id
from dlt.extract.exceptions import DataItemRequiredForDynamicTableHints
from dlt.sources import DltResource


def find_active_pipeline() -> dlt.Pipeline | None:
    """
    The pipeline that is running or was created last; None if there is none.

    ``dlt.current.pipeline()`` is documented, but creates a pipeline and its folder if there is
    none. Without ``current_pipeline``: use ``dlt.current.pipeline()``.
    """
    pipeline = current_pipeline()
    return pipeline if isinstance(pipeline, dlt.Pipeline) else None


def find_active_destination() -> Destination[Any, Any] | None:
    """Where the pipeline that is running loads to; None outside one, or if it has none yet."""
    pipeline = find_active_pipeline()
    return None if pipeline is None else pipeline.destination


def find_load_id() -> str | None:
    """
    Id of the load package that is being extracted; None outside a pipeline.

    dlt adds the id to dictionaries only; Arrow tables get it from us. Without the load package's
    state: dlt's option ``normalize.parquet_normalizer.add_dlt_load_id``, which applies to every
    pipeline of the process.
    """
    try:
        return dlt.current.load_package_state()["load_id"]
    except CurrentLoadPackageStateNotAvailable:
        return None


def build_load_id() -> str:
    """
    Build the id that a load would get now. Load ids are timestamps as text, and only grow.

    It separates rows that were loaded before this moment from rows loaded since. Without
    ``create_load_id``: ``str(time.time())``, from which dlt makes the ids today.
    """
    return create_load_id()


def compute_tables(resource: DltResource, schema: dlt.Schema) -> list[Any]:
    """
    Compute the table and child tables of *resource* as dlt will have them, with all hints applied.

    Returns:
        The tables; an empty list if a hint is a function of the rows, so that dlt does not know the
        tables yet.

    ``compute_table_schema`` is documented; its equivalent for nested tables and the normalization
    are not. Without them: check only the write disposition that the resource was given.
    """
    try:
        table: Any = resource.compute_table_schema()
        nested = resource.compute_nested_table_schemas(table["name"], schema.naming)
    except DataItemRequiredForDynamicTableHints:
        return []
    return [normalize_table_identifiers(each, schema.naming) for each in (table, *nested)]


def contract_allows_table(schema: dlt.Schema, table: Any) -> bool:
    """
    Whether the schema contract admits *table*, or the schema has it already.

    Without the two methods: say in the docs that ``tables`` must be ``evolve`` in the first run.
    """
    contract = schema.resolve_contract_settings_for_table(table["name"], table)
    return contract["tables"] == "evolve" or not schema.is_new_table(table["name"])
