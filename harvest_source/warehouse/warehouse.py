"""
The warehouse as a run sees it: one dlt pipeline, its destination, and what dlt does not do there.

Every failure of the destination leaves here as a :class:`DestinationError` that says what stays
pending.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import dlt
import duckdb
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.destination.exceptions import (
    DestinationException,
    DestinationTransientException,
    UnknownDestinationModule,
)
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime import signals
from dlt.common.schema import Schema
from dlt.common.schema.exceptions import SchemaException
from dlt.common.schema.utils import has_table_seen_data
from dlt.common.storages.exceptions import StorageException
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest_source.clock import Clock, SystemClock
from harvest_source.defaults import DESTINATION_WAIT_S
from harvest_source.errors import ConfigError, DestinationError, HarvestError, printable
from harvest_source.load.duckdb_catalog import name_catalogs
from harvest_source.load.own_tables import build_own_resource, is_made
from harvest_source.load.source import NAME as SOURCE
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.duckdb_file import explain_duckdb, open_duckdb
from harvest_source.warehouse.repair import is_ahead, remake_own_tables, remake_tables
from harvest_source.warehouse.target import Target

E = TypeVar("E", bound=BaseException)

_OWED: Final = "harvest_source_owed"
_IDENTITY: Final = "harvest_source_warehouse"
_MERGE: Final = "delete-insert"
_UNTOUCHED: Final = "Nothing was read and nothing changed."
_NO_SPACE: Final = "No space left"
_PASSING: Final = re.compile(
    rf"{_NO_SPACE}|set lock on|Out of Memory|Permission denied|Read-only file|Input/output error"
)
"""What an error of files says that has to do with the machine and not with the rows."""
_RAISED: Final = re.compile(r"^[\w.]+(?:Error|Exception|Retry): ", re.MULTILINE)
"""How the last lines of a traceback begin."""
_PLAIN_SQL: Final = frozenset(
    f"dlt.destinations.{name}" for name in ("duckdb", "motherduck", "postgres")
)
"""Destinations that take a row with JSON as text by a plain INSERT."""


class Warehouse:
    """One dlt pipeline to one :class:`Target`."""

    def __init__(
        self,
        target: Target,
        *,
        clock: Clock | None = None,
        wait_s: float = DESTINATION_WAIT_S,
        on_warning: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Open the pipeline and look whether the destination can be written.

        Args:
            clock: Waits while another process holds a DuckDB file.
            wait_s: For how long at most, each time it is opened.
            on_warning: Told what people should know.

        Raises:
            ConfigError: No such destination.
            DestinationError: It is there, but cannot be used.
        """
        name_catalogs()
        self.target = target
        self._clock = clock or SystemClock()
        self._wait_s = wait_s
        self._warn = on_warning
        self._schema: Schema | None = None
        if target.database is not None:
            self._open(target.database, _UNTOUCHED).close()
        self.pipeline = self._attach()

    def restore(self) -> list[str]:
        """
        Bring the pipeline up to what the destination holds, and load what a run left behind.

        A package that can never load is given up: its rows are read again, dlt puts the cursors
        back with it. Call it before :meth:`load`, once.

        Returns:
            Warnings, for people.
        """
        warnings = []
        with self._changing():
            state, pending = self.pipeline.state, self.pipeline.has_pending_data
            is_older, missing = self._compare()
            if is_older:
                self._start_anew()
                warnings.append(
                    f"{self.target} is not as the last run left it: an older copy, or a new one. "
                    "What it lacks is read again."
                )
            warnings += self._finish_pending()
            self.pipeline.sync_destination()
            if is_older or pending or self.pipeline.state != state:
                _, missing = self._compare()
            remade = remake_tables(self.pipeline, missing)
        if remade:
            warnings.append(
                f"Not in {self.target} any more, or not with every column: {', '.join(remade)}. "
                "Made again, and read again from the beginning."
            )
        self.pipeline._state_restored = True  # run() would ask once more.
        return warnings

    def follow(self) -> list[str]:
        """
        Bring the pipeline's folder up to what the destination holds, and write nothing there.

        Returns:
            Warnings, for people.
        """
        pending = self.pipeline.has_pending_data
        with _as_destination_error(self):
            self.pipeline.sync_destination()
        self._schema = None
        waits = "What an earlier run read waits to be loaded: harvest-source sync loads it."
        return [waits] if pending else []

    def has_table(self, name: str) -> bool:
        """Whether a table is in the destination, as far as dlt knows."""
        tables = self.schema.tables
        return name in tables and has_table_seen_data(tables[name])

    def _compare(self) -> tuple[bool, list[str]]:
        """
        What the folder knows with what the destination holds; our own tables are mended.

        Returns:
            Whether it has cursors that the destination lacks, and the tables of Harvest's that are
            not there as they should be.
        """
        self._schema = None
        if self.pipeline.default_schema_name is None and not self.source_state:
            return False, []
        with self.pipeline.destination_client() as client:
            missing = remake_own_tables(self.schema, client)
            return is_ahead(self.pipeline, client), missing

    def _finish_pending(self) -> list[str]:
        if not self.pipeline.has_pending_data:
            return []
        try:
            if self._was_killed_while_loading():
                self.pipeline.abort_packages()
                return ["An earlier run was killed while it loaded; its rows are read again."]
            self._owe(True)
            self.pipeline.run()
        except Exception as error:
            if _may_pass(self.target, error):
                raise
            self._give_up_pending()
            return [
                "An unfinished load of an earlier run could not be completed and was given up; "
                "its rows are read again."
            ]
        return []

    def _give_up_pending(self) -> None:
        """Abort what is pending; the whole working folder, if not even that can be read."""
        try:
            self.pipeline.abort_packages()
        except Exception as error:
            if _may_pass(self.target, error):
                raise
            self._start_anew()

    def _attach(self) -> dlt.Pipeline:
        try:
            return _open_pipeline(self.target, _build_destination(self.target), self._warn)
        except OSError as error:
            msg = f"dlt's working folder cannot be used: {error}. {_UNTOUCHED}"
            raise DestinationError(msg) from error

    def _start_anew(self) -> None:
        """Forget the working folder: what it should hold is read from the destination."""
        self.pipeline.drop()
        self.pipeline = self._attach()

    @property
    def owes(self) -> bool:
        """Whether something was loaded, by this run or one before, that :meth:`settle` awaits."""
        return bool(self.pipeline._get_state()["_local"].get(_OWED))

    def settle(self) -> None:
        """What follows a load is done: comments, and marks on rows that are back."""
        self._owe(False)

    def _owe(self, owes: bool) -> None:
        if self.owes != owes:
            self.pipeline.set_local_state_val(_OWED, owes)

    @property
    def schema(self) -> Schema:
        """The tables as dlt knows them; an empty schema before the first load."""
        if self._schema is None:  # dlt reads and checks the file each time it is asked.
            has_one = self.pipeline.default_schema_name is not None
            self._schema = self.pipeline.default_schema if has_one else Schema(SOURCE)
        return self._schema

    @property
    def source_state(self) -> Mapping[str, Any]:
        """dlt's state of our source: cursors, by resource and account."""
        return self.pipeline.state.get("sources", {}).get(SOURCE, {})

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
        with self._changing():
            self._owe(True)
            return list(self.pipeline.run(source).loads_ids)

    def append(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Merge a few *rows* into one of our own tables."""
        with self._changing():
            self.pipeline.run(build_own_resource(table, rows))

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """
        Put one new *row* into one of our own tables: by SQL where that is known to work.

        A load of dlt costs as much as everything else an unchanged run does.
        """
        if self.pipeline.destination.destination_type not in _PLAIN_SQL or not is_made(
            table, self.schema
        ):
            self.append(table, [dict(row)])
            return
        values = {**row, "_dlt_load_id": row["id"], "_dlt_id": row["id"]}
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(["%s"] * len(values))
        with self.sql() as client:
            into = client.make_qualified_table_name(table)
            client.execute_sql(
                f"INSERT INTO {into} ({names}) VALUES ({marks})",  # noqa: S608 - names are ours
                *(_as_parameter(value) for value in values.values()),
            )

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """While dlt may change tables, and with them its schema."""
        try:
            with _as_destination_error(self), self._held():
                yield
        finally:
            self._schema = None

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """
        One connection open while dlt opens and closes its own, so that DuckDB keeps the file open.

        Each closing of the last one would write the whole log into the file. One thread: on two
        cores, copying and merging 100,000 rows took less than half the processor time of two, and
        the other core reads on.
        """
        if self.target.database is None:
            with _heeding_signals():
                yield
            return
        with self._open(self.target.database, self._what_is_kept()) as connection:
            connection.execute("SET threads = 1")
            with _heeding_signals():
                yield

    def _open(self, path: Path, kept: str) -> duckdb.DuckDBPyConnection:
        """The DuckDB file, once nobody else holds it."""
        try:
            return open_duckdb(
                path, clock=self._clock, wait_s=self._wait_s, on_wait=self._tell_of_holder
            )
        except duckdb.Error as error:
            what = explain_duckdb(path, error, wait_s=self._wait_s, kept=kept)
            raise DestinationError(what) from error

    def _tell_of_holder(self, holder: str) -> None:
        self._warn(f"{self.target} was in use by {holder}; this run waited for it.")

    def _what_is_kept(self) -> str:
        if self.pipeline.has_pending_data:
            return "What was read waits in dlt's working folder; the next run loads it first."
        return "Nothing is lost: the next run reads it again."

    def make_child_tables(self, endpoints: Iterable[Endpoint]) -> None:
        """
        Create declared child tables that no row has made yet.

        dlt creates a child table with its first row; models downstream need it before.
        """
        schema = self.schema
        missing = [
            name
            for endpoint in endpoints
            for name in endpoint.child_tables
            if name in schema.tables and not has_table_seen_data(schema.tables[name])
        ]
        if not missing:
            return
        with self._changing(), self.pipeline.destination_client() as client:
            # dlt has stored this schema with the load and believes its tables are there.
            client.update_stored_schema(only_tables=missing, force=True)

    @contextlib.contextmanager
    def sql(self) -> Iterator[Any]:
        """A SQL client of the destination, if it has one."""
        with _as_destination_error(self), self._held(), self.pipeline.sql_client() as client:
            yield client


def _as_parameter(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, Mapping | list) else value


def _build_destination(target: Target) -> Any:
    if target.database is not None:
        # dlt would take a relative path from the folder its pipeline was first run in.
        return dlt.destinations.duckdb(credentials=str(target.database.absolute()))
    try:
        found = dlt.common.destination.Destination.from_reference(target.destination)
        assert found is not None
        can_merge = _MERGE in (found.capabilities().supported_merge_strategies or ())
    except (UnknownDestinationModule, DestinationException, ImportError) as error:
        msg = (
            f"There is no dlt destination {target.destination[:80]!r}. The default is duckdb; "
            "others are named as dlt names them (postgres, bigquery, snowflake, ...) and may need "
            "their extra: pip install 'dlt[postgres]'."
        )
        raise ConfigError(msg) from error
    if not can_merge:
        msg = (
            f"Destination {target.destination[:80]} cannot replace rows: dlt would append each one "
            "again whenever it is read. Sync to a database (duckdb is the default), or write files "
            "from Python, where you say how: pipeline.run(harvest(), ...)."
        )
        raise ConfigError(msg)
    return found


def _open_pipeline(
    target: Target, destination: Any, on_warning: Callable[[str], None]
) -> dlt.Pipeline:
    """
    Attach to the pipeline's working folder, unless it is broken or somebody else left it as it is.

    A folder keeps cursors. Cursors of one database must never be used for another: dlt would find
    the older database behind and believe the folder. So it starts anew and restores them from the
    destination they lie in. A folder that plain dlt used does not say which database it was.
    """

    def attach() -> dlt.Pipeline:
        return dlt.pipeline(target.pipeline, destination=destination, dataset_name=target.dataset)

    try:
        pipeline = _attach_if_whole(attach)
        if pipeline is None:
            shutil.rmtree(Path(get_dlt_pipelines_dir(), target.pipeline))
            on_warning(
                "dlt's working folder was damaged, by a full disk perhaps. It is made anew from "
                "what the destination holds."
            )
            pipeline = attach()
        known = pipeline._get_state()["_local"].get(_IDENTITY)
        if known != target.identity:
            pipeline.drop()
            pipeline = attach()
        pipeline.set_local_state_val(_IDENTITY, target.identity)
    except ConfigurationException as error:
        raise _misconfigured(target, error) from error
    return pipeline


def _attach_if_whole(attach: Callable[[], dlt.Pipeline]) -> dlt.Pipeline | None:
    """The pipeline; None when state or schemas of the working folder cannot be read."""
    try:
        pipeline = attach()
        for name in pipeline.schema_names:
            _ = pipeline.schemas[name]
        _ = pipeline.has_pending_data
    except (ValueError, KeyError, TypeError, SchemaException, StorageException):
        return None
    return pipeline


def _may_pass(target: Target, error: Exception) -> bool:
    """Whether trying again later may help: a full disk, a lock, a network; not a bad package."""
    if _find(error, DestinationError) is not None or _PASSING.search(str(error)):
        return True
    # dlt takes every error of a DuckDB file for one that may pass, a broken package included.
    is_remote = target.database is None
    return is_remote and _find(error, DestinationTransientException) is not None


@contextlib.contextmanager
def _heeding_signals() -> Iterator[None]:
    """
    Ctrl-C ends the run once what is being written is written.

    dlt would only not begin the next job, call that a failed load, and forget it after the last.
    """
    with signals.intercepted_signals():
        try:
            yield
        finally:
            if signals.was_signal_received():
                raise KeyboardInterrupt


@contextlib.contextmanager
def _as_destination_error(warehouse: Warehouse) -> Iterator[None]:
    try:
        yield
    except (
        PipelineStepFailed,
        ConfigurationException,
        DestinationException,
        duckdb.Error,
        OSError,
    ) as error:
        ours = _find(error, HarvestError)
        if ours is not None:
            raise ours from error
        unset = _find(error, ConfigurationException)
        if unset is not None:
            raise _misconfigured(warehouse.target, unset) from error
        is_step = isinstance(error, PipelineStepFailed) and error.step == "extract"
        if is_step and _find(error, OSError) is None:
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
    what = f"The destination ({warehouse.target}) refused: {_last_words(str(cause))}"
    kept = warehouse._what_is_kept()
    if _NO_SPACE in str(cause):
        return DestinationError(f"{what} {kept} Make room on that disk, then run again.")
    return DestinationError(f"{what} {kept}")


def _last_words(text: str) -> str:
    """What a failed job said in the end, out of the traceback that dlt reports."""
    said = list(_RAISED.finditer(text))
    if said and "Traceback" in text:
        text = text[said[-1].end() :]
    line = printable(text, limit=300)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _find(error: BaseException | None, kind: type[E]) -> E | None:
    """The first of *kind* along the causes of *error*."""
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
