"""
Pages into Arrow tables: every declared column, the declared types, nothing lost.

Two ways in, one result. The fast way lets Arrow parse the page straight into the declared types; it
refuses, rather than bends, whatever does not fit. A refused page goes the exact way, value by value
(:mod:`harvest_source.fitting`), which also learns columns nobody declared.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from harvest_source.columns import SEPARATOR, VARIANT, Column, Record, Type
from harvest_source.errors import ResponseError
from harvest_source.fitting import (
    PRECISION,
    SCALE,
    Misfit,
    as_text,
    dumps,
    fit,
    flatten,
    learn,
    loads,
    variant,
)

ACCOUNT_ID: Final = "account_id"
LOAD_ID: Final = "_dlt_load_id"
_OURS: Final = frozenset({ACCOUNT_ID, LOAD_ID, "_dlt_id"})

ARROW_TYPES: Final[Mapping[Type, pa.DataType]] = {
    Type.BIGINT: pa.int64(),
    Type.DECIMAL: pa.decimal128(PRECISION, SCALE),
    Type.TEXT: pa.string(),
    Type.BOOL: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Type.JSON: pa.string(),
}

_READ_AS_TEXT: Final = frozenset({Type.DATE, Type.TIMESTAMP})
_INSTANT_LENGTH: Final = len("2026-06-07T14:59:22Z")

Path = tuple[str, ...]


class Fitter:
    """
    Puts the values of records into columns, and learns the columns nobody declared. Thread-safe.

    An undeclared field becomes a column with the type of its first value and keeps that type for
    good: *learned* carries it from run to run.

    Args:
        columns: What is declared.
        arrays: Names of the declared arrays.
        excluded: Columns left out, by warehouse name.
        learned: Undeclared columns of earlier runs.
        rename: The destination's way with names.
    """

    def __init__(
        self,
        columns: Iterable[Column],
        *,
        arrays: Iterable[str] = (),
        excluded: frozenset[str] = frozenset(),
        learned: Mapping[str, Type] | None = None,
        rename: Callable[[str], str] = str,
    ) -> None:
        self._excluded = excluded
        self._rename = rename
        self._arrays = frozenset(arrays) - excluded
        self._lock = threading.Lock()
        self.declared = {c.name: c.type for c in columns if c.name not in excluded}
        self.learned = {n: t for n, t in (learned or {}).items() if n not in excluded}
        """Columns beyond the declared ones, ``__v_text`` columns included."""
        self.paths: dict[str, Path] = {}
        """Where undeclared columns lie in the record, when their name does not tell."""

    @property
    def known(self) -> dict[str, Type]:
        """Every column but the arrays, declared ones first."""
        return {**self.declared, **self.learned}

    @property
    def arrays(self) -> frozenset[str]:
        """Columns whose cells are JSON text of an array."""
        return self._arrays | {n for n, t in self.learned.items() if t is Type.JSON}

    def place(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The cells of *rows*, without nulls; what does not fit is text in ``__v_text`` cells."""
        with self._lock:
            return [self._place(row) for row in rows]

    def _place(self, row: Mapping[str, Any]) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for (name, value), path in zip(flatten(row, self._rename), _paths(row, ()), strict=True):
            if name in self._excluded or value is None:
                continue
            if name in _OURS or name in cells:
                self._put_aside(cells, name, as_text(value))
            elif name in self._arrays:
                self._put_array(cells, name, value)
            else:
                self._put(cells, name, value, path)
        return cells

    def _put_array(self, cells: dict[str, Any], name: str, value: Any) -> None:
        if isinstance(value, list):
            cells[name] = dumps(value)
        else:
            self._put_aside(cells, name, as_text(value))

    def _put(self, cells: dict[str, Any], name: str, value: Any, path: Path) -> None:
        column_type = self.known_type(name) or self._learn(name, value, path)
        fitted = fit(value, column_type)
        if isinstance(fitted, Misfit):
            self._put_aside(cells, name, fitted.text)
        else:
            cells[name] = fitted

    def known_type(self, name: str) -> Type | None:
        """The type of column *name*, if it is known."""
        return self.declared.get(name) or self.learned.get(name)

    def _learn(self, name: str, value: Any, path: Path) -> Type:
        column_type = learn(value)
        self.learned[name] = column_type
        if path != tuple(name.split(SEPARATOR)):
            self.paths[name] = path
        return column_type

    def _put_aside(self, cells: dict[str, Any], name: str, text: str) -> None:
        aside, number = variant(name), 2
        while aside in cells:  # Two fields of one record that share a column name.
            aside, number = f"{variant(name)}_{number}", number + 1
        self.learned.setdefault(aside, Type.TEXT)
        cells[aside] = text


