"""
Turns decoded rows into the form in which dlt takes them.

Tables without arrays travel as Arrow tables, straight to parquet. Tables with arrays travel as
dictionaries: only then does dlt keep child rows with their parents and remove the children of an
array that became empty. In both forms every value has already been fitted to its column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.common.schema.typing import TTableSchemaColumns

from harvest_source.decode.coerce import loads
from harvest_source.decode.column_fitter import ColumnFitter
from harvest_source.decode.decoder import Decoder
from harvest_source.dlt_internals import find_load_id
from harvest_source.extract.sublists import Sublist
from harvest_source.load.file_format import EXACT, choose_format
from harvest_source.load.hints import is_declared, learned_columns, type_hint
from harvest_source.load.limits import find_limits
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID, SEPARATOR, VARIANT, Column, Type
from harvest_source.schema.endpoint import Endpoint


@dataclass(slots=True)
class KnownHints:
    """What a dlt resource already knows of its table; each hint makes dlt compute it all again."""

    columns: set[str] = field(default_factory=set)
    has_format: bool = False


class DltEncoder:
    """
    Turns the Arrow tables of one account and table into items for dlt.

    Args:
        known: Shared by the encoders of all accounts of one resource in one load; None: each item
            carries all of its hints, because a user's steps may leave out the first.
        as_rows: Make dictionaries even if the table travels as Arrow tables, for a user's steps;
            :class:`harvest_source.load.row_tables.RowTables` turns them into tables afterwards.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        decoder: Decoder,
        account_id: int,
        schema: dlt.Schema,
        known: KnownHints | None = None,
        *,
        as_rows: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self.decoder = decoder
        self._account_id = account_id
        self._schema = schema
        self._as_rows = as_rows
        self._known = known
        self._fitters: dict[str, ColumnFitter] = {}

    def encode(self, table: pa.Table) -> Any:
        """
        One item for dlt, with hints for columns that dlt does not know yet.

        Raises:
            ConfigError: The destination cannot hold a value, not even as text.
        """
        table = place_misfits(self._endpoint, self.decoder, table)
        if self._endpoint.record.children:
            return add_hints(
                self._as_records(table), columns=self._find_new_columns(table.column_names)
            )
        item = table.to_pylist() if self._as_rows else with_load_id(table, self._endpoint)
        return add_hints(
            item,
            columns=self._find_new_columns(table.column_names),
            is_first_table=self._is_first_table(),
        )

    def _is_first_table(self) -> bool:
        if self._known is None:
            return True
        is_first, self._known.has_format = not self._known.has_format, True
        return is_first

    def _find_new_columns(self, names: list[str]) -> TTableSchemaColumns:
        learned = self.decoder.learned
        as_lists = self.decoder.arrays if self._endpoint.record.children else frozenset()
        # Records whose key does not fit are left out, so no column is needed beside a key.
        beside_key = {f"{name}{VARIANT}" for name in self._endpoint.key} - {*names}
        told = self._known.columns if self._known is not None else set[str]()
        known = told | as_lists | beside_key
        new = {name: column_type for name, column_type in learned.items() if name not in known}
        told.update(new)
        return {name: type_hint(name, column_type) for name, column_type in new.items()}

    def _as_records(self, table: pa.Table) -> list[dict[str, Any]]:
        records = cast(list[dict[str, Any]], table.to_pylist())
        keys = {name: column.name for name, column in self._endpoint.parent_keys.items()}
        for name in self.decoder.arrays & set(table.column_names):
            for record in records:
                if record[name] is not None:
                    key = {column: record[each] for each, column in keys.items()}
                    record[name] = self._as_children(name, loads(record[name].encode()), key)
        return records

    def _as_children(
        self, name: str, elements: list[Any], key: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        rows = [each if isinstance(each, dict) else {"value": each} for each in elements]
        cells = self._fitter(name).place(rows)
        # The key comes first, and overrides a field that Harvest may one day give the same name.
        return [{ACCOUNT_ID: self._account_id, **key, **cell, **key} for cell in cells]

    def _fitter(self, name: str) -> ColumnFitter:
        if name not in self._fitters:
            parent_keys = tuple(self._endpoint.parent_keys.values())
            declared = (*parent_keys, *self._declared_children.get(name, ()))
            child_table = f"{self._endpoint.name}{SEPARATOR}{name}"
            self._fitters[name] = ColumnFitter(
                declared,
                learned=learned_columns(
                    self._schema, child_table, (column.name for column in declared)
                ),
                rename=self._schema.naming.normalize_path,
            )
        return self._fitters[name]

    @cached_property
    def _declared_children(self) -> Mapping[str, tuple[Column, ...]]:
        return {child.name: child.columns for child in self._endpoint.record.children}


def place_misfits(endpoint: Endpoint, decoder: Decoder, rows: pa.Table) -> pa.Table:
    """
    Move values of *rows* that the destination cannot hold, as text, beside their column.

    Raises:
        ConfigError: A text is too long for the destination, or a key does not fit.
    """
    if (limits := find_limits()) is None:
        return rows
    # Arrays are JSON here; the destination gets rows of child tables, or JSON in a history.
    arrays = [name for name in rows.column_names if name in decoder.arrays]
    placed = limits.place(endpoint.name, rows.drop_columns(arrays), endpoint.key)
    for name in placed.column_names:
        if name not in rows.column_names:
            decoder.learn_variant(name)
    for name in arrays:
        placed = placed.append_column(name, rows.column(name))
    return placed


def build_decoder(
    endpoint: Endpoint,
    account_id: int,
    excluded: frozenset[str],
    schema: dlt.Schema,
    learned: dict[str, Type],
) -> Decoder:
    """A decoder of one table's pages. Decoders of the same table share the dict *learned*."""
    return Decoder(
        endpoint.record,
        account_id=account_id,
        excluded=excluded,
        learned=learned,
        rename=schema.naming.normalize_path,
    )


def iter_empty_table(
    endpoint: Endpoint, excluded: frozenset[str], schema: dlt.Schema
) -> Iterator[Any]:
    """
    The item that makes dlt create the table, unless *schema* has it with every column.

    An account without rows gets all declared tables too: models downstream need them.
    """
    if is_declared(schema, endpoint, excluded):
        return
    if endpoint.record.children:
        yield dlt.mark.materialize_table_schema()
    else:
        # The mark would make dlt's load id nullable, and Arrow rows could never follow.
        sublist = Sublist(tuple((column.name, None) for column in endpoint.injected))
        empty = build_decoder(endpoint, 0, excluded, schema, {}).empty()
        table = with_load_id(sublist.stamp(empty, endpoint), endpoint)
        yield add_hints(table, columns={}, is_first_table=True)


def add_hints(item: Any, *, columns: TTableSchemaColumns, is_first_table: bool = False) -> Any:
    """
    *item* with the hints that it needs.

    Args:
        columns: Columns that dlt does not know.
        is_first_table: It is an Arrow table and the first of its resource: it carries the file
            format, where dlt's own choice is not exact.
    """
    hints: dict[str, Any] = {"columns": columns} if columns else {}
    if is_first_table and choose_format() == EXACT:
        hints["file_format"] = EXACT
    return dlt.mark.with_hints(item, dlt.mark.make_hints(**hints)) if hints else item


def with_load_id(table: pa.Table, endpoint: Endpoint) -> pa.Table:
    """*table* with dlt's load id, and its keys marked as never null, as in dlt's schema."""
    # Rows that are drawn outside a pipeline belong to no load.
    load_id = pa.repeat(pa.scalar(find_load_id() or "", pa.string()), table.num_rows)
    with_id = table.append_column(LOAD_ID, load_id)
    never_null = {*endpoint.key, LOAD_ID}
    fields = [field.with_nullable(field.name not in never_null) for field in with_id.schema]
    return with_id.cast(pa.schema(fields))
