"""
Decodes pages into Arrow tables: declared columns in their types, every value exact.

There are two paths with the same result. On the fast path, Arrow parses the page directly into the
declared types, and fails on any value that does not fit. Such a page then takes the exact path,
value by value (:mod:`harvest_source.decode.coerce`), which also learns columns that are not
declared.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from harvest_source.concurrency import processor_slots
from harvest_source.decode.coerce import PRECISION, SCALE, Path, loads
from harvest_source.decode.column_fitter import ColumnFitter
from harvest_source.errors import ResponseError
from harvest_source.schema.columns import ACCOUNT_ID, SEPARATOR, VARIANT, Record, Type

ARROW_TYPES: Final[Mapping[Type, pa.DataType]] = {
    Type.BIGINT: pa.int64(),
    Type.DECIMAL: pa.decimal128(PRECISION, SCALE),
    Type.TEXT: pa.string(),
    Type.BOOL: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Type.JSON: pa.string(),
}

_PLAUSIBLE: Final = 10**15
"""
Decimals from here on take the exact path: no hours, rate or amount is that large, and Arrow's
parser does not check for overflow. It reads 3.5e29 as 9717633079061536536625392568.231788544. A
number written without an exponent that overflows comes out above 1e20; one with an exponent can
come out as any 128-bit value.
"""

_EARLIEST: Final = {
    Type.DATE: pa.scalar(date.min, ARROW_TYPES[Type.DATE]),
    Type.TIMESTAMP: pa.scalar(datetime.min.replace(tzinfo=UTC), ARROW_TYPES[Type.TIMESTAMP]),
}
"""Python's first moment. Arrow reads the year 0000, which the exact path does not accept."""

_INSTANT_LENGTH: Final = len("2026-06-07T14:59:22Z")

_EXPONENT: Final = "[eE]-[0-9]"
_EXPONENTS: Final = ("e-[0-9]", "E-[0-9]")
"""The same as two patterns: one that begins with a single letter is found faster."""
_NUMBER_BYTES: Final = frozenset(b"0123456789.-")
_BEFORE_NUMBER: Final = frozenset(b":,[ \t\r\n")


@dataclass(frozen=True, slots=True)
class Shape:
    """
    What a page looks like to Arrow's parser.

    Attributes:
        columns: Name and type of the column by the value's path; None: the column is left out.
    """

    schema: pa.Schema
    columns: Mapping[Path, tuple[str, Type] | None]


class Decoder:
    """
    Turns the rows of one account's table into Arrow tables. Thread-safe.

    Args:
        record: The declared columns and arrays.
        account_id: Written into every row.
        excluded, learned, rename: As for :class:`ColumnFitter`.
    """

    def __init__(
        self,
        record: Record,
        *,
        account_id: int,
        excluded: frozenset[str] = frozenset(),
        learned: dict[str, Type] | None = None,
        rename: Callable[[str], str] = str,
    ) -> None:
        self._account_id = account_id
        self._hidden = {c.name: c.type for c in record.columns if c.name in excluded}
        self._fitter = ColumnFitter(
            record.columns,
            arrays=(child.name for child in record.children),
            excluded=excluded,
            learned=learned,
            rename=rename,
        )
        self._building = threading.Lock()
        self._shape = self._build_shape()

    def learn_variant(self, name: str) -> None:
        """Note that the table has *name*, a column for values that another cannot hold."""
        self._fitter.learn_variant(name)

    @property
    def learned(self) -> Mapping[str, Type]:
        """Columns that are not declared, ``__v_text`` columns included."""
        return self._fitter.learned

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
        with processor_slots():
            shape = self._shape
            if shape is not None:
                try:
                    return self._decode_fast(rows, shape)
                except (pa.ArrowException, RecursionError):
                    pass  # A value does not fit its declared type: the exact way finds out which.
            return self._decode_exactly(rows)

    # The fast path.

    def _build_shape(self) -> Shape | None:
        """The shape to expect; None when Arrow cannot express it (arrays, clashing paths)."""
        known, paths = self._fitter.known, self._fitter.paths
        if Type.JSON in known.values():
            return None
        columns: dict[Path, tuple[str, Type] | None] = {}
        tree: dict[str, Any] = {}
        for name, column_type in (self._hidden | known).items():
            if VARIANT in name:
                continue
            path = paths.get(name) or tuple(name.split(SEPARATOR))
            if not _plant(tree, path, column_type):
                return None
            columns[path] = None if name in self._hidden else (name, column_type)
        fields = pa.list_(pa.struct(_struct_fields(tree)))
        return Shape(pa.schema([("rows", fields)]), columns)

    def _decode_fast(self, rows: bytes, shape: Shape) -> pa.Table:
        if has_negative_exponent(rows):
            raise pa.ArrowInvalid("a number that may come out as zero")
        body = b"".join((b'{"rows":', rows, b"}"))  # One copy of a page; + would make two.
        parsed = pj.read_json(
            pa.BufferReader(body),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=shape.schema, unexpected_field_behavior="infer"
            ),
        )
        records = parsed.column("rows").combine_chunks().flatten()
        if records.null_count:
            raise pa.ArrowInvalid("a null in place of a record")
        known = self._fitter.known
        found: dict[str, pa.Array] = {}
        for path, values in _leaves(records, ()):
            if path not in shape.columns:
                if not pa.types.is_null(values.type):
                    raise pa.ArrowInvalid("an undeclared field with a value")
            elif (column := shape.columns[path]) is not None:
                name, column_type = column
                found[name] = check_values(values, column_type)
        columns = {
            name: found[name] if name in found else pa.nulls(len(records), ARROW_TYPES[column_type])
            for name, column_type in known.items()
        }
        table = self._with_account(columns, len(records))
        table.validate(full=True)  # Arrow's parser does not check that text is UTF-8.
        return table

    # The exact path.

    def _decode_exactly(self, rows: bytes) -> pa.Table:
        try:
            parsed = loads(rows)
            if not isinstance(parsed, list) or not all(isinstance(row, dict) for row in parsed):
                msg = "Harvest sent a page that holds something other than records."
                raise ResponseError(msg)
            before = self._fitter.known, self._fitter.paths
            cells = self._fitter.place(parsed)
        except (ValueError, RecursionError) as error:
            msg = "Harvest sent a page whose rows are not JSON, or nested too deeply to read."
            raise ResponseError(msg) from error
        if (self._fitter.known, self._fitter.paths) != before:
            # One thread at a time: an outdated shape must not replace a newer one.
            with self._building:
                self._shape = self._build_shape()
        return self._assemble(cells)

    # Both paths.

    def _assemble(self, cells: Sequence[Mapping[str, Any]]) -> pa.Table:
        columns = {
            name: pa.array([cell.get(name) for cell in cells], ARROW_TYPES[column_type])
            for name, column_type in self._fitter.known.items()
        }
        return self._with_account(columns, len(cells))

    def _with_account(self, columns: Mapping[str, pa.Array], length: int) -> pa.Table:
        account = pa.repeat(pa.scalar(self._account_id, pa.int64()), length)
        return pa.table({ACCOUNT_ID: account, **columns})


