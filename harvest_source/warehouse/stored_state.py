"""
Whether what a working folder holds follows from the state that the destination holds.

Each load package brings the next state together with its rows. A package holds rows as they were
when it was made, and dlt would load it in any case: loaded after another run, it would bring old
values and deleted rows back, and no cursor would ever reach them. Cursors of a later state than the
destination's have passed rows that are not there.
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
    """The state that the destination holds; None where it cannot hold any."""
    with pipeline.destination_client() as client:
        return read_stored_version(pipeline, client)


def is_known(pipeline: dlt.Pipeline, stored: StateVersion | None) -> bool:
    """
    Whether the folder may go on from *stored*, the state that the destination holds.

    Packages that wait must have been made on it. Cursors of an earlier state do no harm: dlt
    replaces them by the destination's.
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
    """Whether packages wait that another run has loaded later states than."""
    base = read_pending_base(pipeline)
    return base is not None and (stored.number or 0) > (base.number or 0)


def read_local(pipeline: dlt.Pipeline, key: str) -> Any:
    """A value kept in the working folder alone; None when there is none."""
    try:
        return pipeline.get_local_state_val(key)
    except KeyError:
        return None
