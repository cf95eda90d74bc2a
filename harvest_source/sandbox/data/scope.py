"""Which rows of a table one viewer sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harvest_source.sandbox.data.query import Test, quoted_ids
from harvest_source.sandbox.data.values import Record


@dataclass(frozen=True, slots=True)
class Scope:
    """
    The rows of a table that a viewer sees: those of *users* or of *projects*.

    Attributes:
        users: User ids. When this and *projects* are both ``None``, every row is seen.
        projects: Project ids.
        nothing: No row is seen.
    """

    users: frozenset[int] | None = None
    projects: frozenset[int] | None = None
    nothing: bool = False

    @property
    def everything(self) -> bool:
        """Whether every row is seen."""
        return self.users is None and self.projects is None and not self.nothing

    def covers(self, user_id: int, project_id: int) -> bool:
        """Whether a row of that user and project is seen."""
        return (
            self.everything
            or user_id in (self.users or frozenset())
            or project_id in (self.projects or frozenset())
        )


EVERYTHING = Scope()
NOTHING = Scope(nothing=True)


def scope_test(table: str, scope: Scope) -> Test:
    """*scope* as a predicate over full records of *table*."""
    users, projects = scope.users or frozenset(), scope.projects or frozenset()
    own: dict[str, Callable[[Record], bool]] = {
        "users": lambda record: record["id"] in users,
        "projects": lambda record: record["id"] in projects,
        "invoice_item_categories": lambda _: True,
    }
    if scope.everything or scope.nothing:
        return lambda _: scope.everything
    return own.get(
        table,
        lambda record: (
            not users.isdisjoint(quoted_ids(record, "user"))
            or not projects.isdisjoint(quoted_ids(record, "project"))
        ),
    )
