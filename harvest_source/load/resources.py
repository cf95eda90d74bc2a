"""One dlt resource per table: hints, and a reader that dlt draws rows from. Opens no sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
from dlt.sources import DltResource

from harvest_source.extract.extraction import Extraction, TableFeed
from harvest_source.load.encoder import DltEncoder, build_decoder, iter_empty_table
from harvest_source.load.hints import (
    build_hints,
    build_nested_hints,
    build_references,
    excluded_columns,
    learned_columns,
)
from harvest_source.load.history import TableHistory, find_beginning, note_begun
from harvest_source.load.state import (
    current_accounts,
    forget_other_warehouse,
    refuse_ambiguous_destination,
)
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint


def build_resource(
    endpoint: Endpoint, reading: Extraction, history: TableHistory | None = None
) -> DltResource:
    """
    Build the resource of one table, which reads while dlt draws from it. No I/O.

    Args:
        history: Keeps every version of the table's rows; None: only the last one is kept.
    """
    reader = TableReader(endpoint, reading, history)

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
    """A resource that yields what *draw* yields, with everything dlt must know of the table."""
    merge: Any = {"disposition": "merge", "strategy": "delete-insert"}
    optional: dict[str, Any] = {}
    if endpoint.cursor is None:
        # The rows of the account (and parent) are replaced as a whole.
        optional["merge_key"] = (ACCOUNT_ID, *endpoint.scope)

    resource: DltResource = dlt.resource(
        draw,
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


class TableReader:
    """Reads one table of every account into items for dlt, while dlt asks for them."""

    def __init__(
        self, endpoint: Endpoint, reading: Extraction, history: TableHistory | None = None
    ) -> None:
        self._endpoint = endpoint
        self._reading = reading
        self._history = history
        self._excluded = excluded_columns(endpoint, reading.options.exclude)

    def iter_items(self) -> Iterator[Any]:
        """Yield Arrow tables or lists of dictionaries; state moves after the rows it is for."""
        refuse_ambiguous_destination()
        schema = dlt.current.source_schema()
        yield from iter_empty_table(self._endpoint, self._excluded, schema)
        forget_other_warehouse()
        declared = (column.name for column in self._endpoint.columns)
        learned = learned_columns(schema, self._endpoint.name, declared)
        with self._reading.sessions.in_use():
            for account_id in self._reading.sessions.account_ids():
                decoder = build_decoder(self._endpoint, account_id, self._excluded, schema, learned)
                stored = current_accounts().get(str(account_id), {})
                state = find_beginning(self._history, stored)
                feed = TableFeed(self._endpoint, account_id, decoder, state)
                yield from self._iter_account(feed, schema)

    def _iter_account(self, feed: TableFeed, schema: dlt.Schema) -> Iterator[Any]:
        encoder = DltEncoder(self._endpoint, feed.decoder, feed.account_id, schema)
        kept: list[pa.Table] = []
        for batch in self._reading.iter_batches(feed):
            if batch.table is not None:
                yield encoder.encode(batch.table)
                kept += [batch.table] if self._history else []
            if batch.state is not None:
                begun = note_begun(self._history, batch.state)
                current_accounts()[str(feed.account_id)] = begun
        if self._history is not None:
            yield from self._history.encode(kept, feed.decoder)
