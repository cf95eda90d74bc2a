"""Rows of the lists that hang below one record: its children, and views of other tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harvest_source.sandbox import references as refs
from harvest_source.sandbox.access import is_manager, teammates
from harvest_source.sandbox.endpoints import CHILDREN, ENDPOINTS, MINE, Parent
from harvest_source.sandbox.plan import Tables
from harvest_source.sandbox.values import Record

UNQUOTED = ("project", "user", "task")


class Below:
    """
    Which records lie below which; reads the tables, never writes.

    Children carry the id of their parent under ``Parent.key``, which no answer ever shows.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._index: dict[tuple[str, str], dict[Any, list[Record]]] = {}

    def forget(self, table: str) -> None:
        """*table* has changed."""
        for key in [key for key in self._index if key[0] == table]:
            del self._index[key]

    def records(self, table: str, member: str, parent_id: int) -> list[Record]:
        """The records of *table* whose *member*, an id or a quoted record, is that parent."""
        if (table, member) not in self._index:
            found: dict[Any, list[Record]] = {}
            for record in self._tables[table].values():
                value = record.get(member)
                key = value.get("id") if isinstance(value, dict) else value
                found.setdefault(key, []).append(record)
            self._index[table, member] = found
        return self._index[table, member].get(parent_id, [])

    def rows(self, name: str, parent_id: int) -> list[Record]:
        """The rows of one nested list as served, in no order."""
        parent = ENDPOINTS[name].parent
        if parent is not None and name in CHILDREN:
            return [served(parent, row) for row in self.records(name, parent.key, parent_id)]
        return VIEWS[name](self, parent_id)

    def teammates(self, user_id: int) -> list[Record]:
        """The people that a manager looks after; nobody else looks after any."""
        users = self._tables["users"]
        if not is_manager(users[user_id]):
            return []
        names = ("id", "first_name", "last_name", "email")
        return [
            {name: users[other].get(name) for name in names}
            for other in teammates(user_id, self._tables)
        ]

    def project_assignments(self, user_id: int) -> list[Record]:
        """
        The active assignments of a person, with the tasks of each project.

        Unverified against a live account: that archived tasks of a project are among them.
        """
        assigned = self.records("user_assignments", "user", user_id)
        return [self._assignment(row) for row in assigned if row["is_active"]]

    def _assignment(self, record: Record) -> Record:
        project: Record = self._tables["projects"].get(record["project"]["id"]) or record["project"]
        tasks = self.records("task_assignments", "project", record["project"]["id"])
        plain = {name: value for name, value in record.items() if name not in UNQUOTED}
        return plain | {
            "project": refs.coded(project) | {"is_billable": project.get("is_billable")},
            "client": project.get("client"),
            "task_assignments": [
                refs.task_assignment(tasked) | {"task": tasked["task"]} for tasked in tasks
            ],
        }


def served(parent: Parent, record: Record) -> Record:
    """A child as the API shows it: without the id of its parent (quirk 62)."""
    return {name: value for name, value in record.items() if name != parent.key}


VIEWS: dict[str, Callable[[Below, int], list[Record]]] = {
    "teammates": Below.teammates,
    "project_assignments": Below.project_assignments,
    MINE: Below.project_assignments,
    "project_user_assignments": lambda below, project_id: below.records(
        "user_assignments", "project", project_id
    ),
    "project_task_assignments": lambda below, project_id: below.records(
        "task_assignments", "project", project_id
    ),
}
