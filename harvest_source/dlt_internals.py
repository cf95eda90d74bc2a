"""
Everything of dlt that is internal or undocumented, in one place. No other module may import it.

Each point says why we need it and what to do when dlt changes or removes it.
``tests/unit/test_dlt_internals.py`` checks each point against the installed dlt within seconds;
``pyproject.toml`` admits only the minor versions of dlt that passed. Documented API, such as
``dlt.source``, ``dlt.mark`` or ``Pipeline.get_local_state_val``, is used where it is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import dlt
from dlt.common import logger
from dlt.common.configuration.exceptions import ConfigurationException as ConfigurationException
from dlt.common.destination import Destination
from dlt.common.destination.client import JobClientBase, WithStateSync
from dlt.common.destination.exceptions import (
    DestinationException as DestinationException,
)
from dlt.common.destination.exceptions import (
    DestinationTransientException as DestinationTransientException,
)
from dlt.common.destination.exceptions import DestinationUndefinedEntity, UnknownDestinationModule
from dlt.common.pipeline import current_pipeline, get_dlt_pipelines_dir
from dlt.common.runtime import signals
from dlt.common.schema.exceptions import SchemaException
from dlt.common.schema.typing import TTableSchema
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable, StorageException
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase
from dlt.pipeline.state_sync import load_pipeline_state_from_destination

# The exceptions above have no documented home. When one goes: dlt's next base class will do, as
# long as missing settings and refusals of the destination can be distinguished.

SqlClient: TypeAlias = SqlClientBase[Any]
"""What ``Pipeline.sql_client()`` returns. The method is documented, its type has no public name."""

JobClient: TypeAlias = JobClientBase
"""What ``Pipeline.destination_client()`` returns."""

FOLDER_ERRORS: Final = (ValueError, KeyError, TypeError, SchemaException, StorageException)
"""
What dlt raises on a working folder with empty, cut or missing files.

Found by damaging each file (``tests/integration/test_healing.py``); dlt has no error for it.
"""

_RESERVED_CATALOGS: Final = frozenset({"main", "system", "temp"})
_ARROW_ROWS: Final = 1_000_000
"""Rows of a batch where a whole result is read at once."""
_DUCKDB: Final = "dlt.destinations.duckdb"

INNER_ERRORS: Final = (
    "exception",
    "client_exception",
    "job_exception",
    "dbapi_exception",
    "inner_exc",
)
"""
Attributes in which dlt's exceptions keep the exception that they stand for, beside ``__cause__``.

