"""What is known while dlt extracts."""

from __future__ import annotations

import dlt
from dlt.common.pipeline import current_pipeline
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.common.storages.load_package import create_load_id


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
