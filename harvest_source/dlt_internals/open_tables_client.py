"""
dlt's clients for Delta or Iceberg tables in files, and the job that merges into them.

Imported only when dlt asks for a client: it needs Arrow, and nothing before that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.common.destination.client import HasFollowupJobs, RunnableLoadJob
from dlt.common.destination.exceptions import (
    DestinationTerminalException,
    DestinationUndefinedEntity,
)
from dlt.common.libs.pyarrow import columns_to_arrow
from dlt.common.schema.typing import C_DLT_ID
from dlt.common.schema.utils import get_nested_tables, get_root_table
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient, ReferenceFollowupJob
from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient
from dlt.destinations.job_impl import (
    FinalizedLoadJob,
    FinalizedLoadJobWithFollowupJobs,
    ReferenceFollowupJobRequest,
)

from harvest_source.defaults import TABLE_FORMATS
from harvest_source.dlt_internals.duckdb_client import build_cursor
from harvest_source.dlt_internals.open_table import (
    DeltaTable,
    IcebergTable,
    OpenTable,
    find_present_keys,
)
from harvest_source.sql import maintenance

_ROOT: Final = "_dlt_root_id"


class MergeJob(ReferenceFollowupJob):
    """Merges the files of a table and of its child tables."""

    def run(self) -> None:
        client: Any = self._job_client
        files: dict[str, list[pa.Table]] = {}
        for path in self.file_paths:
            name = ParsedLoadJobFileName.parse(client.pathlib.basename(path)).table_name
            files.setdefault(name, []).append(pq.read_table(path))
        staged = {n: pa.concat_tables(t, promote_options="default") for n, t in files.items()}
        root = str(get_root_table(client.schema.tables, next(iter(staged)))["name"])
        table = client.prepare_load_table(root)
        if table["write_disposition"] != "merge":
            way = table["write_disposition"]
            msg = f"{root} can only be merged, but its write disposition is {way}."
            raise DestinationTerminalException(msg)
        if any(each.get("x-valid-from") for each in table["columns"].values()):
            self._merge_versions(table, staged[root])
            return
        if root in staged:
            self._merge(table, staged)

    def _merge(self, table: Any, staged: dict[str, pa.Table]) -> None:
        client: Any = self._job_client
        key = [name for name, each in table["columns"].items() if each.get("primary_key")]
        rows = _keep_last(staged[table["name"]], key)
        main = client.make_open_table(table["name"])
        nested = get_nested_tables(client.schema.tables, table["name"], include_self=False)
        # In this order, an interruption at any point leaves no element without its row.
        held = find_values(main, rows.select(key), C_DLT_ID) if nested else None
        for name in [str(each["name"]) for each in nested]:
            if held is not None and client.has_open_table(name):
                client.open_table(name).replace(pa.table({_ROOT: held}), None)
        main.replace(rows.select(key), rows)
        for name in [str(each["name"]) for each in nested]:
            if name in staged:
                client.make_open_table(name).replace(None, staged[name])

    def _merge_versions(self, table: Any, rows: pa.Table) -> None:
        client: Any = self._job_client
        merge_versions(
            client.make_open_table(table["name"]), table, rows, self.load_package_timestamp
        )


class Done(RunnableLoadJob):
    """
    A job with nothing to do. dlt's own such job is complete before it starts, so that dlt, which
    waits for a job to report its end, waits a second for nothing.
    """

    def run(self) -> None:
        pass


class Staged(HasFollowupJobs, Done):
    """The same, for a file that waits for the other files of its table."""


class SqlClient(FilesystemSqlClient):
    has_open_tables = True
    cursor_impl = build_cursor()

    def create_secret(self, *_: Any, **__: Any) -> bool:
        """Make DuckDB read through dlt's file system; its own would need extensions."""
        if (protocol := self.remote_client.config.protocol) != "file":
            self._register_filesystem(self.remote_client.fs_client, protocol)
        return True

    def should_replace_view(self, view_name: str, table_schema: Any) -> bool:
        """Always for open tables: a view lists the files that the table had when it was made."""
        is_open = table_schema.get("table_format") in TABLE_FORMATS
        return is_open or super().should_replace_view(view_name, table_schema)

    def create_view_select(self, table_schema: Any, schema: Any = None) -> Any:
        known, name = schema or self.schema, table_schema["name"]
        table_format = table_schema.get("table_format")
        if name in known.dlt_table_names() or table_format not in TABLE_FORMATS:
            return super().create_view_select(table_schema, schema)
        client: Any = self.remote_client
        table, mapper = client.open_table(name), self.capabilities.get_type_mapper()
        files = [self.remote_client.config.make_url(path) for path in table.files]
        here = set(table.columns.names if files else ())
        columns = {
            self.escape_column_name(column): None
            if column in here
            else mapper.to_destination_type(hint, table_schema)
            for column, hint in table_schema["columns"].items()
        }
        location = self.remote_client.get_open_table_location(table_format, name)
        return location, maintenance.select_from_files(files, columns)


