"""
From an endpoint to a dlt resource: hints, cursors and rows. Knows nothing of sockets.

Tables without arrays travel as Arrow tables straight to parquet. Tables with arrays travel as
dictionaries, because only there does dlt keep child rows with their parents, emptied lists
included. Either way every value has been fitted to its column before dlt sees it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Protocol, cast

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.exceptions import DltException
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource

from harvest_source.decode.coerce import PRECISION, SCALE, loads
from harvest_source.decode.column_fitter import ColumnFitter
from harvest_source.decode.decoder import Decoder
from harvest_source.extract.extraction import Extraction, TableFeed
from harvest_source.extract.replaced_lists import Scope
from harvest_source.load.file_format import iter_exact
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID, SEPARATOR, Child, Column, Type
from harvest_source.schema.endpoint import Endpoint

CHILD_KEYS: Final[Mapping[str, TColumnSchema]] = {
    "_dlt_root_id": {"data_type": "text", "nullable": False, "root_key": True},
    "_dlt_parent_id": {"data_type": "text", "nullable": False, "parent_key": True},
    "_dlt_list_idx": {"data_type": "bigint", "nullable": False},
    "_dlt_id": {"data_type": "text", "nullable": False, "unique": True, "row_key": True},
}
"""dlt's own columns of a child table, declared so that the table can be made before its rows."""


class Versions(Protocol):
    """What is needed of a table's history."""

    def must_begin(self, schema: Schema) -> bool: ...
    def iter_items(self, tables: Sequence[pa.Table], decoder: Decoder) -> Iterator[Any]: ...


def build_resource(
    endpoint: Endpoint, reading: Extraction, versions: Versions | None = None
) -> DltResource:
    """
    Build the resource of one table, read while dlt draws from it. No I/O.

    Args:
        versions: Keeps the table's history, too.
    """
    reader = TableReader(endpoint, reading, versions)

    def draw() -> Iterator[Any]:  # dlt takes functions, not methods.
        yield from reader.iter_items()

    excluded = excluded_columns(endpoint, reading.options.exclude)
    return wrap(endpoint, draw, excluded, parallelized=True)


def wrap(
    endpoint: Endpoint,
    draw: Callable[[], Iterator[Any]],
    excluded: frozenset[str],
    *,
    parallelized: bool = False,
) -> DltResource:
    """A resource with everything dlt must know of a table."""
    merge: Any = {"disposition": "merge", "strategy": "delete-insert"}
    optional: dict[str, Any] = {}
    if endpoint.cursor is None:
        optional["merge_key"] = (ACCOUNT_ID, *endpoint.scope)  # Replaced as a whole.

    def draw_exact() -> Iterator[Any]:
        yield from iter_exact(draw())

    resource: DltResource = dlt.resource(
        draw if endpoint.record.children else draw_exact,
        name=endpoint.name,
        primary_key=endpoint.key,
        write_disposition=merge,
        columns=build_hints(endpoint, excluded),
        nested_hints=build_nested_hints(endpoint, excluded),
        references=build_references(endpoint.columns, excluded),
        parallelized=parallelized,
        # SQL text, dlt's default for dictionaries, cannot hold NUL: dlt would leave it out.
        file_format="parquet",
        **optional,
    )
    return resource


def build_hints(endpoint: Endpoint, excluded: frozenset[str] = frozenset()) -> TTableSchemaColumns:
    """dlt's column hints of a table: types, descriptions, keys, newest wins."""
    account = Column(ACCOUNT_ID, Type.BIGINT, "Harvest account the row belongs to")
    hints = {c.name: _hint(c) for c in (account, *endpoint.columns) if c.name not in excluded}
    for name in endpoint.key:
        hints[name]["nullable"] = False
    if endpoint.cursor is not None:
        hints[endpoint.cursor]["dedup_sort"] = "desc"
    if not endpoint.record.children:
        # The Arrow lane writes dlt's load id itself.
        hints[LOAD_ID] = {"name": LOAD_ID, "data_type": "text", "nullable": False}
    return hints


def build_nested_hints(endpoint: Endpoint, excluded: frozenset[str] = frozenset()) -> Any:
    """dlt's hints of a table's child tables, by the array's name; None without arrays."""
    children = [child for child in endpoint.record.children if child.name not in excluded]
    if not children:
        return None
    return {
        child.name: dlt.mark.make_nested_hints(
            columns=build_child_hints(child), references=build_references(child.columns)
        )
        for child in children
    }


def build_child_hints(child: Child) -> TTableSchemaColumns:
    """Column hints of one child table."""
    account = Column(ACCOUNT_ID, Type.BIGINT, "Harvest account the row belongs to")
    hints = {column.name: _hint(column) for column in (account, *child.columns)}
    hints.update({name: {"name": name, **hint} for name, hint in CHILD_KEYS.items()})
    return hints


