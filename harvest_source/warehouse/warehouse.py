"""The warehouse of a run: one dlt pipeline, its destination, and what dlt does not do itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import dlt
from dlt.sources import DltSource

from harvest_source.activity import Activity, Phase
from harvest_source.clock import Clock, SystemClock
from harvest_source.defaults import DESTINATION_WAIT_S
from harvest_source.dlt_internals import (
    create_tables,
    delaying_interrupts,
    find_failed_table,
    find_root,
    has_table,
    mark_restored,
    read_state,
)
from harvest_source.errors import DestinationError
from harvest_source.load.own_tables import build_own_resource
from harvest_source.load.state import source_state
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.connections import SqlConnections
from harvest_source.warehouse.dataset_name import explain_other_name
from harvest_source.warehouse.duckdb_file import DuckDBFile
from harvest_source.warehouse.failures import (
    as_destination_error,
    build_table_refusal,
    is_out_of_memory,
    is_temporary,
)
from harvest_source.warehouse.pipeline import UNTOUCHED, PipelineFolder
from harvest_source.warehouse.remedies import find_remedy
from harvest_source.warehouse.repair import find_unmade_children
from harvest_source.warehouse.restoration import check_owner, read_schema, restore
from harvest_source.warehouse.settings_checks import describe_unused
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.target import Target


class Warehouse:
    """One dlt pipeline that loads into one :class:`Target`."""

    def __init__(
        self,
        target: Target,
        *,
        clock: Clock | None = None,
        wait_s: float = DESTINATION_WAIT_S,
        on_warning: Callable[[str], None] = lambda _: None,
        activity: Activity | None = None,
        stays_open: bool = False,
    ) -> None:
        """
        Attach to the pipeline and check that a DuckDB file can be opened.

        Args:
            clock: Waits while another process has the DuckDB file open.
            wait_s: Longest wait in seconds, each time the file is opened.
            on_warning: Called with each warning for people.
            activity: Notified while the warehouse is written or waited for.
            stays_open: Keep a DuckDB file open for :meth:`restore` or :meth:`follow`, called next.

        Raises:
            ConfigError: There is no such destination.
            DestinationError: The destination exists, but cannot be used.
        """
        self.target = target
        self.has_loaded = False  # Whether the destination has taken a load package of a source.
        self._on_warning = on_warning
        self._activity = activity or Activity()
        self._schema: dlt.Schema | None = None
        self._connections = SqlConnections(
            lambda: self.pipeline.sql_client(), lambda: self.schema, self._held
        )
        self.file = _build_file(target, clock or SystemClock(), wait_s, self._warn_of_holder)
        with _checked(self.file, stays_open):
            self._activity.stop_waiting()
            self._folder = PipelineFolder(target, on_warning)
            with as_destination_error(target, lambda: UNTOUCHED):
                renamed = explain_other_name(target.dataset, lambda: self.dataset)
        for warning in filter(None, (*target.warnings, *describe_unused(target), renamed)):
            on_warning(warning)

    def _warn_of_holder(self, holder: str) -> None:
        self._activity.wait_for(holder)
        self._on_warning(f"{self.target} was in use by {holder}; this run waited for it.")

    @property
    def pipeline(self) -> dlt.Pipeline:
        """dlt's pipeline."""
        return self._folder.pipeline

    @property
    def schema(self) -> dlt.Schema:
        """The tables as dlt knows them; an empty schema before the first load."""
        if self._schema is None:  # dlt would read and check the file on each access.
            self._schema = read_schema(self.pipeline)
        return self._schema

    @property
    def source_state(self) -> Mapping[str, Any]:
        """dlt's state of our source: cursors, by table and account."""
        return source_state(read_state(self.pipeline))

    @property
    def dataset(self) -> str:
        """The dataset's name as the destination has it: dlt may have normalized it."""
        return self._connections.dataset

    def has_table(self, name: str) -> bool:
        """Whether a table is in the destination, as far as dlt knows."""
        return has_table(self.schema, name)

    def restore(self, endpoints: Sequence[Endpoint] = ()) -> list[str]:
        """
        Bring the pipeline up to date with the destination, load what waits, and return warnings.

        Args:
            endpoints: The tables that :meth:`load` will load.

        Raises:
            ConfigError: It, or a table in dlt's staging dataset, is another's. Nothing changed.
            DestinationError: The destination refused.
        """
        with self._changing():
            warnings = restore(self._folder, self.target, endpoints)
        mark_restored(self.pipeline)
        return warnings

    def follow(self, loads: Sequence[Endpoint] | None = None) -> list[str]:
        """
        Bring the pipeline's folder up to date with the destination, without writing to the latter.

        Returns warnings for the user. *loads* is as for :meth:`check_owner`.
        """
        with self._held():
            self.check_owner(loads)
            self.pipeline.sync_destination()
        self._schema = None
        waits = "Rows that an earlier run read wait to be loaded: {} loads them."
        return [waits.format(self.target.build_command("sync"))] if self._folder.has_pending else []

    def check_owner(self, loads: Sequence[Endpoint] | None = None) -> None:
        """
        Check that the warehouse is not another pipeline's; *loads* is as in :mod:`.restoration`.

        Raises:
            ConfigError: It is another's.
            DestinationError: The destination refused.
        """
        with as_destination_error(self.target, lambda: UNTOUCHED):
            check_owner(self.pipeline, self.target, loads)

    @property
    def needs_follow_up(self) -> bool:
        """Whether a load of any run still needs comments, marks and :meth:`clear_follow_up`."""
        return self._folder.needs_follow_up

    def clear_follow_up(self) -> None:
        """Clear the post-load flag: comments are written and restored rows are marked."""
        self._folder.note_follow_up(False)

    def load(self, source: DltSource) -> list[str]:
        """
        Run *source* and return the ids of the load packages it made.

        Raises:
            HarvestError: The source raised it; it is unchanged.
            TableRefusedError: The destination refused one table; the package was discarded.
            DestinationError: The destination refused; the package stays pending.
        """
        return _load(self, self._changing, self._folder, source)

    def raise_memory_limit(self, error: DestinationError) -> bool:
        """Give DuckDB more memory if *error* says it had too little. Do not call inside held()."""
        if self.file is None or not is_out_of_memory(error):
            return False
        return self.file.raise_memory_limit(self._folder.describe_kept)

    def merge_own(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Merge a few *rows* into one of our own tables."""
        with self._changing():
            self._folder.load(build_own_resource(table, rows, self.target.table_format))

    def write_state(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Store a change of our source's state, as :meth:`PipelineFolder.write_state` does."""
        with self._changing():
            self._folder.write_state(change)

    def make_child_tables(self, endpoints: Iterable[Endpoint]) -> None:
        """Create declared child tables that have had no row yet: downstream models need them."""
        missing = find_unmade_children(self.schema, endpoints)
        if not missing:
            return
        with self._changing(), self.pipeline.destination_client() as client:
            # dlt has stored this schema with the load and believes that its tables exist.
            create_tables(client, missing)

    def drop_staging(self) -> None:
        """Drop dlt's staging dataset, an empty copy of every table, if a load created it."""
        if self._folder.is_staged:
            with self._changing():
                self._folder.drop_staging()

    def sql(self) -> contextlib.AbstractContextManager[Sql]:
        """Open our own SQL on the dataset's tables; DestinationError if it has no SQL."""
        return self._connections.open()

    def querying(self) -> contextlib.AbstractContextManager[None]:
        """
        Inside, reuse the connection of the first :meth:`sql` for all that follow.

        Do not load or call Harvest inside: others wait for a DuckDB file meanwhile.
        """
        return self._connections.keep()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """A context in which dlt may change tables, and with them its schema."""
        assert not self._connections.is_kept, "close it first: it may not see what is loaded"
        try:
            with self._activity.during(Phase.WRITING), self._held():
                yield
        finally:
            self._schema = None
            self._connections.forget_client()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keep the DuckDB file open, translate failures, and end cleanly on Ctrl-C."""
        kept = self._folder.describe_kept
        with as_destination_error(self.target, kept), self.held(), delaying_interrupts():
            self._activity.stop_waiting()
            yield

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Keep the DuckDB file open, if there is one, for several statements."""
        return self.file.held(self._folder.describe_kept) if self.file else nullcontext()


def _build_file(
    target: Target, clock: Clock, wait_s: float, on_wait: Callable[[str], None]
) -> DuckDBFile | None:
    """The file of *target*; None if the destination has none."""
    if target.database is None:
        return None
    return DuckDBFile(target.database, clock, wait_s, on_wait, target.only_reads)


@contextlib.contextmanager
def _checked(file: DuckDBFile | None, stays_open: bool) -> Iterator[None]:
    """Check that *file* can be opened; it is closed if the block fails."""
    if file is None:
        yield
        return
    file.check(UNTOUCHED, stays_open=stays_open)
    try:
        yield
    except BaseException:
        file.close_checked()
        raise


def _load(
    warehouse: Warehouse,
    changing: Callable[[], contextlib.AbstractContextManager[None]],
    folder: PipelineFolder,
    source: DltSource,
) -> list[str]:
    """
    Load *source*; if DuckDB runs out of memory, raise its limit and load again.

    The file is closed in between: DuckDB keeps marks of deletions that it could not roll back for
    lack of memory, and refuses to delete those rows until the file is reopened.
    """
    data: DltSource | None = source
    while True:
        try:
            with changing(), _giving_up_refused(folder, warehouse.target):
                folder.note_follow_up(True)
                made = folder.load(data)
                warehouse.has_loaded |= bool(made)
                return made
        except DestinationError as error:
            if not warehouse.raise_memory_limit(error):
                raise
            data = None  # The package waits in the working folder.


@contextlib.contextmanager
def _giving_up_refused(folder: PipelineFolder, target: Target) -> Iterator[None]:
    """
    Discard a load if the destination refuses a table.

    Raises:
        TableRefusedError: Replaces the error, if it concerns one table.
    """
    try:
        yield
    except Exception as error:
        table = find_failed_table(error)
        if table is None or is_temporary(target, error):
            raise
        root = find_root(folder.pipeline.default_schema, table)
        remedy = find_remedy(error, target.database, target.dataset, table)
        folder.give_up_pending()
        raise build_table_refusal(target, error, table, root=root, remedy=remedy) from error