class OpenTablesClient(FilesystemClient):
    has_open_tables = True
    batch_table_chain = True

    @staticmethod
    def get_reference_followup_job_class(table: Any) -> Any:
        return MergeJob if table.get("table_format") in TABLE_FORMATS else None

    def get_load_job_class(self, table: Any, file_path: str) -> Any:
        found: Any = super().get_load_job_class(table, file_path)
        if found is FinalizedLoadJobWithFollowupJobs:
            return Staged
        return Done if found is FinalizedLoadJob else found

    def get_reference_followup_job_requests(self, table_chain: Any, completed: Any) -> Any:
        names = {table["name"] for table in table_chain}
        paths = [each.file_path for each in completed if each.job_file_info.table_name in names]
        if not paths:
            return []
        return [ReferenceFollowupJobRequest(self.pathlib.basename(paths[0]), paths)]

    @property
    def sql_client(self) -> Any:
        if not self._sql_client:
            self._sql_client = SqlClient(self, self.dataset_name)
        return self._sql_client

    @sql_client.setter
    def sql_client(self, client: Any) -> None:
        self._sql_client = client

    def open_sql(self) -> None:
        """Open the SQL connection, which dlt opens for readers only; ``__exit__`` closes it."""
        if self.sql_client.native_connection is None:
            self.sql_client.open_connection()

    def __exit__(self, *details: Any) -> None:
        if self._sql_client is not None and self._sql_client.native_connection is not None:
            self._sql_client.close_connection()
        super().__exit__(*details)

    def has_open_table(self, name: str) -> bool:
        try:
            self.open_table(name)
        except DestinationUndefinedEntity:
            return False
        return True

    def open_table(self, name: str) -> OpenTable:
        table_format: Any = self.prepare_load_table(name).get("table_format")
        found: Any = self.load_open_table(table_format, name)
        if table_format == "delta":
            return DeltaTable(found, self.fs_client)
        return IcebergTable(found, self.fs_client)

    def make_open_table(self, name: str) -> OpenTable:
        """Open the table with every column of the schema; create what is missing."""
        table = self.prepare_load_table(name)
        columns = columns_to_arrow(table["columns"], self.capabilities, "UTC")
        columns = pa.schema([each.with_nullable(True) for each in columns])
        if not self.has_open_table(name):
            self._create_open_table(table, columns)
        made = self.open_table(name)
        made.add_columns(columns)
        return made

    def _create_open_table(self, table: Any, columns: pa.Schema) -> None:
        table_format, name = table["table_format"], table["name"]
        location = self.get_open_table_location(table_format, name)
        if table_format == "delta":
            import deltalake
            from dlt.common.libs.deltalake import deltalake_storage_options

            config = self.config
            deltalake.DeltaTable.create(
                location,
                columns,
                mode="ignore",
                configuration=config.deltalake_configuration,
                storage_options=deltalake_storage_options(
                    config.credentials, config.deltalake_storage_options
                ),
            )
            return
        from dlt.common.libs.pyiceberg import create_table

        create_table(
            self.get_open_table_catalog("iceberg"),
            f"{self.dataset_name}.{name}",
            table_location=location,
            schema=columns,
            properties=self.config.iceberg_table_properties,
        )

    def get_storage_tables(self, table_names: Iterable[str]) -> Iterator[Any]:
        """Yield tables with the columns that they have; dlt yields those of its schema."""
        for name in table_names:
            if self.prepare_load_table(name).get("table_format") not in TABLE_FORMATS:
                yield from super().get_storage_tables([name])
            elif self.has_open_table(name):
                here = set(self.open_table(name).columns.names)
                columns = self.schema.get_table_columns(name)
                yield name, {n: each for n, each in columns.items() if n in here}
            else:
                yield name, {}

    def update_stored_schema(
        self, only_tables: Any = None, expected_update: Any = None, force: bool = False
    ) -> Any:
        """Also create tables and columns if *force*; dlt creates them with their first rows."""
        applied = super().update_stored_schema(only_tables, expected_update, force)
        for name in only_tables or () if force else ():
            if self.prepare_load_table(name).get("table_format") in TABLE_FORMATS:
                self.make_open_table(name)
        return applied