def _plant(tree: dict[str, Any], path: Path, column_type: Type) -> bool:
    """Put a leaf into the tree of a record's shape; False if its place is taken."""
    *parents, leaf = path
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            return False
    if leaf in tree:
        return False
    tree[leaf] = column_type
    return True


def _struct_fields(tree: Mapping[str, Any]) -> list[pa.Field]:
    return [
        pa.field(name, pa.struct(_struct_fields(node)))
        if isinstance(node, dict)
        else pa.field(name, pa.string() if node in _EARLIEST else ARROW_TYPES[node])
        for name, node in tree.items()
    ]


def _leaves(records: pa.StructArray, above: Path) -> Iterator[tuple[Path, pa.Array]]:
    for field, values in zip(records.type, records.flatten(), strict=True):
        path = (*above, field.name)
        if pa.types.is_struct(field.type):
            yield from _leaves(values, path)
        else:
            yield path, values


def has_negative_exponent(rows: bytes) -> bool:
    """
    Whether a number may be written like ``1e-92``, which Arrow (26) reads as zero.

    Only the surroundings of each ``e-1`` are examined: Harvest does not write such numbers, but its
    texts may contain them.
    """
    # Arrow's search is far faster than Python's, and it releases the GIL.
    text = _as_array(rows)
    if not any(pc.any(pc.match_substring_regex(text, each)).as_py() for each in _EXPONENTS):
        return False
    for found in re.finditer(_EXPONENT.encode(), rows):
        start = at = found.start()
        while start and rows[start - 1] in _NUMBER_BYTES:
            start -= 1
        if start < at and rows[start - 1] in _BEFORE_NUMBER:
            return True
    return False


def _as_array(text: bytes) -> pa.Array:
    """A binary array of one value, without a copy."""
    offsets = pa.array([0, len(text)], pa.int64()).buffers()[1]
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(text)])


def check_values(values: pa.Array, column_type: Type) -> pa.Array:
    """
    A parsed column in its final type.

    Raises:
        pa.ArrowInvalid: Arrow accepted a value that :func:`coerce.fit` would not.
    """
    if column_type is Type.DECIMAL:
        ends = pc.min_max(values).as_py().values()
        if any(end is not None and abs(end) >= _PLAUSIBLE for end in ends):
            raise pa.ArrowInvalid("a decimal that may have overflowed")
        return values
    if column_type not in _EARLIEST:
        return values
    if column_type is Type.TIMESTAMP:
        as_sent = pc.and_(
            pc.equal(pc.binary_length(values), _INSTANT_LENGTH), pc.ends_with(values, "Z")
        )
        if pc.all(as_sent).as_py() is False:
            raise pa.ArrowInvalid("an instant in another form")
    cast = values.cast(ARROW_TYPES[column_type])
    if pc.any(pc.less(cast, _EARLIEST[column_type])).as_py():
        raise pa.ArrowInvalid("the year 0000")
    return cast
