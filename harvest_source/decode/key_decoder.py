"""
Pages into Arrow tables of few columns: which rows a list has, and when they changed.

A whole page takes ten times as long to decode. What does not look as expected is decoded whole, so
that both ways have one result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce
from typing import Any, Final

import msgspec
import pyarrow as pa

from harvest_source.decode.decoder import ARROW_TYPES, Decoder, check_values
from harvest_source.schema.columns import SEPARATOR, VARIANT, Record, Type

_MEMBERS: Final[Mapping[Type, Any]] = {
    Type.BIGINT: int | None,
    Type.DATE: str | None,
    Type.TIMESTAMP: str | None,
}
"""What JSON has for a column's value; columns of other types are not read by themselves."""

_WHOLE_NUMBERS: Final = ARROW_TYPES[Type.BIGINT]


class KeyDecoder:
    """
    Decodes some columns of one account's table. Thread-safe.

    Args:
        record: The declared columns.
        whole: Decodes what does not look as expected.
        wanted: Names of columns; those without a declaration are left out.
    """

    def __init__(self, record: Record, whole: Decoder, wanted: Collection[str]) -> None:
        self._whole = whole
        self._types = {
            each.name: each.type
            for each in record.columns
            if each.name in wanted and each.type in _MEMBERS
        }
        tree: dict[str, Any] = {}
        for name, of in self._types.items():
            *above, leaf = name.split(SEPARATOR)
            reduce(lambda node, each: node.setdefault(each, {}), above, tree)[leaf] = _MEMBERS[of]
        self._decoder: Any = msgspec.json.Decoder(type=list[_build_struct(tree)])  # type: ignore[misc]

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
            records = self._decoder.decode(rows)
            columns = {name: self._build(records, name, of) for name, of in self._types.items()}
        except (msgspec.MsgspecError, pa.ArrowException, OverflowError, RecursionError):
            table = self._whole.decode(rows)
            return table.select([each for each in table.column_names if self._is_wanted(each)])
        return pa.table(columns)

    def _build(self, records: list[Any], name: str, of: Type) -> pa.Array:
        values = records
        for member in name.split(SEPARATOR):
            values = [None if each is None else getattr(each, member) for each in values]
        sent = pa.array(values, _WHOLE_NUMBERS if of is Type.BIGINT else pa.string())
        return check_values(sent, of)

    def _is_wanted(self, name: str) -> bool:
        return name.removesuffix(VARIANT) in self._types


def _build_struct(tree: Mapping[str, Any]) -> Any:
    """The type of an object with the members of *tree*, each of which may be absent or null."""
    fields = [
        (name, _build_struct(node) | None if isinstance(node, dict) else node, None)
        for name, node in tree.items()
    ]
    return msgspec.defstruct("Members", fields, gc=False)