def merge_versions(table: OpenTable, hints: Any, rows: pa.Table, now: Any) -> None:
    """
    Add the versions *rows* that are not open yet, and close the open versions that they supersede.

    This is dlt's ``scd2`` with a merge key, which dlt lacks for files: a digest identifies a
    version, and only versions with a merge key in *rows* are closed.

    Args:
        hints: dlt's hints of the table.
        now: When the added versions start and the closed ones end.
    """
    columns = hints["columns"]
    start, end, digest = (
        next(name for name, each in columns.items() if each.get(hint))
        for hint in ("x-valid-from", "x-valid-to", "x-row-version")
    )
    key = [name for name, each in columns.items() if each.get("merge_key")]
    # dlt stages its validity columns without values.
    rows = _keep_last(rows, [digest]).drop_columns(list({start, end} & {*rows.column_names}))
    here = find_present_keys(table, rows.select(key))
    held = table.read([*key, digest, end])
    held = held.join(here, key, join_type="left semi")
    is_open = {row[digest] for row in held.to_pylist() if row[end] is None}
    came = rows.column(digest).to_pylist()
    new = rows.filter(pa.array([each not in is_open for each in came]))
    new = new.append_column(start, pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), len(new)))
    closed = pa.array(sorted(is_open.difference(came)), pa.string())
    if not len(closed):
        table.replace(None, new)
        return
    # An earlier version may have the same digest; it is removed and added again unchanged.
    batches = (each.filter(pc.is_in(each.column(digest), closed)) for each in table.iter_batches())
    old = pa.concat_tables(batches)
    ends = pc.coalesce(old.column(end), pa.scalar(now, old.schema.field(end).type))
    old = old.set_column(old.schema.get_field_index(end), end, ends)
    both = pa.concat_tables([old, new], promote_options="permissive")
    table.replace(pa.table({digest: closed}), both)


def find_values(table: OpenTable, keys: pa.Table, column: str) -> pa.ChunkedArray:
    """Find the values of *column* in the rows of *table* that have one of *keys*."""
    here = find_present_keys(table, keys)
    held = table.read([*keys.column_names, column])
    return held.join(here, keys.column_names, join_type="left semi").column(column)


def _keep_last(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """The last row of each key."""
    places = rows.select(key).append_column("place", pa.array(range(rows.num_rows)))
    last = places.group_by(list(key)).aggregate([("place", "max")]).column("place_max")
    return rows if len(last) == rows.num_rows else rows.take(last.sort())
