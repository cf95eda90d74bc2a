"""
The warehouse as a run sees it: one dlt pipeline, its destination, and what dlt does not do there.

Every failure of the destination leaves here as a :class:`DestinationError` that says what stays
pending.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import dlt
import duckdb
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.destination.exceptions import DestinationException, UnknownDestinationModule
from dlt.common.schema.utils import has_table_seen_data
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest_source.catalogs import name_catalogs
from harvest_source.endpoints import Endpoint
from harvest_source.errors import ConfigError, DestinationError, HarvestError, printable

E = TypeVar("E", bound=BaseException)

DUCKDB: Final = "duckdb"
_IDENTITY: Final = "harvest_source_warehouse"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the tables go."""

    destination: str = DUCKDB
    database: Path | None = None
    """File of an embedded destination (DuckDB only)."""
    dataset: str = "harvest"
    pipeline: str = "harvest"

    @property
    def identity(self) -> str:
        """Two targets with different identities never share a cursor."""
        place = str(self.database.absolute()) if self.database else ""
        return "|".join((self.destination, place, self.dataset))

    def __str__(self) -> str:
        return str(self.database) if self.database else f"{self.destination}, {self.dataset}"


class Warehouse:
    """One dlt pipeline to one :class:`Target`."""

    def __init__(self, target: Target) -> None:
        """
        Open the pipeline and look whether the destination can be written.

        Raises:
            ConfigError: No such destination.
            DestinationError: It is there, but cannot be used.
        """
        name_catalogs()
        self.target = target
        self.pipeline = _open_pipeline(target, _build_destination(target))

    def finish_pending(self) -> list[str]:
        """
        Load what an earlier run left behind, or give it up if it can never load.

        Given-up rows are read again: dlt puts the cursors back with them.

        Returns:
            Warnings, for people.
        """
        if not self.pipeline.has_pending_data:
            return []
        with _as_destination_error(self):
            if self._was_killed_while_loading():
                self.pipeline.abort_packages()
                return ["An earlier run was killed while it loaded; its rows are read again."]
            try:
                self.pipeline.run()
            except PipelineStepFailed:
                self.pipeline.abort_packages()
                return [
                    "An unfinished load of an earlier run could not be completed and was given "
                    "up; its rows are read again."
                ]
        return []

    def _was_killed_while_loading(self) -> bool:
        """
        Whether files were being copied when the run ended.

        A copy may have been complete without dlt knowing. dlt would copy it to the staging table a
        second time, and its merge of tables with children then keeps both of each row.
        """
        pipeline = self.pipeline
        return any(
            pipeline.get_load_package_info(load_id).jobs["started_jobs"]
            for load_id in pipeline.list_normalized_load_packages()
        )

    def load(self, source: DltSource) -> list[str]:
        """
        Run *source* and return the ids of the load packages it made.

        Raises:
            HarvestError: One that the source raised, as it is.
            DestinationError: The destination refused; the package stays pending.
        """
        with _as_destination_error(self):
            return list(self.pipeline.run(source).loads_ids)

    def append(self, table: str, rows: Sequence[dict[str, Any]], columns: Any) -> None:
        """Merge a few *rows* of our own into *table*, by ``id``."""
        merge: Any = {"disposition": "merge", "strategy": "delete-insert"}
        resource = dlt.resource(
            list(rows),
            name=table,
            columns=columns,
            primary_key=[name for name, hint in columns.items() if hint.get("primary_key")],
            write_disposition=merge,
        )
        with _as_destination_error(self):
            self.pipeline.run(resource)

    def make_child_tables(self, endpoints: Iterable[Endpoint]) -> None:
        """
        Create declared child tables that no row has made yet.

        dlt creates a child table with its first row; models downstream need it before.
        """
        schema = self.pipeline.default_schema
        missing = [
            name
            for endpoint in endpoints
            for name in endpoint.child_tables
            if name in schema.tables and not has_table_seen_data(schema.tables[name])
        ]
        if not missing:
            return
        with _as_destination_error(self), self.pipeline.destination_client() as client:
            # dlt has stored this schema with the load and believes its tables are there.
            client.update_stored_schema(only_tables=missing, force=True)

    @contextlib.contextmanager
    def sql(self) -> Iterator[Any]:
        """A SQL client of the destination, if it has one."""
        with _as_destination_error(self), self.pipeline.sql_client() as client:
            yield client


