"""
Read a Delta or Iceberg table with Arrow, and change it in one commit.

dlt 1.31 merges into these formats too. But it leaves stale elements when an array becomes shorter,
cannot keep versions, and upserts into Iceberg a thousand rows at a time, each in its own commit
that reads the whole table: that takes half an hour, and seconds here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, Final, Protocol
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from dlt.common.destination.exceptions import (
    DestinationTerminalException,
    DestinationTransientException,
)

from harvest_source.dlt_internals.delta_files import (
    FileExchange,
    can_exchange,
    cast_rows,
    find_places,
)
from harvest_source.dlt_internals.delta_writer import PART
from harvest_source.sql.maintenance import quote

_GONE: Final = "harvest_source_gone"
"""Column that marks keys in the source of a merge; Harvest has no column of this name."""


class OpenTable(Protocol):
    """
    A table that is changed by commits: readers see the table before or after one, never in between.

    Attributes:
        columns: The current columns, with Arrow's plain types.
        files: The current paths of the parquet files. Columns that a file lacks are null.

    Raises:
        DestinationTerminalException: Another program changed the table in a way that the parquet
            files alone do not show.
    """

    @property
    def columns(self) -> pa.Schema: ...

    @property
    def files(self) -> list[str]: ...

    def read(self, names: Sequence[str]) -> pa.Table:
        """Read the columns *names* of every row."""

    def iter_batches(self, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield every row, a part at a time; only the columns *names* if they are given."""

    def add_columns(self, columns: pa.Schema) -> None:
        """Add those of *columns* that the table lacks; they are null in every row."""

    def replace(self, keys: pa.Table | None, rows: pa.Table | None) -> None:
        """
        Remove every row whose values are in *keys*, and add *rows*, in one commit.

        Args:
            keys: Columns of the table, without nulls; None: no row is removed.
            rows: Columns that they lack are null; None: no row is added.

        Raises:
            DestinationTransientException: Another process changed the table, or the table cannot be
                written.
        """


def find_present_keys(table: OpenTable, keys: pa.Table) -> pa.Table:
    """
    Return the distinct *keys* for which *table* has rows, with the table's types.

    The table is read a part at a time: its keys alone may take hundreds of megabytes.
    """
    names = keys.column_names
    wanted, by = _narrow(table, keys)
    values = wanted.column(by).combine_chunks()
    found = [wanted.slice(0, 0)]
    for part in table.iter_batches(names):
        near = part.filter(pc.is_in(part.column(by), value_set=values))
        if near.num_rows:  # Most parts of a table have none.
            found.append(wanted.join(near, names, join_type="left semi"))
    return pa.concat_tables(found).group_by(names).aggregate([])


def _narrow(table: OpenTable, keys: pa.Table) -> tuple[pa.Table, str]:
    """Distinct *keys* with the types of *table*, and the key column with the most values."""
    names = keys.column_names
    types = pa.schema([table.columns.field(name) for name in names])
    wanted = keys.cast(types).group_by(names).aggregate([])
    return wanted, max(names, key=lambda name: len(wanted.column(name).unique()))


@contextmanager
def _translating_errors() -> Iterator[None]:
    """
    Raise errors of the formats' libraries as dlt's: their own base classes are in optional
    packages.
    """
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise DestinationTransientException(str(error)) from error


