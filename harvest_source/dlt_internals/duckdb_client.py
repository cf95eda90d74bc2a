"""dlt's DuckDB destination, for every file that DuckDB can open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.schema.utils import get_root_table, has_table_seen_data

from harvest_source.dlt_internals.direct_copy import build_copy_job

_RESERVED_CATALOGS: Final = frozenset({"main", "system", "temp"})

_ARROW_ROWS: Final = 1_000_000
"""Rows of a batch where a whole result is read at once."""

_DUCKDB: Final = "dlt.destinations.duckdb"

_JOBS: Final = 2
"""
Tables that are copied or merged at once. dlt does twenty, each of which needs memory of its own:
together they held more than the whole rest of a first load.
"""


def find_catalog_name(path: str) -> str:
    """
    The name that DuckDB gives to the catalog of a file: ``harvest`` for ``harvest.prod.duckdb``.

    DuckDB takes the first part of the name that is not empty, and adds ``_db`` to names of its own.
    Of a symbolic link it takes the name of the file that it leads to. Measured with 1.4.5, 1.5.6
    and 2.0.1; an open connection says ``current_database()``.
    """
    parts = Path(path.partition("?")[0]).resolve().name.split(".")
    name = next((part for part in parts if part), "")
    return f"{name}_db" if name in _RESERVED_CATALOGS else name


def is_ambiguous(catalog: str, dataset: str) -> bool:
    """Whether DuckDB would not know if ``dataset.table`` means a catalog or a schema."""
    return dataset.lower() in {catalog.lower(), "system", "temp"}


def create_duckdb_file(path: Path) -> None:
    """
    Create a DuckDB file that every DuckDB from 1.0 on can read, unless the file exists.

    DuckDB 2 makes files that 1.x refuses. A file keeps its storage version when other versions of
    the library write to it; dlt 1.31 has no setting for it.

    Only its owner may read it, since rows hold salaries and rates. Other rights stay as they were
    given to an existing file.

    Raises:
        duckdb.Error: It cannot be created.
    """
    import duckdb

    if not path.exists():
        settings: Any = {"storage_compatibility_version": "v1.0.0"}
        duckdb.connect(str(path), config=settings).close()
        path.chmod(0o600)


class NamingDuckDB(dlt.destinations.duckdb):
    """
    dlt's DuckDB destination, for files whose catalog has the name of the dataset.

    DuckDB names the catalog after the file and refuses ``harvest.clients`` in ``harvest.duckdb``:
    is ``harvest`` the catalog or the schema? dlt 1.31 names tables by their dataset alone (its
    MotherDuck destination names the catalog too), so such a file cannot be loaded. This client
    names the catalog where it must, and is dlt's own otherwise. It also creates the file as
    :func:`create_duckdb_file` does, and reads Arrow tables by the method that DuckDB has: dlt 1.31
    calls ``fetch_arrow_table``, which DuckDB 2 removed.

    When dlt's client classes move: refuse such files, with the advice to rename them.
    """

    _explicit: Any = None

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        """
        As dlt's own.

        dlt asks for the configuration without credentials some forty times in one load, for the
        destination's capabilities alone. It is resolved once, which saves a tenth of a small load.
        """
        if not accept_partial:
            return super().configuration(initial_config)
        if self._explicit is None:
            self._explicit = super().configuration(initial_config, accept_partial=True)
        return self._explicit

    @property
    def client_class(self) -> Any:
        """Its client, made when dlt asks for it: the import costs 0.1 s."""
        return _build_duckdb_client()

    @property
    def destination_type(self) -> str:
        """dlt's own, so that ``dlt.attach`` and dlt's command line need not know this class."""
        return _DUCKDB


def build_duckdb(path: str, *, read_only: bool = False) -> NamingDuckDB:
    """
    The destination of the file at *path*.

    Args:
        read_only: Open it beside other readers, and refuse to write. ``DuckDbCredentials`` has no
            public home; without it: pass the path, and open the file for writing.
    """
    if not read_only:
        return NamingDuckDB(credentials=path, max_parallel_load_jobs=_JOBS)
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    return NamingDuckDB(credentials=DuckDbCredentials(path, read_only=True))


def use_naming_duckdb(pipeline: dlt.Pipeline) -> None:
    """
    Give a *pipeline* that writes to dlt's DuckDB destination a :class:`NamingDuckDB` instead.

    The plain ``dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest")`` writes to
    ``harvest.duckdb``, which dlt alone cannot load. Setting ``Pipeline.destination`` is public;
    ``config_params`` is not documented. Without it: say in the README which destination to pass.
    """
    given = pipeline.destination
    if type(given) is dlt.destinations.duckdb:
        own: Any = NamingDuckDB()
        own.config_params = dict(given.config_params)
        own.caps_params = dict(given.caps_params)
        pipeline.destination = own


@cache
def build_cursor() -> Any:
    """The class of dlt's cursors in DuckDB, which read Arrow tables in every DuckDB."""
    import pyarrow
    from dlt.destinations.impl.duckdb.sql_client import DuckDBDBApiCursorImpl

    class Cursor(DuckDBDBApiCursorImpl):
        def iter_arrow(self, chunk_size: int) -> Any:
            """Arrow tables, without ``fetch_arrow_table``."""
            if not hasattr(self.native_cursor, "to_arrow_reader"):  # DuckDB 1.4
                yield from super().iter_arrow(chunk_size)
                return
            with warnings.catch_warnings():
                # DuckDB 2 advises callers to use its relations, which dlt has none of.
                warnings.filterwarnings("ignore", "Arrow output on a DB-API", UserWarning)
                reader: Any = self.native_cursor.to_arrow_reader(chunk_size or _ARROW_ROWS)
            if not chunk_size:
                yield reader.read_all()
                return
            yield from map(pyarrow.Table.from_batches, ([batch] for batch in reader))

    return Cursor


