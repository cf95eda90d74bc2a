"""
Batches that were read, as dlt sources of bounded size.

``sync`` reads on its own and loads one such source after another: what is loaded is safe, and the
next rows are read meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dlt
from dlt.common.schema import Schema
from dlt.extract import DltSource

from harvest_source.decode.dedup import keep_newest
from harvest_source.extract.extraction import Batch, TableFeed
from harvest_source.load.history import Versions
from harvest_source.load.own_tables import COLUMNS, build_own_resource, is_made
from harvest_source.load.resources import (
    DltEncoder,
    account_states,
    build_decoder,
    build_hints,
    excluded_columns,
    learned_columns,
    make_table,
    stored_columns,
    wrap,
)
from harvest_source.load.source import NAME, forget_detections
from harvest_source.schema.columns import Type
from harvest_source.schema.endpoint import Endpoint


class PackageBuilder:
    """
    Turns what one run reads into dlt sources.

    Args:
        endpoints: The tables of the run.
        exclude: ``table.column`` names to leave out.
        schema: What dlt knows of the tables before the run.
        state: dlt's state of the source before the run.
        history: Tables of which every version is kept.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        exclude: frozenset[str],
        schema: Schema,
        state: Mapping[str, Any],
        history: frozenset[str] = frozenset(),
    ) -> None:
        self._endpoints = endpoints
        self._excluded = {each.name: excluded_columns(each, exclude) for each in endpoints}
        self._schema = schema
        self._state = state
        self._versions = {
            each.name: Versions(each, self._excluded[each.name])
            for each in endpoints
            if each.name in history
        }
        self._learned: dict[str, dict[str, Type]] = {}
        self._feeds: dict[tuple[str, int], TableFeed] = {}
        self._unmade = [each for each in endpoints if self._must_be_made(each)]
        self._unmade_own = [name for name in COLUMNS if not is_made(name, schema)]

    @property
    def has_unmade(self) -> bool:
        """Whether tables are missing that no source has made yet."""
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
        A source that holds *batches*, and all tables that are missing. It can be drawn from once.

        Takes the batches out of their list, and lets go of rows as they are drawn: dlt's objects
        refer to each other in circles and stay until Python looks for such circles, which it does
        not do because of memory that is Arrow's.
        """
        by_table: dict[str, list[Batch]] = defaultdict(list)
        for batch in batches:
            by_table[batch.endpoint.name].append(batch)
        batches.clear()
        unmade, self._unmade = self._unmade, []
        unmade_own, self._unmade_own = self._unmade_own, []

        def resources() -> list[Any]:
            forget_detections()
            tables = [
                self._build_resource(each, by_table[each.name], each in unmade)
                for each in self._endpoints
                if each.name in by_table or each in unmade
            ]
            return [*tables, *(build_own_resource(name, []) for name in unmade_own)]

        return dlt.source(resources, name=NAME, section=NAME)()

    def _must_be_made(self, endpoint: Endpoint) -> bool:
        wanted = build_hints(endpoint, self._excluded[endpoint.name]).keys()
        return not wanted <= stored_columns(self._schema, endpoint.name).keys()

    def _build_feed(self, endpoint: Endpoint, account_id: int) -> TableFeed:
        name, excluded = endpoint.name, self._excluded[endpoint.name]
        if name not in self._learned:
            declared = (column.name for column in endpoint.columns)
            self._learned[name] = learned_columns(self._schema, name, declared)
        decoder = build_decoder(endpoint, account_id, excluded, self._schema, self._learned[name])
        stored = self._state.get("resources", {}).get(name, {}).get("accounts", {})
        versions = self._versions.get(name)
        is_new = versions is not None and versions.must_begin(self._schema)
        return TableFeed(
            endpoint, account_id, decoder, {} if is_new else stored.get(str(account_id), {})
        )

    def _build_resource(self, endpoint: Endpoint, batches: list[Batch], is_unmade: bool) -> Any:
        excluded = self._excluded[endpoint.name]

        def draw() -> Iterator[Any]:
            schema = dlt.current.source_schema()
            if is_unmade:
                yield from make_table(endpoint, excluded, schema)
            by_account: dict[int, list[Batch]] = defaultdict(list)
            for batch in batches:
                by_account[batch.account_id].append(batch)
            batches.clear()
            for account_id in list(by_account):
                yield from self._draw(endpoint, account_id, by_account.pop(account_id), schema)

        return wrap(endpoint, draw, excluded)

    def _draw(
        self, endpoint: Endpoint, account_id: int, batches: list[Batch], schema: Schema
    ) -> Iterator[Any]:
        """The rows of one account, each once, and then its state."""
        lane = DltEncoder(
            endpoint, self._feeds[endpoint.name, account_id].decoder, account_id, schema
        )
        tables = [batch.table for batch in batches if batch.table is not None]
        states = [batch.state for batch in batches if batch.state is not None]
        batches.clear()
        if tables:
            rows = keep_newest(tables, endpoint.key)
            tables.clear()
            yield from lane.items(rows)
            if versions := self._versions.get(endpoint.name):
                yield from versions.iter_items(
                    [rows], self._feeds[endpoint.name, account_id].decoder
                )
        for state in states:
            account_states()[str(account_id)] = dict(state)
