"""Rows of the lists below one record: its children, and views of other tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.values import Record, Tables
from harvest_source.sandbox.endpoints import CHILDREN, ENDPOINTS, MINE, Parent

UNQUOTED = ("project", "user", "task")


def is_manager(user: Record) -> bool:
    """Whether a user has the role that manages a team."""
    return "manager" in (user.get("access_roles") or ())


def teammate_ids(user_id: int, tables: Tables) -> list[int]:
    """
    The users that a manager looks after: every fourth member.

    Harvest shows the team only under ``/teammates``, so no list record holds it here either.
    """
    members = [
        user["id"]
        for user in tables["users"].values()
        if user["id"] != user_id and "member" in (user.get("access_roles") or ())
    ]
    return members[1::4]


class NestedRows:
    """
    Finds the records below each record; reads the tables, never writes.

    Children hold the id of their parent under ``Parent.key``, which is never served.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._index: dict[tuple[str, str], dict[Any, list[Record]]] = {}

    def forget(self, table: str) -> None:
        """Drop what was derived from *table*; call when it changed."""
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
        """The rows of one nested list as served, in no particular order."""
        parent = ENDPOINTS[name].parent
        if parent is not None and name in CHILDREN:
            children = self.records(name, parent.key, parent_id)
            return [without_parent(parent, row) for row in children]
        return VIEWS[name](self, parent_id)

    def teammates(self, user_id: int) -> list[Record]:
        """The users that a manager looks after; none for other roles and unknown users."""
        users = self._tables["users"]
        if user_id not in users or not is_manager(users[user_id]):
            return []
        names = ("id", "first_name", "last_name", "email")
        return [
            {name: users[other].get(name) for name in names}
            for other in teammate_ids(user_id, self._tables)
        ]

    def project_assignments(self, user_id: int) -> list[Record]:
        """
        The active assignments of a user, with the tasks of each project.

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


def without_parent(parent: Parent, record: Record) -> Record:
    """A child as the API serves it: without the id of its parent (quirk 62)."""
    return {name: value for name, value in record.items() if name != parent.key}


VIEWS: dict[str, Callable[[NestedRows, int], list[Record]]] = {
    "teammates": NestedRows.teammates,
    "project_assignments": NestedRows.project_assignments,
    MINE: NestedRows.project_assignments,
    "project_user_assignments": lambda nested, project_id: nested.records(
        "user_assignments", "project", project_id
    ),
    "project_task_assignments": lambda nested, project_id: nested.records(
        "task_assignments", "project", project_id
    ),
}
"""Nested lists that show the rows of other tables."""
