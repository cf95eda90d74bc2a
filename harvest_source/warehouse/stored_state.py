"""
Check whether what a working folder holds is based on the state that the destination holds.

Each load package brings the next state together with its rows. A package holds rows as they were
when it was made, and dlt would load it in any case: loaded after another run, it would bring back
old values and deleted rows, and no cursor would ever reach them. If the folder's cursors belong to
a later state than the destination's, they have passed rows that the destination lacks.
"""

from __future__ import annotations

from typing import Any

import dlt

from harvest_source.dlt_internals import (
    StateVersion,
    read_expected_version,
    read_pending_base,
    read_state,
    read_state_number,
    read_stored_version,
)


def read_stored(pipeline: dlt.Pipeline) -> StateVersion | None:
    """Read the state that the destination holds; None if it cannot hold states."""
    with pipeline.destination_client() as client:
        return read_stored_version(pipeline, client)


def is_known(pipeline: dlt.Pipeline, stored: StateVersion | None) -> bool:
    """
    Whether the folder may continue from *stored*, the state that the destination holds.

    Packages that wait must be based on it. Cursors of an earlier state are harmless: dlt replaces
    them with the destination's.
    """
    if stored is None:
        return True
    if pipeline.has_pending_data:
        base = read_pending_base(pipeline)
        return base is not None and base.is_same(stored)
    state = read_state(pipeline)
    is_behind = (stored.number or 0) >= read_state_number(state)
    return is_behind or read_expected_version(state).is_same(stored)


def is_overtaken(pipeline: dlt.Pipeline, stored: StateVersion) -> bool:
    """Whether another run has loaded later states than the one on which waiting packages build."""
    base = read_pending_base(pipeline)
    return base is not None and (stored.number or 0) > (base.number or 0)


def read_local(pipeline: dlt.Pipeline, key: str) -> Any:
    """Read a value that only the working folder has; None if there is none."""
    try:
        return pipeline.get_local_state_val(key)
    except KeyError:
        return None
