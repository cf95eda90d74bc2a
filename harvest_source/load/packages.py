"""
Turns the batches that were read into dlt sources of bounded size.

``sync`` does its own reading and loads one such source after another: loaded rows are safe while
the next ones are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import dlt
from dlt.sources import DltSource

from harvest_source.decode.dedup import iter_newest
from harvest_source.defaults import TableFormat
from harvest_source.extract.exclusion import excluded_columns
from harvest_source.extract.extraction import Batch
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.run_log import Place
from harvest_source.load.encoder import DltEncoder, KnownHints, build_decoder, iter_empty_table
from harvest_source.load.file_format import choose_format
from harvest_source.load.hints import (
    disable_type_detection,
    is_declared,
    learned_columns,
)
from harvest_source.load.history import build_histories, find_beginning, note_begun
from harvest_source.load.own_tables import COLUMNS, build_own_resource, is_made
from harvest_source.load.resources import wrap
from harvest_source.load.state import SOURCE, current_accounts, stored_accounts
from harvest_source.schema.columns import Type
from harvest_source.schema.endpoint import Endpoint

_ROWS_TOGETHER: Final = 100_000
"""
Rows that dlt gets at once, as the pages in which they came: most packages as a whole, and one row
group of the package's file. With 20,000, a first load took a twentieth more processor time.
"""


_ROWS_AS_VALUES: Final = 5_000
"""
The same where dlt writes rows as text: it turns all rows that it gets at once into Python values,
half a gigabyte for 100,000 rows.
"""


class PackageBuilder:
    """
    Turns what one run reads into dlt sources.

    Args:
        endpoints: The tables of the run.
        exclude: ``table.column`` names to leave out.
        schema: What dlt knows of the tables before the run.
        state: dlt's state of the source before the run.
        history: Names of tables of which every version is kept.
        table_format: Format of all tables, if the destination stores files.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        exclude: frozenset[str],
        schema: dlt.Schema,
        state: Mapping[str, Any],
        history: frozenset[str] = frozenset(),
        table_format: TableFormat | None = None,
    ) -> None:
        self._table_format = table_format
        self._endpoints = endpoints
        self._excluded = {each.name: excluded_columns(each, exclude) for each in endpoints}
        self._schema = schema
        self._state = state
        self._histories = build_histories(endpoints, history, exclude, table_format)
        self._learned: dict[str, dict[str, Type]] = {}
        self._feeds: dict[Place, TableFeed] = {}
        self._unmade = [
            each for each in endpoints if not is_declared(schema, each, self._excluded[each.name])
        ]
        self._unmade_own = [name for name in COLUMNS if not is_made(name, schema)]

    @property
    def has_unmade(self) -> bool:
        """Whether any table is missing that no source has created yet."""
        return bool(self._unmade or self._unmade_own)

    def build_feeds(self, account_ids: Iterable[int]) -> list[TableFeed]:
        """What is to be read: every table of every account."""
        feeds = [
            self._build_feed(each, account) for account in account_ids for each in self._endpoints
        ]
        self._feeds = {(feed.endpoint.name, feed.account_id): feed for feed in feeds}
        return feeds

    def build_source(self, batches: list[Batch]) -> DltSource:
        """
        A source that holds *batches* and creates all missing tables. It can be drawn from once.

        Empties the list *batches* and releases rows as they are drawn. dlt's objects refer to each
        other in cycles that only Python's cycle collector frees, and memory that belongs to Arrow
        does not make the collector run.
        """
        by_table: dict[str, list[Batch]] = defaultdict(list)
        for batch in batches:
            by_table[batch.endpoint.name].append(batch)
        batches.clear()
        unmade, self._unmade = self._unmade, []
        unmade_own, self._unmade_own = self._unmade_own, []

        def resources() -> list[Any]:
            disable_type_detection()
            tables = [
                self._build_resource(each, by_table[each.name], each in unmade)
                for each in self._endpoints
                if each.name in by_table or each in unmade
            ]
            own = (build_own_resource(name, [], self._table_format) for name in unmade_own)
            return [*tables, *own]

        return dlt.source(resources, name=SOURCE, section=SOURCE)()

    def _build_feed(self, endpoint: Endpoint, account_id: int) -> TableFeed:
        name, excluded = endpoint.name, self._excluded[endpoint.name]
        if name not in self._learned:
            declared = (column.name for column in endpoint.columns)
            self._learned[name] = learned_columns(self._schema, name, declared)
        decoder = build_decoder(endpoint, account_id, excluded, self._schema, self._learned[name])
        state = stored_accounts(self._state, name).get(str(account_id), {})
        state = find_beginning(self._histories.get(name), state)
        return TableFeed(endpoint, account_id, decoder, state)

    def _build_resource(self, endpoint: Endpoint, batches: list[Batch], is_unmade: bool) -> Any:
        excluded = self._excluded[endpoint.name]

        def draw() -> Iterator[Any]:
            schema = dlt.current.source_schema()
            if is_unmade:
                yield from iter_empty_table(endpoint, excluded, schema)
            groups = self._group(endpoint, batches)
            batches.clear()
            known = KnownHints()
            while groups:
                group = groups.pop()
                account_id = group[0].account_id
                decoder = self._feeds[endpoint.name, account_id].decoder
                encoder = DltEncoder(endpoint, decoder, account_id, schema, known)
                yield from self._draw(endpoint, group, encoder)

        return wrap(endpoint, draw, excluded, table_format=self._table_format)

    def _group(self, endpoint: Endpoint, batches: Sequence[Batch]) -> list[list[Batch]]:
        """
        Group *batches* that become items for dlt together: of all accounts, if rows look alike.

        dlt computes the table and all its columns again for each Arrow table that it gets: 15 ms of
        processor time, for every table of every account.
        """
        if not endpoint.record.children and endpoint.name not in self._histories:
            return [list(batches)] if batches else []
        by_account: dict[int, list[Batch]] = defaultdict(list)
        for batch in batches:
            by_account[batch.account_id].append(batch)
        return list(by_account.values())[::-1]

    def _draw(self, endpoint: Endpoint, batches: list[Batch], encoder: DltEncoder) -> Iterator[Any]:
        """The rows of a group, each key once, and then the state of each account."""
        tables = [batch.table for batch in batches if batch.table is not None]
        states = {each.account_id: each.state for each in batches if each.state is not None}
        batches.clear()
        if tables:
            history = self._histories.get(endpoint.name)
            together = _ROWS_TOGETHER if choose_format() == "parquet" else _ROWS_AS_VALUES
            for rows in iter_newest(tables, endpoint.key, together):
                yield encoder.encode(rows)
                if history is not None:
                    yield from history.encode([rows], encoder.decoder)
        for account_id, state in states.items():
            begun = note_begun(self._histories.get(endpoint.name), state)
            current_accounts()[str(account_id)] = begun
