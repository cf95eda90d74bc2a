"""dlt's DuckDB destination, for every file that DuckDB can open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.schema.utils import get_root_table, has_table_seen_data

from harvest_source.dlt_internals.direct_copy import build_copy_job
from harvest_source.dlt_internals.names import normalize_name
from harvest_source.dlt_internals.own_destination import OwnDestination
from harvest_source.dlt_internals.private_files import committing, create_duckdb_file
from harvest_source.sql.maintenance import READS

_RESERVED_CATALOGS: Final = frozenset({"main", "system", "temp"})

_ARROW_ROWS: Final = 1_000_000
"""Rows per batch when a whole result is read at once."""


_JOBS: Final = 2
"""
Tables that are copied or merged in parallel. dlt's default is twenty, each of which needs its own
memory: together they took more than all the rest of a first load.
"""


def find_catalog_name(path: str) -> str:
    """
    Find the name that DuckDB gives to a file's catalog: ``harvest`` for ``harvest.prod.duckdb``.

    DuckDB takes the first non-empty part of the file name, and adds ``_db`` to names that it
    reserves. For a symbolic link it takes the name of the link's target. Measured with 1.4.5, 1.5.6
    and 2.0.1; on an open connection ``current_database()`` returns the name.
    """
    parts = Path(path.partition("?")[0]).resolve().name.split(".")
    name = next((part for part in parts if part), "")
    return f"{name}_db" if name in _RESERVED_CATALOGS else name


def is_ambiguous(catalog: str, dataset: str) -> bool:
    """
    Whether DuckDB cannot decide if ``dataset`` in ``dataset.table`` is a catalog or a schema.

    Args:
        dataset: As a user names it, or as dlt writes it.
    """
    names = {dataset.lower(), normalize_name(dataset)}
    return not names.isdisjoint({catalog.lower(), "system", "temp"})


class NamingDuckDB(OwnDestination, dlt.destinations.duckdb):
    """
    dlt's DuckDB destination, which can also load a file whose catalog is named like the dataset.

    DuckDB names the catalog after the file and refuses ``harvest.clients`` in ``harvest.duckdb``,
    because ``harvest`` may be the catalog or the schema. dlt 1.31 qualifies tables by their dataset
    alone (its MotherDuck destination adds the catalog), so it cannot load such a file. This
    destination adds the catalog where necessary, and is dlt's own otherwise. It also creates the
    file with :func:`create_duckdb_file`, and reads Arrow tables by whichever method DuckDB has: dlt
    1.31 calls ``fetch_arrow_table``, which DuckDB 2 removed.

    When dlt's client classes move: refuse such files, with the advice to rename them.
    """

    dlts_type = "dlt.destinations.duckdb"
    _explicit: Any = None

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        """
        Resolve the configuration as dlt does, but the one without credentials only once.

        dlt asks for the latter some forty times in one load, only to get the destination's
        capabilities. Resolving it once saves a tenth of a small load's time.
        """
        if not accept_partial:
            return super().configuration(initial_config)
        if self._explicit is None:
            self._explicit = super().configuration(initial_config, accept_partial=True)
        return self._explicit

    @property
    def client_class(self) -> Any:
        """The client's class, imported when dlt asks for it: the import takes 0.1 s."""
        return _build_duckdb_client()


def build_duckdb(path: str, *, read_only: bool = False) -> NamingDuckDB:
    """
    Build the destination for the file at *path*.

    Args:
        read_only: Open the file for reading alone, so that other readers can open it too.
            ``DuckDbCredentials`` has no public home. Without it: pass the path, and open the file
            for writing.
    """
    if not read_only:
        return NamingDuckDB(credentials=path, max_parallel_load_jobs=_JOBS)
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    return NamingDuckDB(credentials=DuckDbCredentials(path, read_only=True))


