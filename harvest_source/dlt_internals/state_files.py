"""
Pipeline states in files: dlt writes one file for each load whose state has changed.

The file's name contains the pipeline and the load. A load writes its state after all rows, as the
last file but one, so that the rows of every state are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity


def find_last_in_files(client: Any, schema: str) -> str | None:
    """
    Name of the pipeline that last loaded a state together with rows of *schema*, or None.

    dlt puts the schema's name into the name of a load's file; no public API returns it.
    """
    for load, pipeline, _ in sorted(_iter_states(client), reverse=True):
        folder, name = client.schema.loads_table_name, f"{schema}__{load}.jsonl"
        if client.fs_client.exists(client.pathlib.join(client.dataset_path, folder, name)):
            return pipeline
    return None


def read_state_in_files(client: Any, pipeline: str) -> str | None:
    """
    The compressed state of *pipeline* with the highest version; None when there is none.

    Raises:
        DestinationUndefinedEntity: Nothing was loaded there yet.
    """
    states = [
        json.loads(client.fs_client.read_text(path, encoding="utf-8"))
        for _, name, path in _iter_states(client, required=True)
        if name == pipeline
    ]
    newest = max(states, key=lambda state: int(state["version"]), default=None)
    return None if newest is None else str(newest["state"])


def _iter_states(client: Any, *, required: bool = False) -> Iterator[tuple[str, str, str]]:
    """Yield load, pipeline and path of every state that is kept; dlt keeps the last hundred."""
    try:
        for path, (pipeline, load, _) in client._list_dlt_table_files(
            client.schema.state_table_name
        ):
            yield load, pipeline, path
    except DestinationUndefinedEntity:
        if required:
            raise
