"""
Asks again, after the last page, who the token's owner is and which modules are on.

If a role is reduced or a module is switched off while a run reads, rows disappear and look deleted.
So before anything is replaced, emptied or removed, and before a cursor moves, Harvest must confirm
that this token still sees what it saw when its account was opened. The run asks only when one of
these is about to happen: a run without changes sends no extra request.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import call
from typing import Any, TypeAlias

from harvest_source.auth.sessions import ACCOUNTS_AT_ONCE, Session, Sessions
from harvest_source.concurrency import in_parallel
from harvest_source.errors import HarvestError
from harvest_source.extract.run_log import Place, RunLog
from harvest_source.extract.visibility import (
    describe_changed_module,
    describe_changed_owner,
    describe_old_answer,
)
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME

_Doubt: TypeAlias = tuple[str, int, str]
"""Table (empty: the whole account), account id, and the reason."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Finds tables whose rows may be hidden rather than gone, and records them in the run log."""

    sessions: Sessions
    run_log: RunLog

    def find_doubtful(self, places: Iterable[tuple[Endpoint, int]]) -> set[Place]:
        """
        Ask again about *places*, pairs of table and account: one or two requests per account.

        Returns:
            Name and account of each table in which nothing may be replaced, emptied or removed, and
            whose cursor may not move. A table once in doubt stays in doubt until the run ends.
        """
        asked = list(places)
        self.ask(asked)
        return {
            (endpoint.name, account_id)
            for endpoint, account_id in asked
            if self.run_log.is_doubtful(endpoint.name, account_id)
        }

    def ask(self, places: Iterable[tuple[Endpoint, int]]) -> None:
        """Ask, and record doubts in the run log: the first step of :meth:`find_doubtful`."""
        by_account: dict[int, dict[str, Endpoint]] = defaultdict(dict)
        for endpoint, account_id in places:
            by_account[account_id][endpoint.name] = endpoint
        pending = [
            (self.sessions.open(account_id), list(endpoints.values()))
            for account_id, endpoints in by_account.items()
            if not self.run_log.is_doubtful("", account_id)
        ]
        for doubts in in_parallel(_find_doubts, pending, workers=ACCOUNTS_AT_ONCE):
            for doubt in doubts:
                self.run_log.doubt(*doubt)


def _find_doubts(pending: tuple[Session, Sequence[Endpoint]]) -> list[_Doubt]:
    """Ask about some tables of one account; return those that are in doubt."""
    session, endpoints = pending
    account_id = session.account_id
    modules = {endpoint.module for endpoint in endpoints if endpoint.module is not None}
    questions: list[Callable[[], Any]] = [session.fetch_owner]
    if modules:
        questions.append(partial(session.find_changed_modules, modules))
    try:
        # Both in parallel: the rows already read wait for the answers.
        owner, *found = in_parallel(call, questions, workers=len(questions))
    except HarvestError as error:
        return [("", account_id, describe_changed_owner(account_id, str(error)))]
    if owner.visibility != session.owner.visibility:
        why = "the token's owner has other roles than when the run began."
        return [("", account_id, describe_changed_owner(account_id, why))]
    changed: set[str] = found[0] if found else set()
    doubts: list[_Doubt] = []
    for endpoint in endpoints:
        if endpoint.module in changed:
            why = describe_changed_module(endpoint, account_id)
            doubts.append((endpoint.name, account_id, why))
        elif _lists(endpoint) & session.server_clock.find_old():
            why = describe_old_answer(endpoint, account_id)
            doubts.append((endpoint.name, account_id, why))
    return doubts


def _lists(endpoint: Endpoint) -> set[str]:
    """Paths of the lists that a table is read from, with ``#`` in place of ids."""
    paths = {endpoint.list_path}
    if endpoint.parent is not None:
        paths.add(BY_NAME[endpoint.parent.endpoint].list_path)
    if endpoint.report is not None:
        paths |= {BY_NAME[each].list_path for each in endpoint.report.dated_by}
    return {re.sub(r"\{\w+\}", "#", path) for path in paths}
