"""Callers, and what each of them may ask of a warehouse."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from harvest_source.ask.callers import People
from harvest_source.ask.cursors import CursorSeal
from harvest_source.ask.reach import Reach
from harvest_source.ask.row_rules import Person
from harvest_source.ask.runner import Runner, Task
from harvest_source.ask.scopes import UNLIMITED, Rows, Scope
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.defaults import PROFILE

_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who asks.

    Attributes:
        name: For the audit log: of a token, or ``stdio``.
        profile: The sign-in that says which person it is.
    """

    name: str
    scope: Scope = UNLIMITED
    profile: str = PROFILE


@dataclass(frozen=True, slots=True)
class Access:
    """
    A warehouse for callers who may see parts of it.

    Attributes:
        people: Asks Harvest who a caller is, where their scope depends on it.
        key: Seals cursors; empty where callers can read the file by themselves.
    """

    runner: Runner
    people: People
    key: bytes = field(default=b"", repr=False)

    def for_server(self) -> Access:
        """The same for callers who cannot read the file: their cursors are sealed with a key."""
        return replace(self, key=secrets.token_bytes(_KEY_BYTES))

    def open(self, caller: Caller, task: Task | None = None) -> Runner:
        """
        A runner that answers *caller* and shows no more than they may see.

        Turns and workers are shared by all callers; *task* can give the question up.

        Raises:
            NotConfirmedError: Harvest did not confirm who they are, and the scope rests on it.
        """
        scope = caller.scope
        people: tuple[Person, ...] = ()
        if scope.rows is not Rows.ALL:
            people = self.people.find(caller.profile, is_managing=scope.rows is Rows.MANAGED)
        owner = f"{caller.name}\n{caller.profile}\n{scope.name}"
        return replace(
            self.runner,
            reach=Reach(scope, people),
            cursor_seal=CursorSeal(self.key, owner),
            task=task or Task(),
        )


def check_tool(scope: Scope, tool: str, command: str) -> None:
    """
    Refuse a command whose tool a scope does not have.

    Raises:
        StatementRefused: It has not.
    """
    if not scope.allows(tool):
        raise StatementRefused(f"The scope {scope.name} does not allow {command}.")


Find = Callable[[object], Caller]
"""Finds who a request of the protocol is from, by its context."""
