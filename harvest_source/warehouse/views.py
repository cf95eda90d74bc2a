"""People's own views in a DuckDB file, while columns of the tables below them are renamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import duckdb

from harvest_source.dlt_internals import DestinationException
from harvest_source.sql import maintenance
from harvest_source.warehouse.sql import Sql


@dataclass(frozen=True, slots=True)
class View:
    """A view of people's own."""

    schema: str
    name: str
    definition: str
    comment: str | None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def check(self) -> list[str]:
        """Statements that fail if the view does not work."""
        return [maintenance.try_view(self.schema, self.name)]

    @property
    def making(self) -> list[str]:
        """Statements that make it again."""
        return maintenance.make_view_again(self.schema, self.name, self.definition, self.comment)


class _Undone(Exception):
    """What was tried in a transaction is to be undone."""


def change_below_views(sql: Sql, change: Callable[[], None]) -> list[str]:
    """
    Carry out *change* in one transaction, together with making again the views that it would break.

    DuckDB may refuse a view whose columns have other names than when it was made: also
    ``SELECT *``, which says nothing of names. PostgreSQL keeps views by itself.

    Args:
        change: Alters tables; called several times, and undone each time but the last.

    Returns:
        Views that work no longer, because they say an earlier name themselves.
    """
    views = [View(*row) for row in sql.fetch(maintenance.DUCKDB_VIEWS)]
    working = [view for view in views if _works(sql, lambda: None, view.check)]
    due = [view for view in working if not _works(sql, change, view.check)]
    made: list[str] = []
    # A view of views can be made again once those are.
    while due:
        left = []
        for view in due:
            if _works(sql, change, [*made, *view.making]):
                made += view.making
            else:
                left.append(view)
        if len(left) == len(due):
            break
        due = left
    with sql.transaction():
        change()
        for statement in made:
            sql.execute((statement, []))
    return [str(view) for view in due]


def _works(sql: Sql, change: Callable[[], None], statements: Iterable[str]) -> bool:
    """
    Whether *statements* work after *change*; all of it is undone.

    In a transaction of its own: DuckDB ends one, without a word at its commit, when a statement in
    it was refused.
    """
    try:
        with suppress(_Undone), sql.transaction():
            change()
            for statement in statements:
                sql.execute((statement, []))
            raise _Undone
    except (DestinationException, duckdb.Error):
        return False
    return True