class _InFiles:
    """
    Reads a table's files with Arrow.

    It passes no filters to Arrow: Arrow 26 cannot compare texts with the statistics of files with
    string views, which deltalake writes.

    Args:
        table: The table object of deltalake or pyiceberg.
        file_system: fsspec's file system that holds the table's files.
    """

    def __init__(self, table: Any, file_system: Any) -> None:
        self._table = table
        self.file_system = file_system

    @property
    def columns(self) -> pa.Schema:
        raise NotImplementedError

    @property
    def files(self) -> list[str]:
        raise NotImplementedError

    def read(self, names: Sequence[str]) -> pa.Table:
        columns = pa.schema([self.columns.field(name) for name in names])
        return self._open(self.files).to_table(columns=list(names)).cast(columns)

    def iter_batches(self, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        yield from self._iter_parts(names, self.files)

    def _iter_parts(self, names: Sequence[str] | None, files: list[str]) -> Iterator[pa.Table]:
        """Yield every row of *files*, in their order."""
        columns = None if names is None else list(names)
        # By default Arrow reads ahead sixty parts, each with four times as many rows.
        parts = self._open(files).to_batches(
            columns=columns, batch_size=PART, batch_readahead=1, fragment_readahead=2
        )
        for batch in parts:
            yield pa.Table.from_batches([batch])

    def _open(self, files: list[str]) -> Any:
        if not files:
            return pads.dataset(self.columns.empty_table())
        return pads.dataset(
            files, schema=self.columns, format="parquet", filesystem=self.file_system
        )


class DeltaTable(_InFiles):
    """A Delta table: *table* is deltalake's."""

    @property
    def columns(self) -> pa.Schema:
        return _simplify(self._table.schema().to_arrow())

    @property
    def files(self) -> list[str]:
        if "deletionVectors" in (self._table.protocol().reader_features or ()):
            raise DestinationTerminalException(_explain_other("deletion vectors"))
        # The library writes a space in a folder's name as %20.
        return [self.file_system._strip_protocol(unquote(uri)) for uri in self._table.file_uris()]

    def add_columns(self, columns: pa.Schema) -> None:
        from deltalake import Field

        known = set(self.columns.names)
        if new := [Field.from_arrow(each) for each in columns if each.name not in known]:
            with _translating_errors():
                self._table.alter.add_columns(new)

    def replace(self, keys: pa.Table | None, rows: pa.Table | None) -> None:
        columns = self.columns
        added = cast_rows(columns.empty_table() if rows is None else rows, columns)
        if can_exchange(self._table):
            self._exchange(keys, added)
        else:
            self._replace_by_merge(keys, added)

    def _exchange(self, keys: pa.Table | None, added: pa.Table) -> None:
        files = self.files
        with (
            _translating_errors(),
            FileExchange(self._table, self.file_system, added.schema) as exchange,
        ):
            if keys is not None and keys.num_rows:
                wanted, by = _narrow(self, keys)
                for file in files:
                    parts = self._iter_parts(keys.column_names, [file])
                    if len(places := find_places(wanted, parts, by)):
                        exchange.remove_rows(file, places)
            exchange.add_rows(added)
            exchange.commit()

    def _replace_by_merge(self, keys: pa.Table | None, added: pa.Table) -> None:
        from deltalake import write_deltalake

        present = None if keys is None else find_present_keys(self, keys)
        with _translating_errors():
            if present is not None and present.num_rows:
                self._merge(present, added)
            elif added.num_rows:
                write_deltalake(self._table, added, mode="append")

    def _merge(self, keys: pa.Table, rows: pa.Table) -> None:
        """Remove and add rows in one commit, which in deltalake only a merge can do."""
        marks = cast_rows(keys, rows.schema).append_column(_GONE, pa.repeat(True, keys.num_rows))
        added = rows.append_column(_GONE, pa.repeat(False, rows.num_rows))
        same = (f"target.{quote(name)} = source.{quote(name)}" for name in keys.column_names)
        merge = self._table.merge(
            source=pa.concat_tables([marks, added]).combine_chunks(),
            predicate=" AND ".join((f"source.{_GONE}", *same)),
            source_alias="source",
            target_alias="target",
        ).when_matched_delete()
        if rows.num_rows:
            merge = merge.when_not_matched_insert(
                {quote(name): f"source.{quote(name)}" for name in rows.column_names},
                predicate=f"NOT source.{_GONE}",
            )
        merge.execute()


class IcebergTable(_InFiles):
    """An Iceberg table: *table* is pyiceberg's."""

    @property
    def columns(self) -> pa.Schema:
        return _simplify(self._table.schema().as_arrow())

    @property
    def files(self) -> list[str]:
        tasks = list(self._table.scan().plan_files())
        if any(task.delete_files for task in tasks):
            raise DestinationTerminalException(_explain_other("files of deletes"))
        return [self.file_system._strip_protocol(task.file.file_path) for task in tasks]

    def add_columns(self, columns: pa.Schema) -> None:
        known = {field.name for field in self._table.schema().fields}
        if new := [each for each in columns if each.name not in known]:
            with _translating_errors(), self._table.update_schema() as update:
                update.union_by_name(pa.schema(new))

    def replace(self, keys: pa.Table | None, rows: pa.Table | None) -> None:
        present = None if keys is None else find_present_keys(self, keys)
        with _translating_errors(), self._table.transaction() as transaction:
            if present is not None and present.num_rows:
                transaction.delete(_build_filter(present))
            if rows is not None and rows.num_rows:
                transaction.append(cast_rows(rows, self.columns))


def _explain_other(what: str) -> str:
    return (
        f"Another program changed the table and left {what}, which harvest-source cannot read. "
        "Let that program rewrite the table without them."
    )


def _simplify(columns: Any) -> pa.Schema:
    """Return *columns* with Arrow's plain string and binary types, as used elsewhere here."""
    plain = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
    plain |= {pa.large_binary(): pa.binary(), pa.binary_view(): pa.binary()}
    return pa.schema([(each.name, plain.get(each.type, each.type)) for each in pa.schema(columns)])


def _build_filter(keys: pa.Table) -> Any:
    """
    Build the condition that a row has one of *keys*.

    Keys are grouped by all columns except the one with the most values, and each group makes one
    condition: with one condition per key pyiceberg takes longer than the rest of a load.
    """
    from pyiceberg.expressions import (
        And,
        EqualTo,
        GreaterThanOrEqual,
        In,
        LessThanOrEqual,
        Or,
    )

    names = keys.column_names
    by = max(names, key=lambda name: len(keys.column(name).unique()))
    others = [name for name in names if name != by]
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for key in keys.to_pylist():
        groups.setdefault(tuple(key[name] for name in others), []).append(key[by])
    conditions = []
    for group, values in groups.items():
        equal = [EqualTo(name, value) for name, value in zip(others, group, strict=True)]
        # The bounds let pyiceberg skip whole files, which it does not do for long lists.
        bounds = [GreaterThanOrEqual(by, min(values)), LessThanOrEqual(by, max(values))]
        conditions.append(reduce(And, [*equal, *bounds, In(by, values)]))
    return conditions[0] if len(conditions) == 1 else Or(*conditions)