def build_references(columns: Iterable[Column], excluded: frozenset[str] = frozenset()) -> Any:
    """dlt's references of a table's columns: for whoever draws or models it, never enforced."""
    return [
        {
            "referenced_table": column.of,
            "columns": [ACCOUNT_ID, column.name],
            "referenced_columns": [ACCOUNT_ID, "id"],
        }
        for column in columns
        if column.of and column.name not in excluded
    ]


def _hint(column: Column) -> TColumnSchema:
    hint = type_hint(column.name, column.type)
    hint["description"] = column.description
    return hint


def type_hint(name: str, column_type: Type) -> TColumnSchema:
    """dlt's hint of a column's name and type."""
    hint: TColumnSchema = {"name": name, "data_type": cast(Any, str(column_type))}
    if column_type is Type.DECIMAL:
        hint |= {"precision": PRECISION, "scale": SCALE}
    return hint


class TableReader:
    """Reads one table of every account into items for dlt, while dlt asks for them."""

    def __init__(
        self, endpoint: Endpoint, reading: Extraction, versions: Versions | None = None
    ) -> None:
        self._endpoint = endpoint
        self._reading = reading
        self._versions = versions
        self._excluded = excluded_columns(endpoint, reading.options.exclude)

    def iter_items(self) -> Iterator[Any]:
        """Yield Arrow tables or lists of dictionaries; state moves after the rows it is for."""
        schema = dlt.current.source_schema()
        yield from make_table(self._endpoint, self._excluded, schema)
        self._check_place()
        learned = learned_columns(schema, self._endpoint.name, _names(self._endpoint))
        is_new = self._versions is not None and self._versions.must_begin(schema)
        with self._reading.sessions.in_use():
            for account_id in self._reading.sessions.account_ids():
                decoder = build_decoder(self._endpoint, account_id, self._excluded, schema, learned)
                state = {} if is_new else account_states().get(str(account_id), {})
                feed = TableFeed(self._endpoint, account_id, decoder, state)
                yield from self._iter_account(feed, schema)

    def _iter_account(self, feed: TableFeed, schema: Schema) -> Iterator[Any]:
        lane = DltEncoder(self._endpoint, feed.decoder, feed.account_id, schema)
        held: list[pa.Table] = []
        for batch in self._reading.iter_batches(feed):
            if batch.table is not None:
                yield from lane.items(batch.table)
                held += [batch.table] if self._versions else []
            if batch.state is not None:
                account_states()[str(feed.account_id)] = dict(batch.state)
        if self._versions is not None:
            yield from self._versions.iter_items(held, feed.decoder)

    def _check_place(self) -> None:
        """
        Forget how far another warehouse was read.

        dlt believes whichever is newer, its working folder or the destination. Use a pipeline for
        one database, then another, then the first again, and it goes on from the second's cursors.
        ``sync`` never lets it come to that, and can tell a database that was moved.
        """
        state, place = dlt.current.resource_state(), find_place()
        if state.get("place", place) != place:
            state.pop("accounts", None)
        state["place"] = place


def make_table(endpoint: Endpoint, excluded: frozenset[str], schema: Schema) -> Iterator[Any]:
    """An empty table the first time, so that models downstream stand without any rows."""
    if build_hints(endpoint, excluded).keys() <= stored_columns(schema, endpoint.name).keys():
        return
    if endpoint.record.children:
        yield dlt.mark.materialize_table_schema()
    else:
        scope = Scope(tuple((column.name, None) for column in endpoint.injected), "", {})
        empty = build_decoder(endpoint, 0, excluded, schema, {}).empty()
        yield with_load_id(scope.stamp(empty, endpoint), endpoint)


def build_decoder(
    endpoint: Endpoint,
    account_id: int,
    excluded: frozenset[str],
    schema: Schema,
    learned: dict[str, Type],
) -> Decoder:
    """A decoder of one table's pages; those of one table share *learned*."""
    return Decoder(
        endpoint.record,
        account_id=account_id,
        excluded=excluded,
        learned=learned,
        rename=schema.naming.normalize_path,
    )


