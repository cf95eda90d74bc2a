"""
Decodes pages into Arrow tables of few columns: which rows a list has, and when they changed.

Decoding all columns takes ten times as long, and finding out first where the rows end takes as long
again as reading their keys. A page that does not look as expected is decoded whole, so that all
paths have the same result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa

from harvest_source.decode.coerce import PRECISION, SCALE
from harvest_source.decode.decoder import ARROW_TYPES, Decoder, check_values
from harvest_source.schema.columns import SEPARATOR, VARIANT, Record, Type

_MEMBERS: Final[Mapping[Type, Any]] = {
    Type.BIGINT: int | None,
    Type.BOOL: bool | None,
    Type.DECIMAL: Decimal | None,
    Type.DATE: str | None,
    Type.TIMESTAMP: str | None,
}
"""The JSON type of a column's value; columns of other types are not read by themselves."""

_NOTHING: Final[Any] = Annotated[int, msgspec.Meta(gt=0, lt=0)]
"""A type that no value has."""

_AS_TEXT: Final = frozenset({Type.DATE, Type.TIMESTAMP})
"""Types whose values are text in JSON."""

_ENVELOPE: Final = ("links", "next_page", "total_pages", "total_entries", "per_page")
"""Members beside the rows, kept as raw JSON."""


class KeyDecoder:
    """
    Decodes some columns of one account's table. Thread-safe.

    Args:
        record: The declared columns.
        whole: Decodes pages that do not look as expected.
        wanted: Names of columns; those without a declaration are left out.
        key: Name of the array in the envelope; None: whole bodies are not read.
    """

    def __init__(
        self, record: Record, whole: Decoder, wanted: Collection[str], key: str | None = None
    ) -> None:
        self._whole = whole
        self._types = {
            each.name: each.type
            for each in record.columns
            if each.name in wanted and each.type in _MEMBERS
        }
        tree: dict[str, Any] = {}
        for name, of in self._types.items():
            *above, leaf = path = name.split(SEPARATOR)
            reduce(lambda node, each: node.setdefault(each, {}), above, tree)[leaf] = _MEMBERS[of]
            _forbid_joined(tree, path)
        rows: Any = list[_build_struct(tree)]  # type: ignore[misc]
        self._decoder: Any = msgspec.json.Decoder(type=rows)
        self._bodies: Any = None
        if key is not None:
            self._bodies = msgspec.json.Decoder(type=_build_envelope(rows, key))

    def read_body(self, body: bytes) -> tuple[pa.Table, Mapping[str, msgspec.Raw]] | None:
        """
        Parse a body with its envelope, in one pass.

        Returns:
            What :meth:`decode` makes of the rows, and the other members that a list has; None if
            something does not look as expected.
        """
        try:
            read = self._bodies.decode(body)
            table = self._build_table(read.rows)
        except _UNEXPECTED:
            return None
        members = {name: getattr(read, name) for name in _ENVELOPE}
        return table, {name: raw for name, raw in members.items() if raw is not msgspec.UNSET}

    def decode(self, rows: bytes) -> pa.Table:
        """
        Parse one page.

        Args:
            rows: A JSON array of records, as Harvest sent it.

        Returns:
            The wanted columns, in the order of the page.

        Raises:
            ResponseError: The array holds something that is not a record.
        """
        try:
            return self._build_table(self._decoder.decode(rows))
        except _UNEXPECTED:
            table = self._whole.decode(rows)
            return table.select([each for each in table.column_names if self._is_wanted(each)])

    def _build_table(self, records: list[Any]) -> pa.Table:
        return pa.table({name: self._build(records, name, of) for name, of in self._types.items()})

    def _build(self, records: list[Any], name: str, of: Type) -> pa.Array:
        values = _pick(records, name.split(SEPARATOR))
        if of is Type.DECIMAL and any(map(_is_too_fine, values)):
            raise pa.ArrowInvalid("A number has more decimals than Arrow can rescale.")
        sent = pa.array(values, pa.string() if of in _AS_TEXT else ARROW_TYPES[of])
        return check_values(sent, of)

    def _is_wanted(self, name: str) -> bool:
        return name.removesuffix(VARIANT) in self._types


def _pick(records: list[Any], path: Sequence[str]) -> list[Any]:
    """The member at *path* of each record; None where one above it is None."""
    try:
        return list(map(attrgetter(".".join(path)), records))  # Takes half the time.
    except AttributeError:
        values = records
        for member in path:
            values = [None if each is None else getattr(each, member) for each in values]
        return values


def _is_too_fine(value: Decimal | None) -> bool:
    """
    Whether Arrow would turn *value* into another number, without an error.

    It notices lost decimals only if it removes no more of them than its numbers have digits:
    otherwise 1E-50 becomes zero, and others become any number.
    """
    exponent = 0 if value is None else value.as_tuple().exponent
    return isinstance(exponent, int) and -exponent > SCALE + PRECISION


_UNEXPECTED: Final = (msgspec.MsgspecError, pa.ArrowException, OverflowError, RecursionError)


def _forbid_joined(tree: dict[str, Any], path: Sequence[str]) -> None:
    """
    Make *tree* refuse members named like joined parts of *path*: ``client__id`` beside ``client``.

    Their values belong to the same column: only whole rows show which of them counts.
    """
    node = tree
    for at, member in enumerate(path[:-1]):
        for end in range(at + 2, len(path) + 1):
            node[SEPARATOR.join(path[at:end])] = _NOTHING
        node = node[member]


def _build_envelope(rows: Any, key: str) -> Any:
    """The type of a body whose *rows* are under *key*, which it must have."""
    other: Any = msgspec.Raw | msgspec.UnsetType
    fields: list[Any] = [("rows", rows), *((name, other, msgspec.UNSET) for name in _ENVELOPE)]
    return msgspec.defstruct("Body", fields, rename={"rows": key}, gc=False)


def _build_struct(tree: Mapping[str, Any]) -> Any:
    """The type of an object with the members of *tree*, each of which may be absent or null."""
    fields = [
        (name, _build_struct(node) | None if isinstance(node, dict) else node, None)
        for name, node in tree.items()
    ]
    return msgspec.defstruct("Members", fields, gc=False)
