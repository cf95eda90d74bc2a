"""Keep users' own views in a DuckDB file working while columns of their tables are renamed."""

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
    """A view that a user has created."""

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
        """Statements that create the view again."""
        return maintenance.recreate_view(self.schema, self.name, self.definition, self.comment)


class _Undone(Exception):
    """Raised to roll back what was tried in a transaction."""


def change_below_views(sql: Sql, change: Callable[[], None]) -> list[str]:
    """
    Carry out *change*, and in the same transaction create the views again that it would break.

    DuckDB may refuse a view whose columns had other names when it was created, even ``SELECT *``,
    which contains no names. PostgreSQL updates views by itself.

    Args:
        change: Alters tables; called several times, and rolled back each time except the last.

    Returns:
        Views that no longer work, because their own text contains an earlier name.
    """
    views = [View(*row) for row in sql.fetch(maintenance.DUCKDB_VIEWS)]
    working = [view for view in views if _works(sql, lambda: None, view.check)]
    due = [view for view in working if not _works(sql, change, view.check)]
    made: list[str] = []
    # A view of other views can be created again only after those.
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
    Whether *statements* work after *change*; all of it is rolled back.

    Each check has its own transaction: DuckDB ends a transaction in which it refused a statement,
    and reports nothing at its commit.
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
