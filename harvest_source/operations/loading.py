"""Read tables and load the rows package by package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from typing import Any, Final

from harvest_source.concurrency import processor_slots
from harvest_source.defaults import SMALL_PACKAGE_ROWS
from harvest_source.errors import TableRefusedError
from harvest_source.extract.extraction import Batch
from harvest_source.extract.options import Reread
from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.run_log import Place
from harvest_source.extract.stored import load_object
from harvest_source.extract.visibility import was_read
from harvest_source.load.packages import PackageBuilder
from harvest_source.memory import release_memory
from harvest_source.operations.list_sizes import ListSizes, check_lists
from harvest_source.operations.overlap_filter import prepare_overlap_filter
from harvest_source.operations.replacement import Replacement
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import FROM_DATE, TO_DATE, ReadStrategy
from harvest_source.sql.conditions import Equals
from harvest_source.sql.values import as_day

_REREAD_ROWS: Final = 20_000
"""Rows in memory at once when reading again: most of them are in the warehouse already."""
_MANY_ROWS: Final = 20_000
"""A load of this many rows or more is written to a DuckDB file without joining row groups."""


def load_tables(
    workspace: Workspace,
    on_made: Callable[[], None] = lambda: None,
    list_sizes: ListSizes | None = None,
) -> None:
    """
    Read every table of every account, load it, and create the tables that no row created.

    A table that the destination refuses fails alone. The rest of its package is given up with it
    and read again.

    Args:
        on_made: Called after a load that made tables, perhaps while more rows are being read.
        list_sizes: Row counts of the lists that are read whole; None: as many as were loaded.

    Raises:
        DestinationError: The destination refused; the package stays pending.
    """
    landed, list_sizes = Counter[Place](), list_sizes or ListSizes()
    while True:
        try:
            return _load_tables(workspace, on_made, landed, list_sizes)
        except TableRefusedError as error:
            workspace = _without_refused(workspace, error)
            workspace.run_log.reset_rows(landed)


def _without_refused(workspace: Workspace, error: TableRefusedError) -> Workspace:
    """*workspace* without the refused table, whose failure is noted for every account."""
    names = {error.table, error.table.removesuffix("_history")}
    refused = [each for each in workspace.endpoints if each.name in names]
    if not refused:
        raise error  # One of our own tables, or dlt's: without it nothing can be loaded.
    log = workspace.run_log
    for endpoint in refused:
        for account_id in workspace.sessions.account_ids():
            log.fail(endpoint.name, account_id, error)
    # The rows read did not land, so rows without this run's load id are not gone.
    log.drop_whole(names)
    kept = tuple(each for each in workspace.endpoints if each not in refused)
    return replace(workspace, endpoints=kept)


def _load_tables(
    workspace: Workspace,
    on_made: Callable[[], None],
    landed: Counter[Place],
    list_sizes: ListSizes,
) -> None:
    """As :func:`load_tables`; adds the rows that were read for each load to *landed*."""
    builder = create_builder(workspace)
    feeds = [
        _with_stored_children(workspace, _with_stored_windows(workspace, each))
        for each in builder.build_feeds(workspace.sessions.account_ids())
    ]
    feeds = check_lists(workspace.warehouse, list_sizes, feeds)
    replacement, overlap_filter = Replacement(workspace), prepare_overlap_filter(workspace, feeds)
    usual, merges = workspace.extraction.package_rows, _merges(workspace, feeds)
    size = choose_package_rows(usual, merges=merges)
    extraction = replace(workspace.extraction, package_rows=size)
    with closing(extraction.iter_packages(feeds)) as packages:
        for batches in packages:
            makes_tables = builder.has_unmade
            wanted = replacement.remove_replaced_rows(batches)
            batches.clear()  # So that rows are released as they are loaded.
            read = _count_rows(wanted)
            chosen = overlap_filter.apply(wanted)
            rows = sum(each.rows for each in chosen)
            source = builder.build_source(chosen)  # It empties the list.
            wanted.clear()
            with processor_slots(), _writing(workspace, rows):
                workspace.warehouse.load(source)
            landed.update(read)
            release_memory()
            if makes_tables:
                on_made()
    if builder.has_unmade:
        workspace.warehouse.load(builder.build_source([]))


def _writing(workspace: Workspace, rows: int) -> AbstractContextManager[None]:
    """Context for loading *rows*: many rows become row groups of their own in a DuckDB file."""
    file = workspace.warehouse.file
    return nullcontext() if file is None or rows < _MANY_ROWS else file.writing_much()


def _count_rows(batches: Iterable[Batch]) -> Counter[Place]:
    rows = Counter[Place]()
    for batch in batches:
        rows[batch.endpoint.name, batch.account_id] += batch.rows
    return rows


def choose_package_rows(rows: int, *, merges: bool) -> int:
    """
    Rows of each package: doubled for a first load into a DuckDB file with little memory.

    New rows are copied straight into their table, which takes less memory than merging them.

    Args:
        rows: The package size for the machine's memory, or another one that the caller chose,
            which is kept.
        merges: Whether the rows must be merged, see :func:`_merges`.
    """
    return rows if merges or rows != SMALL_PACKAGE_ROWS else 2 * SMALL_PACKAGE_ROWS


def _merges(workspace: Workspace, feeds: Iterable[TableFeed]) -> bool:
    """Whether dlt merges the rows into their table, comparing them with the existing ones."""
    has_history = bool(workspace.extraction.options.history)
    is_file = workspace.warehouse.file is not None
    return has_history or not is_file or any(was_read(feed.state) for feed in feeds)


def _with_stored_windows(workspace: Workspace, feed: TableFeed) -> TableFeed:
    """
    *feed* with every window of a report for which the warehouse has rows.

    A window missing from the state would never be requested again, and its rows would stay
    permanently beside those of another window with the same days.
    """
    name, warehouse = feed.endpoint.name, workspace.warehouse
    if feed.endpoint.strategy is not ReadStrategy.WINDOWS or not warehouse.has_table(name):
        return feed
    with warehouse.sql() as sql:
        account = Equals(ACCOUNT_ID, feed.account_id)
        bounds = sql.select_distinct(name, account, (FROM_DATE, TO_DATE))
    here: dict[str, Any] = {f"{as_day(first)}/{as_day(last)}": {} for first, last in bounds}
    return replace(
        feed, state={**feed.state, "windows": here | load_object(feed.state.get("windows"))}
    )


def _with_stored_children(workspace: Workspace, feed: TableFeed) -> TableFeed:
    """
    *feed*, marked as begun if rows below parents were loaded and no cursor was.

    A run that was killed, or that could not prove the list of parents complete, stores no cursor.
    The next run would skip parents that show no children, and a child that was deleted since would
    stay.
    """
    name, warehouse, is_known = feed.endpoint.name, workspace.warehouse, was_read(feed.state)
    if feed.endpoint.parent is None or is_known or not warehouse.has_table(name):
        return feed
    with warehouse.sql() as sql:
        if not sql.count(name, Equals(ACCOUNT_ID, feed.account_id)):
            return feed
    begun = ParentSweep(is_first=True).dump()
    return replace(feed, state={SWEEP_KEY: begun, **feed.state})


def load_rereads(
    workspace: Workspace,
    rereads: Mapping[Place, Reread],
    choose: Callable[[list[Batch]], list[Batch]] | None = None,
) -> None:
    """
    Read *rereads* (by table and account) regardless of the cursors, which do not move.

    Args:
        choose: Chooses which of a package's batches are loaded, and may empty their list;
            None: all are.

    Raises:
        DestinationError: The destination refused; the package stays pending.
    """
    options = replace(workspace.extraction.options, rereads=rereads, full_refresh=False)
    extraction = replace(workspace.extraction, options=options, package_rows=_REREAD_ROWS)
    names = {name for name, _ in rereads}
    endpoints = tuple(each for each in workspace.endpoints if each.name in names)
    builder = create_builder(replace(workspace, endpoints=endpoints))
    feeds = builder.build_feeds(workspace.sessions.account_ids())
    wanted = [feed for feed in feeds if (feed.endpoint.name, feed.account_id) in rereads]
    replacement, chosen = Replacement(workspace), list[Batch]()
    with closing(extraction.iter_packages(wanted)) as packages:
        for batches in packages:
            chosen += (choose or list)(replacement.remove_replaced_rows(batches))
            batches.clear()
            # A load takes as long for a few rows as for thousands, so rows are collected. Batches
            # that replace rows do not wait: the rows that they lack were removed already.
            rows = sum(each.rows for each in chosen)
            if chosen and (rows >= _REREAD_ROWS or choose is None):
                with _writing(workspace, rows):
                    workspace.warehouse.load(builder.build_source(chosen))  # It empties the list.
            release_memory()
    if chosen:
        workspace.warehouse.load(builder.build_source(chosen))
        release_memory()


def create_builder(workspace: Workspace) -> PackageBuilder:
    """Create the builder of the feeds of *workspace*'s tables and of their load packages."""
    options, warehouse = workspace.extraction.options, workspace.warehouse
    return PackageBuilder(
        workspace.endpoints,
        options.exclude,
        warehouse.schema,
        warehouse.source_state,
        options.history,
        warehouse.target.table_format,
    )