class DltEncoder:
    """Hands the Arrow tables of one account to dlt, in the shape its table travels in."""

    def __init__(
        self, endpoint: Endpoint, decoder: Decoder, account_id: int, schema: Schema
    ) -> None:
        self._endpoint = endpoint
        self._decoder = decoder
        self._account_id = account_id
        self._schema = schema
        self._told: set[str] = set()
        self._fitters: dict[str, ColumnFitter] = {}

    def items(self, table: pa.Table) -> Iterator[Any]:
        """Yield *table* as dlt takes it, with hints for columns dlt has not heard of."""
        if self._endpoint.record.children:
            yield self._with_hints(self._as_records(table))
        else:
            yield self._with_hints(with_load_id(table, self._endpoint))

    def _with_hints(self, item: Any) -> Any:
        learned = self._decoder.learned
        as_lists = self._decoder.arrays if self._endpoint.record.children else frozenset()
        news = {n: t for n, t in learned.items() if n not in self._told and n not in as_lists}
        if not news:
            return item
        self._told.update(news)
        hints = {name: type_hint(name, column_type) for name, column_type in news.items()}
        return dlt.mark.with_hints(item, dlt.mark.make_hints(columns=hints))

    def _as_records(self, table: pa.Table) -> list[dict[str, Any]]:
        records = cast(list[dict[str, Any]], table.to_pylist())
        for name in self._decoder.arrays & set(table.column_names):
            for each in records:
                if each[name] is not None:
                    each[name] = self._as_children(name, loads(each[name].encode()))
        return records

    def _as_children(self, name: str, elements: list[Any]) -> list[dict[str, Any]]:
        rows = [each if isinstance(each, dict) else {"value": each} for each in elements]
        cells = self._fitter(name).place(rows)
        return [{ACCOUNT_ID: self._account_id, **cell} for cell in cells]

    def _fitter(self, name: str) -> ColumnFitter:
        if name not in self._fitters:
            declared = self._declared_children.get(name, ())
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


def excluded_columns(endpoint: Endpoint, exclude: frozenset[str]) -> frozenset[str]:
    """Columns and arrays of one table that are left out."""
    names = (name.partition(".") for name in exclude)
    return frozenset(column for table, _, column in names if table == endpoint.name)


def learned_columns(schema: Schema, table: str, declared: Iterable[str]) -> dict[str, Type]:
    """Columns of *table* that earlier runs learned, from the schema dlt keeps."""
    known = {*declared, ACCOUNT_ID}
    return {
        name: Type(str(column["data_type"]))
        for name, column in stored_columns(schema, table).items()
        if name not in known
        and not name.startswith("_dlt_")
        and column.get("data_type") in Type.__members__.values()
    }


def with_load_id(table: pa.Table, endpoint: Endpoint) -> pa.Table:
    """*table* with dlt's load id, and its keys marked as never null, as dlt's schema has them."""
    load_id = pa.repeat(pa.scalar(_load_id(), pa.string()), table.num_rows)
    with_id = table.append_column(LOAD_ID, load_id)
    never_null = {*endpoint.key, LOAD_ID}
    fields = [field.with_nullable(field.name not in never_null) for field in with_id.schema]
    return with_id.cast(pa.schema(fields))


def find_place() -> str:
    """
    Tells one warehouse from another, as a digest; empty outside a pipeline.

    From what is at hand: asking dlt to resolve the destination's configuration from a thread that
    extracts breaks its own. So two databases told apart by single fields, a host, look like one.
    """
    try:
        pipeline = dlt.current.pipeline()
    except DltException:
        return ""
    destination = pipeline.destination
    if destination is None:
        return ""
    location = destination.config_params.get("credentials")
    if not isinstance(location, str):
        location = _find_credentials(destination.destination_name) or ""
    if "://" not in location and destination.destination_type.endswith(".duckdb"):
        location = os.path.abspath(location)  # noqa: PTH100 - with none, dlt's own in this folder
    place = (destination.destination_type, destination.destination_name, pipeline.dataset_name)
    return hashlib.blake2b(repr((place, location)).encode(), digest_size=8).hexdigest()


def _find_credentials(destination_name: str) -> str | None:
    """A connection string in dlt's configuration."""
    for provider in Container()[PluggableRunContext].providers.providers:
        value, _ = provider.get_value("credentials", str, "", "destination", destination_name)
        if isinstance(value, str):
            return value
    return None


def account_states() -> dict[str, Any]:
    """What is stored of the resource that dlt draws from, by account."""
    return cast(dict[str, Any], dlt.current.resource_state().setdefault("accounts", {}))


def stored_columns(schema: Schema, table: str) -> Mapping[str, TColumnSchema]:
    """The columns of *table* as dlt has them; none if it has no such table."""
    return schema.tables.get(table, {"columns": {}})["columns"]


def _names(endpoint: Endpoint) -> Iterable[str]:
    return (column.name for column in endpoint.columns)


def _load_id() -> str:
    try:
        return dlt.current.load_package_state()["load_id"]
    except CurrentLoadPackageStateNotAvailable:
        return ""  # Rows drawn by hand, outside a pipeline.
