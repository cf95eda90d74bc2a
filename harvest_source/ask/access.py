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
from harvest_source.ask.runner import CancellableQuestion, Runner
from harvest_source.ask.scopes import UNLIMITED, Rows, Scope
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.defaults import PROFILE

_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who asks.

    Attributes:
        name: Name in the audit log: a token's name, or ``stdio`` for example.
        profile: The sign-in that says which person it is.
    """

    name: str
    scope: Scope = UNLIMITED
    profile: str = PROFILE


@dataclass(frozen=True, slots=True)
class Access:
    """
    A warehouse for callers who may see only parts of it.

    Attributes:
        people: Asks Harvest who a caller is, if their scope depends on it.
        key: Seals cursors; empty where callers can read the file themselves.
    """

    runner: Runner
    people: People
    key: bytes = field(default=b"", repr=False)

    def for_server(self) -> Access:
        """Return a copy for callers who cannot read the file: it seals cursors with a new key."""
        return replace(self, key=secrets.token_bytes(_KEY_BYTES))

    def open(self, caller: Caller, task: CancellableQuestion | None = None) -> Runner:
        """
        Return a runner that answers *caller* and shows no more than they may see.

        All callers share the turns and workers; *task* lets the question be cancelled.

        Raises:
            NotConfirmedError: Harvest did not confirm who they are, and the scope depends on it.
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
            task=task or CancellableQuestion(),
        )


def check_tool(scope: Scope, tool: str, command: str) -> None:
    """
    Refuse a command whose tool a scope does not allow.

    Raises:
        StatementRefused: The scope does not allow *tool*.
    """
    if not scope.allows(tool):
        raise StatementRefused(f"The scope {scope.name} does not allow {command}.")


Find = Callable[[object], Caller]
"""Finds the caller of a protocol request from its context."""