def _build_destination(target: Target) -> Any:
    if target.database is not None:
        _check_duckdb(target.database)
        # dlt would take a relative path from the folder its pipeline was first run in.
        return dlt.destinations.duckdb(credentials=str(target.database.absolute()))
    try:
        return dlt.common.destination.Destination.from_reference(target.destination)
    except (UnknownDestinationModule, DestinationException, ImportError) as error:
        msg = (
            f"There is no dlt destination {target.destination[:80]!r}. The default is duckdb; "
            "others are named as dlt names them (postgres, bigquery, snowflake, filesystem, ...) "
            "and may need their extra: pip install 'dlt[postgres]'."
        )
        raise ConfigError(msg) from error


def _check_duckdb(path: Path) -> None:
    try:
        duckdb.connect(str(path)).close()
    except duckdb.Error as error:
        raise DestinationError(_explain_duckdb(path, error)) from error


def _explain_duckdb(path: Path, error: duckdb.Error) -> str:
    text = " ".join(str(error).split())
    kept = "Nothing was read and nothing changed."
    if "not a valid DuckDB" in text or "database file" in text:
        return f"{path} is not a DuckDB database. {kept} Name another file with --database."
    if "lock" in text.lower():
        return f"{path} is in use by another process: {text[:200]} {kept} Close it, then run again."
    if not path.parent.exists():
        return f"The folder {path.parent} does not exist. {kept} Make it, or name another file."
    return f"DuckDB cannot open {path}: {text[:200]} {kept}"


def _open_pipeline(target: Target, destination: Any) -> dlt.Pipeline:
    """
    Attach to the pipeline's working folder, unless somebody else left it as it is.

    A folder keeps cursors. Cursors of one database must never be used for another: dlt would find
    the older database behind and believe the folder. So it starts anew and restores them from the
    destination they lie in. A folder that plain dlt used does not say which database it was.
    """

    def attach() -> dlt.Pipeline:
        return dlt.pipeline(target.pipeline, destination=destination, dataset_name=target.dataset)

    try:
        pipeline = attach()
        known = pipeline._get_state()["_local"].get(_IDENTITY)
        if known != target.identity:
            pipeline.drop()
            pipeline = attach()
        pipeline.set_local_state_val(_IDENTITY, target.identity)
    except ConfigurationException as error:
        raise _misconfigured(target, error) from error
    return pipeline


@contextlib.contextmanager
def _as_destination_error(warehouse: Warehouse) -> Iterator[None]:
    try:
        yield
    except (
        PipelineStepFailed,
        ConfigurationException,
        DestinationException,
        duckdb.Error,
    ) as error:
        ours = _find(error, HarvestError)
        if ours is not None:
            raise ours from error
        unset = _find(error, ConfigurationException)
        if unset is not None:
            raise _misconfigured(warehouse.target, unset) from error
        if isinstance(error, PipelineStepFailed) and error.step == "extract":
            raise
        raise _refused(warehouse, error) from error


def _misconfigured(target: Target, error: ConfigurationException) -> ConfigError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    what = printable(" ".join(lines[:2]), limit=240)
    return ConfigError(
        f"Destination {target.destination} lacks settings: {what} Put them into .dlt/secrets.toml "
        f"under [destination.{target.destination}.credentials]."
    )


def _refused(warehouse: Warehouse, error: BaseException) -> DestinationError:
    cause: BaseException = error
    while isinstance(cause, PipelineStepFailed) and cause.exception is not None:
        cause = cause.exception
    pending = (
        "What was read waits in the pipeline's folder and is loaded first by the next run."
        if warehouse.pipeline.has_pending_data
        else "Nothing is lost: the next run reads it again."
    )
    what = " ".join(str(cause).split())[:300]
    return DestinationError(f"The destination ({warehouse.target}) refused: {what} {pending}")


def _find(error: BaseException | None, kind: type[E]) -> E | None:
    """The first of *kind* along the causes of *error*."""
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
