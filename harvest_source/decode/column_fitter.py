"""Puts the values of records into columns, and learns the columns that are not declared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from harvest_source.decode.coerce import Misfit, Path, as_text, fit, flatten, infer_type, variant
from harvest_source.schema.columns import ACCOUNT_ID, SEPARATOR, VARIANT, Column, Type

_DLT_PREFIX: Final = "_dlt_"
"""Columns with this prefix are dlt's own."""


class ColumnFitter:
    """
    Assigns the values of one table's records to columns. Thread-safe.

    A field that is not declared becomes a column with the type of its first value, and keeps that
    type permanently: *learned* carries it from run to run.

    Args:
        columns: The declared columns.
        arrays: Names of the declared arrays.
        excluded: Columns to leave out, by warehouse name.
        learned: Columns learned in earlier runs. New ones are added to it, so that fitters of one
            table that share it give a field the same type, whichever sees it first.
        rename: The destination's naming convention.
    """

    def __init__(
        self,
        columns: Iterable[Column],
        *,
        arrays: Iterable[str] = (),
        excluded: frozenset[str] = frozenset(),
        learned: dict[str, Type] | None = None,
        rename: Callable[[str], str] = str,
    ) -> None:
        self._rename = rename
        self._excluded = excluded
        self._below_excluded = tuple(name + SEPARATOR for name in excluded)
        self._lock = threading.Lock()
        declared = dict.fromkeys(sorted(arrays), Type.JSON) | {c.name: c.type for c in columns}
        self._declared = {n: t for n, t in declared.items() if not self._is_excluded(n)}
        self._learned = {} if learned is None else learned
        self._paths: dict[str, Path] = {}

    def learn_variant(self, name: str) -> None:
        """Note that the table has *name*, a column for values that another cannot hold."""
        self._learned.setdefault(name, Type.TEXT)

    @property
    def learned(self) -> dict[str, Type]:
        """Columns that are not declared, ``__v_text`` columns included."""
        learned = dict(self._learned)  # Another fitter may be adding to it.
        return {name: type_ for name, type_ in learned.items() if not self._is_excluded(name)}

    @property
    def known(self) -> dict[str, Type]:
        """Every column, declared ones first."""
        return self._declared | self.learned

    @property
    def arrays(self) -> frozenset[str]:
        """Columns whose cells are arrays as JSON text."""
        return frozenset(name for name, type_ in self.known.items() if type_ is Type.JSON)

    @property
    def paths(self) -> dict[str, Path]:
        """Path in a record of each column that was learned by this fitter."""
        return dict(self._paths)

    def place(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """
        The cells of each row by column name, without nulls.

        A value that does not fit its column is exact text under ``<column>__v_text``.
        """
        with self._lock:
            return [self._place(row) for row in rows]

    def _is_excluded(self, name: str) -> bool:
        """Also true for members of an excluded field that Harvest turns into an object."""
        return name in self._excluded or name.startswith(self._below_excluded)

    def _place(self, row: Mapping[str, Any]) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for name, path, value in flatten(row, self._rename):
            if value is None or self._is_excluded(name):
                continue
            if name in cells or name == ACCOUNT_ID or name.startswith(_DLT_PREFIX):
                self._put_aside(cells, name, as_text(value))
            else:
                self._put(cells, name, value, path)
        return cells

    def _put(self, cells: dict[str, Any], name: str, value: Any, path: Path) -> None:
        fitted = fit(value, self._declared.get(name) or self._learn(name, value, path))
        if isinstance(fitted, Misfit):
            self._put_aside(cells, name, fitted.text)
        else:
            cells[name] = fitted

    def _learn(self, name: str, value: Any, path: Path) -> Type:
        self._paths.setdefault(name, path)
        # A Harvest field named like a variant gets text, the type that misfits need.
        return self._learned.setdefault(name, Type.TEXT if VARIANT in name else infer_type(value))

    def _put_aside(self, cells: dict[str, Any], name: str, text: str) -> None:
        aside, number = variant(name), 2
        while aside in cells:  # Two fields of one record that share a column name.
            aside, number = f"{variant(name)}_{number}", number + 1
        self._learned.setdefault(aside, Type.TEXT)
        cells[aside] = text
