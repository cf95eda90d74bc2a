"""
Which rows of a table belong to a person or a project: what ``own`` and ``managed`` show.

A table without a rule shows no rows in either. The SQL is built only from our own names and ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from harvest_source.sql.maintenance import quote


@dataclass(frozen=True, slots=True)
class Person:
    """
    Who asks, in one account.

    Attributes:
        user_id: Harvest's id.
        people: Ids of the people that they manage.
        projects: Ids of the projects that they manage.
    """

    account_id: int
    user_id: int
    people: tuple[int, ...] = ()
    projects: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """
    The tables that conditions refer to.

    Attributes:
        database: Name of the database of the warehouse's file.
        dataset: Schema of the tables.
        tables: Names of the tables that exist.
    """

    database: str
    dataset: str
    tables: frozenset[str]

    def select(self, column: str, table: str, where: str) -> str:
        """Build a SELECT of one column; it returns no row if the table does not exist."""
        if table not in self.tables:
            return "SELECT NULL WHERE FALSE"
        name = quote(self.database, self.dataset, table)
        return f"SELECT {quote(column)} FROM {name} WHERE {where}"  # noqa: S608


Build = Callable[[Person, Source], str]
"""Builds the condition of a person's rows in one account, without the account's own condition."""


def _of(person: str = "", project: str = "") -> Build:
    """Select rows by their person column, and by the project column for managed projects."""

    def build(who: Person, _: Source) -> str:
        parts = []
        if person:
            parts.append(_is_in(person, (who.user_id, *who.people)))
        if project and who.projects:
            parts.append(_is_in(project, who.projects))
        return " OR ".join(parts) or "FALSE"

    return build


def _is_in(column: str, ids: Iterable[int]) -> str:
    return f"{quote(column)} IN ({', '.join(str(int(each)) for each in ids)})"


def _select_projects(who: Person, source: Source) -> Sequence[str]:
    """SELECTs of the projects that they manage, or that they and the people they manage work on."""
    account = f"account_id = {int(who.account_id)}"
    people = _is_in("user__id", (who.user_id, *who.people))
    found = [
        source.select("project__id", table, f"{account} AND {people}")
        for table in ("user_assignments", "time_entries", "expenses")
    ]
    return [*found, *(f"SELECT {int(each)}" for each in who.projects)]


def _of_projects(column: str) -> Build:
    def build(who: Person, source: Source) -> str:
        return f"{quote(column)} IN ({' UNION '.join(_select_projects(who, source))})"

    return build


def _of_their_projects(column: str, theirs: str, table: str) -> Build:
    """Select rows that rows of their projects in *table* refer to, such as projects' clients."""

    def build(who: Person, source: Source) -> str:
        projects = " UNION ".join(_select_projects(who, source))
        project = "id" if table == "projects" else "project__id"
        where = f"account_id = {int(who.account_id)} AND {quote(project)} IN ({projects})"
        return f"{quote(column)} IN ({source.select(theirs, table, where)})"

    return build


RULES: Final[dict[str, Build]] = {
    "time_entries": _of("user__id", "project__id"),
    "expenses": _of("user__id", "project__id"),
    "users": _of("id"),
    "user_assignments": _of("user__id", "project__id"),
    "projects": _of_projects("id"),
    "task_assignments": _of_projects("project__id"),
    "clients": _of_their_projects("id", "client__id", "projects"),
    "tasks": _of_their_projects("id", "task__id", "task_assignments"),
    "harvest__time_entries": _of("user_id", "project_id"),
    "harvest__hours_daily": _of("user_id", "project_id"),
    "harvest__people": _of("user_id"),
    "harvest__utilization_daily": _of("user_id"),
    "harvest__utilization_weekly": _of("user_id"),
    "harvest__utilization_monthly": _of("user_id"),
    "harvest__missing_time": _of("user_id"),
}
"""The rule of each table or model, by its name."""


def build_condition(table: str, people: Iterable[Person], source: Source) -> str:
    """Build the condition of the rows of *table* that a person may see, in all their accounts."""
    rule = RULES.get(table)
    parts = [
        f"(account_id = {int(who.account_id)} AND ({rule(who, source)}))"
        for who in people
        if rule is not None
    ]
    return " OR ".join(parts) or "FALSE"
