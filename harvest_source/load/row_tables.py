"""
Turns rows that a dlt user's steps have changed into the Arrow tables that dlt loads.

A table must not switch between rows and Arrow tables from one load to the next: dlt gives rows a
key of its own, which a table of Arrow rows does not have. So rows are made only for the user's
steps. Declared columns keep their types; a column that a step adds gets the type of its first
value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import dlt
import pyarrow as pa

from harvest_source.decode.coerce import PRECISION, SCALE, Misfit, as_text, fit, flatten, variant
from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.errors import ConfigError
from harvest_source.load.encoder import with_load_id
from harvest_source.load.hints import stored_columns
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID, Type
from harvest_source.schema.endpoint import Endpoint

_DOUBLE: Final = "double"
"""dlt's type for a ``float``, which no Harvest column has."""

_UNIT: Final = Decimal(1).scaleb(-SCALE)


class RowTables:
    """
    Makes the Arrow tables of one resource while it is drawn from.

    Args:
        excluded: Columns that are left out.
    """

    def __init__(self, endpoint: Endpoint, excluded: frozenset[str]) -> None:
        self._endpoint = endpoint
        declared = {ACCOUNT_ID: Type.BIGINT} | {each.name: each.type for each in endpoint.columns}
        self._declared = {n: str(t) for n, t in declared.items() if n not in excluded}
        self._excluded = excluded

    def build(self, rows: Sequence[Any], schema: dlt.Schema) -> pa.Table:
        """
        *rows* as one Arrow table, with the id of the load that is being extracted.

        Args:
            schema: dlt's schema, with the types of columns that earlier loads have added.

        Raises:
            ConfigError: A step returned something that is not a row of the table.
        """
        types = dict(self._declared)
        for name, hint in stored_columns(schema, self._endpoint.name).items():
            if hint.get("data_type") and not name.startswith("_dlt_"):
                types.setdefault(name, str(hint["data_type"]))
        rename = schema.naming.normalize_path
        cells = [self._place(self._as_mapping(row), types, rename) for row in rows]
        self._check_keys(cells)
        columns = {
            name: pa.array([cell.get(name) for cell in cells], _arrow_type(type_name))
            for name, type_name in types.items()
            if name in self._declared or any(name in cell for cell in cells)
        }
        return with_load_id(pa.table(columns), self._endpoint)

    def _as_mapping(self, row: Any) -> Mapping[str, Any]:
        if hasattr(row, "model_dump"):  # A model, from a validator.
            row = row.model_dump()
        if isinstance(row, Mapping):
            return row
        msg = (
            f"A step of {self._endpoint.name} returned {type(row).__name__} instead of a row. "
            "Nothing was loaded. Return the row itself, a dictionary; to leave it out, use "
            "add_filter."
        )
        raise ConfigError(msg)

    def _place(self, row: Mapping[str, Any], types: dict[str, str], rename: Any) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for name, _, value in flatten(row, rename):
            if value is None or name in self._excluded or name == LOAD_ID:
                continue
            if name not in types:
                types[name] = _learn(name, value, self._endpoint)
            fitted = _fit(value, types[name])
            if isinstance(fitted, Misfit):
                name, fitted = variant(name), fitted.text
                types.setdefault(name, str(Type.TEXT))
            cells[name] = fitted
        return cells

    def _check_keys(self, cells: Iterable[Mapping[str, Any]]) -> None:
        for name in self._endpoint.key:
            if any(cell.get(name) is None for cell in cells):
                msg = (
                    f"A step of {self._endpoint.name} returned a row without a usable {name}, "
                    "which is part of its key. Nothing was loaded. Keep the columns "
                    f"{', '.join(self._endpoint.key)}; columns to leave out: exclude, under "
                    "[sources.harvest]."
                )
                raise ConfigError(msg)


def _arrow_type(name: str) -> pa.DataType:
    return pa.float64() if name == _DOUBLE else ARROW_TYPES[Type(name)]


def _learn(name: str, value: Any, endpoint: Endpoint) -> str:
    """The type of a column that a step has added."""
    for kind, type_name in _LEARNED:
        if isinstance(value, kind):
            return type_name
    msg = (
        f"A step of {endpoint.name} put a {type(value).__name__} into {name}, which no column can "
        "hold. Nothing was loaded. Make it a number, text, a date, an instant, a list or an object."
    )
    raise ConfigError(msg)


_LEARNED: Final[tuple[tuple[type, str], ...]] = (
    (bool, str(Type.BOOL)),
    (int, str(Type.BIGINT)),
    (float, _DOUBLE),
    (Decimal, str(Type.DECIMAL)),
    (datetime, str(Type.TIMESTAMP)),
    (date, str(Type.DATE)),
    (str, str(Type.TEXT)),
    (list, str(Type.TEXT)),
)
"""The order matters: a flag is an ``int``, an instant a ``date``. A list becomes JSON text."""


def _fit(value: Any, type_name: str) -> Any:
    """*value* as its column holds it, or a :class:`Misfit`."""
    if type_name == _DOUBLE:
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return float(value) if is_number else Misfit(_plain(value))
    if isinstance(value, float) and type_name == str(Type.DECIMAL):
        # The exact decimal form of a binary fraction is not what was meant.
        return fit(_round(value), Type.DECIMAL)
    if isinstance(value, list) and type_name == str(Type.TEXT):
        return _plain(value)
    fitted = fit(_as_sent(value), Type(type_name))
    return Misfit(_plain(value)) if isinstance(fitted, Misfit) else fitted


def _round(value: float) -> Any:
    number = Decimal(repr(value))
    fits = number.is_finite() and number.adjusted() < PRECISION - SCALE
    return number.quantize(_UNIT) if fits else str(value)


def _as_sent(value: Any) -> Any:
    """A Python value in the form in which it comes in JSON."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_as_sent(each) for each in value]
    if isinstance(value, dict):
        return {name: _as_sent(each) for name, each in value.items()}
    return value


def _plain(value: Any) -> str:
    sent = _as_sent(value)
    return as_text(sent) if isinstance(sent, str | int | Decimal | list | dict) else str(sent)