class Decoder:
    """
    Turns the rows of one account's table into Arrow tables. Thread-safe.

    Args:
        record: What is declared.
        account_id: Goes into every row.
        excluded, learned, rename: As for :class:`Fitter`.
    """

    def __init__(
        self,
        record: Record,
        *,
        account_id: int,
        excluded: frozenset[str] = frozenset(),
        learned: Mapping[str, Type] | None = None,
        rename: Callable[[str], str] = str,
    ) -> None:
        self._account_id = account_id
        self._hidden = {c.name: c.type for c in record.columns if c.name in excluded}
        self._fitter = Fitter(
            record.columns,
            arrays=(child.name for child in record.children),
            excluded=excluded,
            learned=learned,
            rename=rename,
        )
        self._fields = self._build_fields()

    @property
    def learned(self) -> Mapping[str, Type]:
        """Columns beyond the declared ones, ``__v_text`` columns included."""
        return dict(self._fitter.learned)

    @property
    def arrays(self) -> frozenset[str]:
        """Columns of :meth:`decode`'s tables that hold JSON text of an array."""
        return self._fitter.arrays

    def empty(self) -> pa.Table:
        """A table without rows and with every column known now."""
        return self._assemble([])

    def decode(self, rows: bytes) -> pa.Table:
        """
        Parse one page.

        Args:
            rows: A JSON array of records, as Harvest sent it.

        Returns:
            ``account_id``, the declared columns, the learned ones; one row per record, in order.

        Raises:
            ResponseError: The array holds something that is not a record.
        """
        fields = self._fields
        if fields is not None:
            try:
                return self._decode_fast(rows, fields)
            except pa.ArrowInvalid:
                pass  # Something does not fit as declared: the exact way sorts it out.
        return self._decode_exactly(rows)

    # The fast way.

    def _build_fields(self) -> list[pa.Field] | None:
        """The page's shape for Arrow's parser; None when it cannot be said (arrays, clashes)."""
        if self._fitter.arrays:
            return None
        tree: dict[str, Any] = {}
        for name, column_type in self._parsed_columns().items():
            *parents, leaf = self._path(name)
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
                if not isinstance(branch, dict):
                    return None
            if leaf in branch:
                return None
            branch[leaf] = column_type
        return _struct_fields(tree)

    def _parsed_columns(self) -> dict[str, Type]:
        known = {n: t for n, t in self._fitter.known.items() if VARIANT not in n}
        return {**known, **self._hidden}

    def _path(self, name: str) -> Path:
        return self._fitter.paths.get(name) or tuple(name.split(SEPARATOR))

    def _decode_fast(self, rows: bytes, fields: list[pa.Field]) -> pa.Table:
        body = b'{"rows":' + rows + b"}"
        parsed = pj.read_json(
            pa.BufferReader(body),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=pa.schema([("rows", pa.list_(pa.struct(fields)))]),
                unexpected_field_behavior="error",
            ),
        )
        records = parsed.column("rows").combine_chunks().flatten()
        leaves = dict(_leaves(records, fields, ()))
        columns = {}
        for name, column_type in self._fitter.known.items():
            path = self._path(name)
            if path in leaves:
                columns[name] = _cast_text(leaves[path], column_type)
            else:
                columns[name] = pa.nulls(len(records), ARROW_TYPES[column_type])
        return self._with_account(columns, len(records))

    # The exact way.

    def _decode_exactly(self, rows: bytes) -> pa.Table:
        try:
            parsed = loads(rows)
        except (ValueError, RecursionError) as error:
            msg = "Harvest sent a page whose rows are not JSON."
            raise ResponseError(msg) from error
        if not isinstance(parsed, list) or not all(isinstance(row, dict) for row in parsed):
            msg = "Harvest sent a page that holds something other than records."
            raise ResponseError(msg)
        known = len(self._fitter.learned)
        cells = self._fitter.place(parsed)
        if len(self._fitter.learned) != known:
            self._fields = self._build_fields()
        return self._assemble(cells)

    # Both ways.

    def _assemble(self, cells: list[dict[str, Any]]) -> pa.Table:
        types = dict.fromkeys(sorted(self._fitter.arrays), Type.JSON) | self._fitter.known
        columns = {
            name: pa.array([cell.get(name) for cell in cells], ARROW_TYPES[column_type])
            for name, column_type in types.items()
        }
        return self._with_account(columns, len(cells))

    def _with_account(self, columns: dict[str, pa.Array], length: int) -> pa.Table:
        account = pa.repeat(pa.scalar(self._account_id, pa.int64()), length)
        return pa.table({ACCOUNT_ID: account, **columns})


def _paths(row: Mapping[str, Any], parents: Path) -> Iterable[Path]:
    """Paths of the members that :func:`flatten` yields, in its order, under Harvest's names."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _paths(value, (*parents, name))
        else:
            yield (*parents, name)


def _struct_fields(tree: Mapping[str, Any]) -> list[pa.Field]:
    return [
        pa.field(name, pa.struct(_struct_fields(node)))
        if isinstance(node, dict)
        else pa.field(name, pa.string() if node in _READ_AS_TEXT else ARROW_TYPES[node])
        for name, node in tree.items()
    ]


def _leaves(
    records: pa.StructArray, fields: Iterable[pa.Field], parents: Path
) -> Iterable[tuple[Path, pa.Array]]:
    for field, column in zip(fields, records.flatten(), strict=True):
        path = (*parents, field.name)
        if pa.types.is_struct(field.type):
            yield from _leaves(column, field.type, path)
        else:
            yield path, column


def _cast_text(column: pa.Array, column_type: Type) -> pa.Array:
    """Dates and instants, which Arrow's own JSON parser would accept in looser forms."""
    if column_type not in _READ_AS_TEXT or pa.types.is_null(column.type):
        return column
    if column_type is Type.TIMESTAMP:
        as_sent = pc.and_(
            pc.equal(pc.binary_length(column), _INSTANT_LENGTH), pc.ends_with(column, "Z")
        )
        if pc.all(as_sent).as_py() is False:
            raise pa.ArrowInvalid("an instant in another form")
    return column.cast(ARROW_TYPES[column_type])