def use_naming_duckdb(pipeline: dlt.Pipeline) -> None:
    """
    Give a *pipeline* that writes to dlt's DuckDB destination a :class:`NamingDuckDB` instead.

    The plain ``dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest")`` writes to
    ``harvest.duckdb``, which plain dlt cannot load. Setting ``Pipeline.destination`` is public;
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
    """Build a subclass of dlt's DuckDB cursor that reads Arrow tables with every DuckDB version."""
    import pyarrow
    from dlt.destinations.impl.duckdb.sql_client import DuckDBDBApiCursorImpl

    class Cursor(DuckDBDBApiCursorImpl):
        def iter_arrow(self, chunk_size: int) -> Any:
            """Yield Arrow tables without calling ``fetch_arrow_table``."""
            if not hasattr(self.native_cursor, "to_arrow_reader"):  # DuckDB 1.4
                yield from super().iter_arrow(chunk_size)
                return
            with warnings.catch_warnings():
                # DuckDB 2 advises callers to use its relations, which dlt does not use.
                warnings.filterwarnings("ignore", "Arrow output on a DB-API", UserWarning)
                reader: Any = self.native_cursor.to_arrow_reader(chunk_size or _ARROW_ROWS)
            if not chunk_size:
                yield reader.read_all()
                return
            yield from map(pyarrow.Table.from_batches, ([batch] for batch in reader))

    return Cursor


@cache
def _build_sql_client() -> Any:
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    class SqlClient(DuckDbSqlClient):
        cursor_impl = build_cursor()
        _is_in_transaction = False

        @property
        def _file(self) -> Path | None:
            """The file that this client may write."""
            if self.credentials.external_conn() is not None or self.credentials.read_only:
                return None
            return Path(str(self.credentials.database))

        def open_connection(self) -> Any:
            """Create the file first: one that dlt creates could not be opened by old clients."""
            if self._file is not None:
                create_duckdb_file(self._file)
            return super().open_connection()

        @contextmanager
        def begin_transaction(self) -> Iterator[Any]:
            """Note that statements do not commit, until the transaction ends."""
            self._is_in_transaction = True
            try:
                with super().begin_transaction() as transaction:
                    yield transaction
            finally:
                self._is_in_transaction = False

        def commit_transaction(self) -> None:
            """Commit into a private log."""
            with self._committing():
                super().commit_transaction()

        @contextmanager
        def execute_query(self, query: Any, *given: Any, **named: Any) -> Iterator[Any]:
            """
            Execute a statement; outside a transaction, one that writes commits at once.

            A log that is created for a statement that reads would stay, empty, beside the file.
            """
            reads = str(query).lstrip().upper().startswith(READS)
            with ExitStack() as stack:
                with nullcontext() if reads or self._is_in_transaction else self._committing():
                    cursor = stack.enter_context(super().execute_query(query, *given, **named))
                yield cursor

        def _committing(self) -> AbstractContextManager[None]:
            return nullcontext() if self._file is None else committing(self._file)

        def catalog_name(self, quote: bool = True, casefold: bool = True) -> str | None:  # noqa: ARG002
            """The file's catalog if the dataset alone would be ambiguous, else None."""
            name = find_catalog_name(str(self.credentials.database))
            if not is_ambiguous(name, self.dataset_name):
                return None
            return str(self.capabilities.escape_identifier(name)) if quote else name

    return SqlClient


@cache
def _build_duckdb_client() -> Any:
    from dlt.destinations.impl.duckdb.duck import DuckDbClient, DuckDbCopyJob

    class Client(DuckDbClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            made = self.sql_client
            self.final_dataset = made.dataset_name
            """The dataset's name, also while dlt works in its staging dataset."""
            self.sql_client = _build_sql_client()(
                made.dataset_name, made.staging_dataset_name, config.credentials, capabilities
            )

        def create_load_job(
            self, table: Any, file_path: str, load_id: str, restore: bool = False
        ) -> Any:
            """Use a copy job that bypasses the staging dataset for files with only new rows."""
            job = super().create_load_job(table, file_path, load_id, restore)
            return build_copy_job()(file_path) if type(job) is DuckDbCopyJob else job

        def update_stored_schema(
            self, only_tables: Any = None, expected_update: Any = None, force: bool = False
        ) -> Any:
            """
            Update the named tables and their child tables.

            dlt adds columns only to tables for which a load has files, but merges all columns of
            their child tables, whether the load has files for these or not. Also, dlt looks for
            missing columns only if it has not stored the schema yet. But a failed load may have
            stored it, and a person may have renamed a column since.
            """
            if only_tables is not None:
                only_tables = {*only_tables, *_find_children(self.schema, only_tables)}
                force = True
            return super().update_stored_schema(only_tables, expected_update, force)

    return Client


def _find_children(schema: dlt.Schema, tables: Any) -> Iterator[str]:
    """Yield *tables* and their child tables of any depth, as far as they have had rows."""
    for name, table in schema.tables.items():
        if has_table_seen_data(table) and get_root_table(schema.tables, name)["name"] in tables:
            yield name
