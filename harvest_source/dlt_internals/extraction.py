"""What is known while dlt extracts."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.common.pipeline import current_pipeline
from dlt.common.schema.utils import normalize_table_identifiers
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.common.storages.load_package import create_load_id
from dlt.extract.exceptions import DataItemRequiredForDynamicTableHints
from dlt.sources import DltResource


def find_active_pipeline() -> dlt.Pipeline | None:
    """
    The pipeline that is running or was made last; None when there is none.

    ``dlt.current.pipeline()`` is documented, but makes a pipeline and its folder when there is
    none. Without this function: that one.
    """
    pipeline = current_pipeline()
    return pipeline if isinstance(pipeline, dlt.Pipeline) else None


def find_load_id() -> str | None:
    """
    Id of the load package that is being extracted; None outside a pipeline.

    dlt adds it to dictionaries only; tables that travel as Arrow get it from us. Without the load
    package's state: dlt's option ``normalize.parquet_normalizer.add_dlt_load_id``, which applies to
    every pipeline of the process.
    """
    try:
        return dlt.current.load_package_state()["load_id"]
    except CurrentLoadPackageStateNotAvailable:
        return None


def build_load_id() -> str:
    """
    The load id that a load would get now. Load ids are instants as text, and only grow.

    To tell rows that were loaded before a moment from those loaded since. Without it:
    ``str(time.time())``, of which they are made today.
    """
    return create_load_id()


def compute_tables(resource: DltResource, schema: dlt.Schema) -> list[Any]:
    """
    The table and child tables of *resource* as dlt will have them, every hint applied.

    Returns:
        None of them when a hint is a function of the rows, so that they are not known yet.

    ``compute_table_schema`` is documented, that of nested tables and the normalization are not.
    Without them: check the write disposition that the resource was given, and no more.
    """
    try:
        table: Any = resource.compute_table_schema()
        nested = resource.compute_nested_table_schemas(table["name"], schema.naming)
    except DataItemRequiredForDynamicTableHints:
        return []
    return [normalize_table_identifiers(each, schema.naming) for each in (table, *nested)]


def takes_new_tables(schema: dlt.Schema, table: Any) -> bool:
    """
    Whether the schema contract lets *table* in, or it is there already.

    Without the two methods: say in the docs that ``tables`` must be ``evolve`` in the first run.
    """
    contract = schema.resolve_contract_settings_for_table(table["name"], table)
    return contract["tables"] == "evolve" or not schema.is_new_table(table["name"])
