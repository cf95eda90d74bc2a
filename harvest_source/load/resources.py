"""One dlt resource per table: hints, and a reader that dlt draws rows from. Opens no sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
from dlt.sources import DltResource

from harvest_source.defaults import TableFormat
from harvest_source.dlt_internals import LastStep, find_load_id, has_row_steps
from harvest_source.errors import ConfigError
from harvest_source.extract.exclusion import excluded_columns
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.stored import load_object
from harvest_source.load.encoder import DltEncoder, KnownHints, build_decoder, iter_empty_table
from harvest_source.load.hints import (
    build_hints,
    build_nested_hints,
    build_references,
    find_grown_children,
    is_declared,
    learned_columns,
    refuse_earlier_names,
)
from harvest_source.load.history import TableHistory, find_beginning, note_begun
from harvest_source.load.resource_checks import (
    check_history,
    check_resource,
    keeps_rows,
    takes_empty,
)
from harvest_source.load.row_tables import RowTables
from harvest_source.load.state import (
    current_accounts,
    forget_other_warehouse,
    refuse_ambiguous_destination,
    warn_of_late_pipeline,
)
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint


def build_resource(
    endpoint: Endpoint,
    extraction: Extraction,
    history: TableHistory | None = None,
    *,
    as_rows: bool | None = None,
    table_format: TableFormat | None = None,
) -> DltResource:
    """
    Build the resource of one table, which reads while dlt draws from it. No I/O.

    Args:
        history: Keeps every version of the table's rows; None: keep only the last one.
        as_rows: Whether a user's steps get rows even if the table travels as Arrow tables; None: if
            there are such steps, and outside a pipeline.
        table_format: Format of the table and its child tables, if the destination stores files.
    """
    reader = TableReader(endpoint, extraction, history, as_rows=as_rows)

    def draw() -> Iterator[Any]:  # dlt takes functions, not methods.
        yield from reader.iter_items()

    excluded = excluded_columns(endpoint, extraction.options.exclude)
    resource = wrap(endpoint, draw, excluded, parallelized=True, table_format=table_format)
    resource.add_step(LastStep(reader.check, reader.finish))
    return resource


def wrap(
    endpoint: Endpoint,
    draw: Callable[[], Iterator[Any]],
    excluded: frozenset[str],
    *,
    parallelized: bool = False,
    table_format: TableFormat | None = None,
) -> DltResource:
    """A resource that yields what *draw* yields, with everything dlt must know of the table."""
    optional: dict[str, Any] = {"table_format": table_format} if table_format else {}
    if endpoint.cursor is None:
        # The rows of the account (and parent) are replaced as a whole.
        optional["merge_key"] = (ACCOUNT_ID, *endpoint.sublist_columns)

    resource: DltResource = dlt.resource(
        draw,
        name=endpoint.name,
        primary_key=endpoint.key,
        # dlt takes the destination's first strategy: delete-insert where there is one, else upsert.
        write_disposition="merge",
        columns=build_hints(endpoint, excluded),
        nested_hints=build_nested_hints(endpoint, excluded),
        references=build_references(endpoint.columns, excluded),
        parallelized=parallelized,
        # SQL text, dlt's default for dictionaries, cannot hold NUL: dlt would leave it out.
        file_format="parquet",
        **optional,
    )
    return resource


class TableReader:
    """Reads one table of every account into items for dlt, while dlt asks for them."""

    def __init__(
        self,
        endpoint: Endpoint,
        extraction: Extraction,
        history: TableHistory | None = None,
        *,
        as_rows: bool | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._extraction = extraction
        self._history = history
        self._as_rows = as_rows
        self._excluded = excluded_columns(endpoint, extraction.options.exclude)
        self._row_tables = RowTables(endpoint, self._excluded)

    def check(self, name: str) -> None:
        """
        Check what the resource *name* is asked for, before anything is read.

        Raises:
            ConfigError: It would lose rows, or dlt could not load it.
        """
        check_resource(self._endpoint, name, self._extraction.run_log.warn)
        warn_of_late_pipeline(self._extraction.run_log.warn)
        if self._history is not None:
            check_history(self._history)

    def finish(self, name: str, rows: list[Any]) -> Any:
        """What to load of a page of *rows* after all steps of resource *name*."""
        is_for_people = find_load_id() is None
        if is_for_people or self._endpoint.record.children or keeps_rows(name):
            return rows
        return self._row_tables.build(rows, dlt.current.source_schema())

    def iter_items(self) -> Iterator[Any]:
        """Yield Arrow tables or lists of dictionaries; state moves after the rows it covers."""
        refuse_ambiguous_destination()
        schema = dlt.current.source_schema()
        refuse_earlier_names(schema, self._endpoint)
        as_rows = self._wants_rows()
        if find_grown_children(schema, self._endpoint):
            # Rows of child tables get the new columns only by being read again. Also, dlt 1.31 adds
            # columns only to tables for which a load has rows.
            current_accounts().clear()
        forget_other_warehouse()
        has_items = False
        for item in self._iter_accounts(schema, as_rows=as_rows):
            has_items = True
            yield item
        if as_rows or not has_items:
            # At the end, because dlt's add_limit counts it. Rows create the table with every
            # column, but steps may leave out all rows.
            yield from self._iter_empty(schema, as_rows=as_rows)

    def _wants_rows(self) -> bool:
        """
        Whether a user's steps get rows now.

        Raises:
            ConfigError: There are steps, but the table's history is kept from what Harvest sent.
        """
        has_steps = has_row_steps()
        if has_steps and self._history is not None:
            msg = (
                f"{self._endpoint.name} has steps that change or filter rows, and history is set "
                "for it, which would not apply those steps. Nothing was read and nothing changed. "
                "Leave out one of the two: the steps, or history under [sources.harvest]."
            )
            raise ConfigError(msg)
        if self._as_rows is not None:
            return self._as_rows
        return has_steps or find_load_id() is None or keeps_rows(dlt.current.pipe().name)

    def _iter_empty(self, schema: dlt.Schema, *, as_rows: bool) -> Iterator[Any]:
        if as_rows and not self._endpoint.record.children:
            if not is_declared(schema, self._endpoint, self._excluded):
                yield []  # Passes every step; afterwards it becomes an Arrow table.
            return
        if not self._endpoint.record.children or takes_empty(dlt.current.pipe().name):
            yield from iter_empty_table(self._endpoint, self._excluded, schema)

    def _iter_accounts(self, schema: dlt.Schema, *, as_rows: bool) -> Iterator[Any]:
        declared = (column.name for column in self._endpoint.columns)
        learned = learned_columns(schema, self._endpoint.name, declared)
        # A filter may drop the item that has the hints: dlt would then send rows in another format.
        known = None if has_row_steps() else KnownHints()
        with self._extraction.sessions.in_use():
            for account_id in self._extraction.sessions.account_ids():
                decoder = build_decoder(self._endpoint, account_id, self._excluded, schema, learned)
                stored = load_object(current_accounts().get(str(account_id)))
                state = find_beginning(self._history, stored)
                feed = TableFeed(self._endpoint, account_id, decoder, state)
                encoder = DltEncoder(
                    self._endpoint, decoder, account_id, schema, known, as_rows=as_rows
                )
                yield from self._iter_account(feed, encoder)

    def _iter_account(self, feed: TableFeed, encoder: DltEncoder) -> Iterator[Any]:
        kept: list[pa.Table] = []
        for batch in self._extraction.iter_batches(feed):
            if batch.table is not None:
                yield encoder.encode(batch.table)
                kept += [batch.table] if self._history else []
            if batch.state is not None:
                begun = note_begun(self._history, batch.state)
                current_accounts()[str(feed.account_id)] = begun
        if self._history is not None:
            yield from self._history.encode(kept, feed.decoder)
