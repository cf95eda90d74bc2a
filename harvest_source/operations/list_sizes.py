"""
Compare how many rows the warehouse has of each list that is read whole with how many were loaded.

A list is loaded only if it differs from the one that was loaded last. So rows that a person or
another program deleted from the warehouse would never come back, and added rows would stay. If a
list's size differs, its remembered digest is ignored: the list is loaded again when it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, TypeAlias

from harvest_source.extract.last_read import LastRead
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.stored import load_object
from harvest_source.operations.lost_elements import delete_lost_elements_below
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.sql.values import as_day
from harvest_source.warehouse.warehouse import Warehouse

_SEEN: Final = "seen"
_STATE_KEYS: Final[Mapping[ReadStrategy, str]] = {
    ReadStrategy.CHILDREN: "parents",
    ReadStrategy.WINDOWS: "windows",
    ReadStrategy.SNAPSHOT: "windows",
}
"""The key in a table's state that holds what is remembered of each list, by the list's name."""

Lists: TypeAlias = Counter[tuple[int, str]]
"""Rows by account and list name; the name is empty if an account has only one list."""


@dataclass(frozen=True, slots=True)
class ListSizes:
    """
    Rows of each list that the warehouse had when the run began.

    Attributes:
        tables: By table, child tables included; without those that could not be counted.
    """

    tables: Mapping[str, Lists] = field(default_factory=dict)

    def check(self, feed: TableFeed) -> TableFeed:
        """*feed*, changed so that lists whose number of rows here differs are loaded again."""
        key = _STATE_KEYS.get(feed.endpoint.strategy)
        if feed.endpoint.name not in self.tables:
            return feed
        if key is None:
            stored = {_SEEN: self._check(feed, "", feed.state.get(_SEEN))}
        else:
            lists = load_object(feed.state.get(key))
            stored = {key: {name: self._check(feed, name, each) for name, each in lists.items()}}
        changed = {name: value for name, value in stored.items() if value}
        return replace(feed, state={**feed.state, **changed})

    def _check(self, feed: TableFeed, name: str, stored: Any) -> Any:
        """What is *stored* of one list, without its digest if the number of rows here differs."""
        before = LastRead.load(stored)
        if before is None:
            return stored
        expected = {feed.endpoint.name: before.rows, **before.elements}
        is_right = all(
            self.tables[table][feed.account_id, name] == rows
            for table, rows in expected.items()
            if table in self.tables
        )
        return stored if is_right else before.without_trust().dump()


def check_lists(
    warehouse: Warehouse, list_sizes: ListSizes, feeds: Sequence[TableFeed]
) -> list[TableFeed]:
    """
    *feeds*, changed so that lists of another size are loaded again.

    Array elements left behind when their row was deleted by hand are deleted: the row brings its
    own when it is loaded.

    Raises:
        DestinationError: The destination refused.
    """
    checked = [list_sizes.check(each) for each in feeds]
    changed = [
        (after.endpoint.name, after.account_id)
        for before, after in zip(feeds, checked, strict=True)
        if after.state != before.state
    ]
    delete_lost_elements_below(warehouse, changed)
    return checked


def count_list_sizes(warehouse: Warehouse, endpoints: Iterable[Endpoint]) -> ListSizes:
    """
    Count the rows of each list of *endpoints* of which only a digest is remembered.

    A table that cannot be counted is left out: it fails when it is loaded, without failing any
    other table.

    Raises:
        DestinationError: The destination cannot be opened.
    """
    with warehouse.querying():
        counted = {
            table: _try_count(warehouse, table, endpoint.sublist_columns)
            for endpoint in filter(_is_remembered, endpoints)
            for table in (endpoint.name, *endpoint.child_tables)
            if warehouse.has_table(table)
        }
    return ListSizes({table: lists for table, lists in counted.items() if lists is not None})


def _is_remembered(endpoint: Endpoint) -> bool:
    """Whether a list of *endpoint* is not loaded while it is unchanged."""
    if endpoint.strategy is ReadStrategy.CHILDREN:
        return endpoint.in_part
    return endpoint.strategy is not ReadStrategy.CHANGES


def _try_count(warehouse: Warehouse, table: str, columns: Sequence[str]) -> Lists | None:
    """Rows of *table* by account and *columns*; None: it cannot be counted."""
    counted: Lists = Counter()
    try:
        with warehouse.sql() as sql:
            for (account_id, *values), rows in sql.iter_groups(
                table, EVERY_ROW, (ACCOUNT_ID, *columns)
            ):
                if account_id is not None:
                    counted[int(account_id), "/".join(map(_format, values))] += rows
    except Exception:
        return None
    return counted


def _format(value: Any) -> str:
    """The value of such a column, as it is written in the name of a list."""
    return str(as_day(value) if isinstance(value, date) else value)