@cache
def _build_duckdb_client() -> Any:
    from dlt.destinations.impl.duckdb.duck import DuckDbClient, DuckDbCopyJob
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    class SqlClient(DuckDbSqlClient):
        cursor_impl = build_cursor()

        def open_connection(self) -> Any:
            """Create the file first, so that dlt does not make one that old clients refuse."""
            if self.credentials.external_conn() is None and not self.credentials.read_only:
                create_duckdb_file(Path(str(self.credentials.database)))
            return super().open_connection()

        def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:  # noqa: ARG002
            """The file's catalog where the dataset alone would be ambiguous."""
            name = find_catalog_name(str(self.credentials.database))
            if not is_ambiguous(name, self.dataset_name):
                return None
            return str(self.capabilities.escape_identifier(name)) if quote else name

    class Client(DuckDbClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            made = self.sql_client
            self.final_dataset = made.dataset_name
            """The dataset, also while dlt turns to its staging dataset."""
            self.sql_client = SqlClient(
                made.dataset_name, made.staging_dataset_name, config.credentials, capabilities
            )

        def create_load_job(
            self, table: Any, file_path: str, load_id: str, restore: bool = False
        ) -> Any:
            """Files are copied past the staging dataset where all of their rows are new."""
            job = super().create_load_job(table, file_path, load_id, restore)
            return build_copy_job()(file_path) if type(job) is DuckDbCopyJob else job

        def update_stored_schema(
            self, only_tables: Any = None, expected_update: Any = None, force: bool = False
        ) -> Any:
            """
            Of the named tables and their child tables.

            dlt adds columns to tables that a load has files for, but merges their child tables with
            all columns, whether the load has files for these or not. And it looks for missing
            columns only where it has not stored the schema: a load that failed has stored it, and
            a person may have renamed a column since.
            """
            if only_tables is not None:
                only_tables = {*only_tables, *_find_children(self.schema, only_tables)}
                force = True
            return super().update_stored_schema(only_tables, expected_update, force)

    return Client


def _find_children(schema: dlt.Schema, tables: Any) -> Iterator[str]:
    """Child tables with rows, of any depth, of *tables*."""
    for name, table in schema.tables.items():
        if has_table_seen_data(table) and get_root_table(schema.tables, name)["name"] in tables:
            yield name
