"""Injected faults: which requests they hit."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from harvest_source.sandbox.serve.fault_arguments import MATCHING, check_arguments
from harvest_source.sandbox.serve.fault_kinds import FAULTS, PREVENTING, Hit
from harvest_source.sandbox.serve.reply import Reply
from harvest_source.sandbox.serve.requests import Request


@dataclass(slots=True)
class Fault:
    """
    One injected fault, and how many requests it has matched and hit.

    Attributes:
        table: Only requests with this name in the log (a table, ``report_uninvoiced``, ...).
        path: Only paths in which this regular expression is found.
        nth: Only the n-th matching request, from 1.
        times: Maximum number of hits; ``None`` means no maximum.
        probability: Chance at each match, from a seeded generator.
        arguments: Arguments of the fault itself, by name.
        met: Matching requests so far. ``done``: how many of them it hit.
    """

    name: str
    table: str | None = None
    path: str | None = None
    method: str | None = None
    account_id: int | None = None
    nth: int | None = None
    times: int | None = None
    probability: float = 1.0
    arguments: dict[str, Any] = field(default_factory=dict)
    met: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            msg = f"No fault named {self.name}; there are {', '.join(sorted(FAULTS))}"
            raise ValueError(msg)
        matching = {name: getattr(self, name) for name in MATCHING}
        check_arguments(self.name, matching, self.arguments)

    def hits(self, request: Request, chance: random.Random) -> bool:
        """Whether this request is hit; counts the match."""
        if not self._about(request):
            return False
        self.met += 1
        due = (self.nth is None or self.met == self.nth) and (
            self.times is None or self.done < self.times
        )
        if not due or chance.random() >= self.probability:
            return False
        self.done += 1
        return True

    def _about(self, request: Request) -> bool:
        return (
            (self.table is None or self.table == request.table)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and (self.method is None or self.method == request.method)
            and (self.account_id is None or self.account_id == request.account_id)
        )


class Faults:
    """The faults in force, in the order of injection. Not thread-safe: the owner locks."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.clear()

    def add(self, fault: Fault) -> Fault:
        """Put *fault* in force."""
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """End every fault."""
        self.active: list[Fault] = []
        self._chance = random.Random(self._seed)

    def hitting(self, request: Request) -> list[Fault]:
        """The faults that hit this request; counts the matches."""
        return [fault for fault in self.active if fault.hits(request, self._chance)]


def apply_faults(faults: list[Fault], reply: Reply, request: Request) -> Reply:
    """The answer after *faults* have changed it."""
    for fault in faults:
        reply = FAULTS[fault.name](Hit(reply, request, fault.arguments))
    return reply


def prevents(faults: list[Fault], request: Request) -> bool:
    """Whether *faults* stop a write, which only token requests and revocations are."""
    is_write = request.table in ("oauth_token", "oauth_revoke")
    return is_write and any(fault.name in PREVENTING for fault in faults)