That of ``PipelineStepFailed`` is documented; those of load jobs and of SQL clients are not. Without
them: the message, which quotes the inner traceback.
"""


# Configuration.


def iter_config_values(name: str, *sections: str) -> Iterator[tuple[Any, str, str]]:
    """
    ``(value, key, provider)`` of a setting, of each configuration provider that has it, in order.

    ``dlt.config[...]`` gives the value only; people need to know where it came from. Without the
    providers: give the key as dlt spells it and leave out the place.
    """
    for provider in dlt.config.config_providers:
        value, key = provider.get_value(name, str, "", *sections)
        if value is not None:
            yield value, key, provider.name


def log_warning(message: str) -> None:
    """
    Put *message* into dlt's log, where users of plain dlt look.

    Without dlt's logger: ``logging.getLogger("dlt")``, which dlt configures by the same settings.
    """
    logger.warning(message)


# Extraction.


def find_active_pipeline() -> dlt.Pipeline | None:
    """
    The pipeline that is running or was made last; None when there is none.

    ``dlt.current.pipeline()`` is documented, but makes a pipeline and its folder when there is
    none. Without this function: that one.
    """
    pipeline = current_pipeline()
    return pipeline if isinstance(pipeline, dlt.Pipeline) else None


def find_load_id() -> str | None:
    """
    Id of the load package that is being extracted; None outside a pipeline.

    dlt adds it to dictionaries only; tables that travel as Arrow get it from us. Without the load
    package's state: dlt's option ``normalize.parquet_normalizer.add_dlt_load_id``, which applies to
    every pipeline of the process.
    """
    try:
        return dlt.current.load_package_state()["load_id"]
    except CurrentLoadPackageStateNotAvailable:
        return None


# The working folder and the state.


def find_pipelines_folder() -> Path:
    """
    The folder that holds the working folder of each pipeline.

    For the lock beside it, and to remove one that dlt cannot open. Without it:
    ``dlt.pipeline(...).pipelines_dir``, which needs a folder that can be opened.
    """
    return Path(get_dlt_pipelines_dir())


def mark_restored(pipeline: dlt.Pipeline) -> None:
    """
    Tell the *pipeline* that its state was compared with the destination's already.

    ``Pipeline.run`` would ask the destination again. Without the flag: leave it out; a run costs
    one more query.
    """
    pipeline._state_restored = True


def read_state_version(state: Any) -> int:
    """
    Version of a pipeline's state; each load package with a state brings the next one.

    The key is part of dlt's stored format. Without it: count the rows of ``_dlt_pipeline_state``.
    """
    return int(state["_state_version"])


def read_stored_state_version(pipeline: dlt.Pipeline, client: JobClient) -> int | None:
    """
    Version of the state that the destination holds: 0 for none, None where it cannot hold any.

    ``Pipeline.sync_destination`` reads it too, but replaces the local state by it. Without it:
    ``SELECT MAX(version)`` from ``_dlt_pipeline_state``.
    """
    if not isinstance(client, WithStateSync):
        return None
    try:
        stored = load_pipeline_state_from_destination(pipeline.pipeline_name, client)
    except DestinationUndefinedEntity:
        return 0
    return read_state_version(stored) if stored else 0


# Schema and tables.


def has_rows(table: TTableSchema) -> bool:
    """
    Whether any row ever went into a table of dlt's schema; before that it need not exist.

    Without the function: ``table["x-normalizer"]["seen-data"]``.
    """
    return has_table_seen_data(table)


def find_root(schema: dlt.Schema, table: str) -> str:
    """Name of the table whose rows those of child *table* belong to; itself for a main table."""
    return str(get_root_table(schema.tables, table)["name"])


def iter_incomplete_tables(schema: dlt.Schema, client: JobClient) -> Iterator[str]:
    """
    Tables that dlt made and that are missing from the destination, or lack columns there.

    dlt believes its schema and never looks again. Without ``get_storage_tables``: query
    ``information_schema.columns``. Nothing is known of destinations without SQL.
    """
    if not isinstance(client, SqlJobClientBase):
        return
    made = [
        name
        for name, table in schema.tables.items()
        if has_rows(table) or name in schema.dlt_table_names()
    ]
    is_case_sensitive = client.capabilities.generates_case_sensitive_identifiers()
    for name, columns in client.get_storage_tables(made):
        if schema.get_new_table_columns(name, columns, case_sensitive=is_case_sensitive):
            yield name


def create_tables(client: JobClient, tables: Sequence[str]) -> None:
    """
    Create *tables* and missing columns in the destination, though dlt believes that they exist.

    Without ``force``: ``CREATE TABLE`` of our own, with the types of dlt's type mapper.
    """
    client.update_stored_schema(only_tables=tables, force=True)


def has_dataset(client: JobClient) -> bool:
    """Whether the dataset exists in the destination. Without it: query its schemas."""
    return client.is_storage_initialized()


def sql_client_of(client: JobClient) -> SqlClient:
    """The SQL client of a destination client that has one; the two share a connection."""
    assert isinstance(client, SqlJobClientBase)
    return client.sql_client


# The destination.


def find_catalog_name(path: str) -> str:
    """
    The name that DuckDB gives to the catalog of a file: ``harvest`` for ``harvest.prod.duckdb``.

    DuckDB takes the first part of the name that is not empty, and adds ``_db`` to names of its own.
    Measured with 1.4.5, 1.5.6 and 2.0.1; an open connection says ``current_database()``.
    """
    parts = Path(path.partition("?")[0]).name.split(".")
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

    Raises:
        duckdb.Error: It cannot be created.
    """
    import duckdb

    if not path.exists():
        settings: Any = {"storage_compatibility_version": "v1.0.0"}
        duckdb.connect(str(path), config=settings).close()


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

    @property
    def client_class(self) -> Any:
        """Its client, made when dlt asks for it: the import costs 0.1 s."""
        return _build_duckdb_client()

    @property
    def destination_type(self) -> str:
        """dlt's own, so that ``dlt.attach`` and dlt's command line need not know this class."""
        return _DUCKDB


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
def _build_duckdb_client() -> Any:
    import pyarrow
    from dlt.destinations.impl.duckdb.duck import DuckDbClient
    from dlt.destinations.impl.duckdb.sql_client import DuckDBDBApiCursorImpl, DuckDbSqlClient

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

    class SqlClient(DuckDbSqlClient):
        cursor_impl = Cursor

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
            self.sql_client = SqlClient(
                made.dataset_name, made.staging_dataset_name, config.credentials, capabilities
            )

    return Client


def find_destination(name: str) -> Any | None:
    """
    dlt's destination called *name*, with its settings not resolved yet; None if there is none.

    Without ``from_reference``: pass the name to ``dlt.pipeline`` and catch its error.
    """
    try:
        return Destination.from_reference(name)
    except (UnknownDestinationModule, DestinationException, ImportError):
        return None


def supports_merge(destination: Any, strategy: str) -> bool:
    """Whether a destination can merge by *strategy*. Without it: a list of names of ours."""
    return strategy in (destination.capabilities().supported_merge_strategies or ())


@contextmanager
def delaying_interrupts() -> Iterator[None]:
    """
    Let Ctrl-C end the run once what is being written is written.

    dlt by itself would only not begin the next job, call that a failed load, and forget the signal
    after the last job. Without ``signals``: a handler of our own for SIGINT and SIGTERM.

    Raises:
        KeyboardInterrupt: At the end, if a signal came meanwhile.
    """
    with signals.intercepted_signals():
        try:
            yield
        finally:
            if signals.was_signal_received():
                raise KeyboardInterrupt
