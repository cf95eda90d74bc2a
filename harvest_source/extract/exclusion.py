"""
Which columns were left out when the rows of a table were read.

The rows in the warehouse lack these columns, and nothing in Harvest shows that. So once a column is
no longer excluded, the whole table is read again. Kept in dlt's state per account and table, under
``excluded``, as sorted names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harvest_source.extract.last_read import UNTRUSTED
from harvest_source.extract.stored import load_object
from harvest_source.schema.endpoint import Endpoint

_EXCLUDED: Final = "excluded"


def excluded_columns(endpoint: Endpoint, exclude: frozenset[str]) -> frozenset[str]:
    """Columns and arrays of one table among the ``table.column`` names to leave out."""
    names = (name.partition(".") for name in exclude)
    return frozenset(column for table, _, column in names if table == endpoint.name)


def load_excluded(state: Mapping[str, Any]) -> frozenset[str]:
    """The columns that rows lack, according to the stored *state* of a table and account."""
    stored = state.get(_EXCLUDED)
    return frozenset(map(str, stored)) if isinstance(stored, list) else frozenset()


def note_excluded(state: dict[str, Any], columns: frozenset[str]) -> None:
    """
    Note in *state* that rows may lack *columns*, in addition to those noted before.

    Lists that are replaced as a whole are then loaded again even if they have not changed.
    """
    known = load_excluded(state)
    if not columns <= known:
        store_excluded(state, known | columns)
        _forget_digests(state)


def _forget_digests(state: Mapping[str, Any]) -> None:
    lists = [
        each for key in ("parents", "windows") for each in load_object(state.get(key)).values()
    ]
    for each in (state.get("seen"), *lists):
        if isinstance(each, dict):
            each["digest"] = UNTRUSTED


def store_excluded(state: dict[str, Any], columns: frozenset[str]) -> None:
    """Note in *state* that all rows have every column except *columns*."""
    state.pop(_EXCLUDED, None)
    if columns:
        state[_EXCLUDED] = sorted(columns)
