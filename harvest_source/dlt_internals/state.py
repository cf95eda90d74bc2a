"""dlt's working folder, and the state that it keeps there and at the destination."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.schema.exceptions import SchemaException
from dlt.common.storages.exceptions import StorageException
from dlt.pipeline.state_sync import load_pipeline_state_from_destination

from harvest_source.dlt_internals.destinations import JobClient

FOLDER_ERRORS: Final = (ValueError, KeyError, TypeError, SchemaException, StorageException)
"""
What dlt raises on a working folder with empty, cut or missing files.

Found by damaging each file (``tests/integration/test_healing.py``); dlt has no error for it.
"""


def find_pipelines_folder() -> Path:
    """
    The folder that holds the working folder of each pipeline.

    For the lock beside it, and to remove one that dlt cannot open. Without it:
    ``dlt.pipeline(...).pipelines_dir``, which needs a folder that can be opened.
    """
    return Path(get_dlt_pipelines_dir())


def mark_restored(pipeline: dlt.Pipeline) -> None:
    """
    Tell the *pipeline* that its state was compared with the destination's already.

    ``Pipeline.run`` would ask the destination again. Without the flag: leave it out; a run costs
    one more query.
    """
    pipeline._state_restored = True


def read_state_version(state: Any) -> int:
    """
    Version of a pipeline's state; each load package with a state brings the next one.

    The key is part of dlt's stored format. Without it: count the rows of ``_dlt_pipeline_state``.
    """
    return int(state["_state_version"])


def read_stored_state_version(pipeline: dlt.Pipeline, client: JobClient) -> int | None:
    """
    Version of the state that the destination holds: 0 for none, None where it cannot hold any.

    ``Pipeline.sync_destination`` reads it too, but replaces the local state by it. Without it:
    ``SELECT MAX(version)`` from ``_dlt_pipeline_state``.
    """
    if not isinstance(client, WithStateSync):
        return None
    try:
        stored = load_pipeline_state_from_destination(pipeline.pipeline_name, client)
    except DestinationUndefinedEntity:
        return 0
    return read_state_version(stored) if stored else 0
