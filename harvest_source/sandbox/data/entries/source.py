"""The interface through which the entry store reads the entries that an account starts with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.listing import Key
from harvest_source.sandbox.data.query import Query
from harvest_source.sandbox.data.records.billing import locked_reason
from harvest_source.sandbox.data.records.guesses import GUESSED
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.scope import Scope
from harvest_source.sandbox.data.values import HiddenKeys, Record, Tables

FIRST_ID = 2_380_504_951  # a recorded id of 2024: even the first entry is beyond 2**31
ID_STEP = 3

QUOTED = (
    "clients",
    "projects",
    "tasks",
    "users",
    "user_assignments",
    "task_assignments",
    "invoices",
)
"""Tables that entries quote."""


@dataclass(frozen=True, slots=True)
class Worked:
    """Rounded quarter hours of one booking: either its invoiced ones or the others."""

    booking: int
    billed: bool
    quarters: int


class EntrySource(Protocol):
    """
    Entries 0..size-1, sorted by (spent date, id). Reads the tables, never writes.

    Attributes:
        bookings: The ways in which time is spent; each entry has one of them. If several have the
            same user, project and task, the first has the newest rates.
    """

    @property
    def size(self) -> int:
        """Number of entries."""

    @property
    def bookings(self) -> Sequence[Booking]:
        """Every way in which time is spent."""

    def number_of(self, entry_id: int) -> int | None:
        """The entry number of an id; ``None`` when no entry has it."""

    def key(self, k: int) -> Key:
        """Day and id of entry *k*."""

    def number_from(self, key: Key) -> int:
        """The first entry number whose (day, id) is not below *key*."""

    def record(self, k: int) -> Record:
        """Entry *k* in full, as an administrator sees it."""

    def quotes(self, booked: Booking) -> Record:
        """The quoted records of a booking."""

    def find(self, query: Query, scope: Scope) -> Sequence[int]:
        """The entry numbers that *query* asks for within *scope*, ascending."""

    def write(self, numbers: Sequence[int], hidden: HiddenKeys, out: list[bytes]) -> None:
        """Append the JSON of *numbers*, which must descend; the pieces are joined by commas."""

    def forget(self) -> None:
        """Drop what was derived from the tables; call when one of them changed."""

    def worked(self, first: int | None, last: int | None, gone: Sequence[int]) -> Iterator[Worked]:
        """
        Rounded hours worked on day *first* to *last*, both inclusive; ``None`` is open.

        Args:
            gone: Entries that do not count, ascending.
        """


def quote_booking(tables: Tables, booked: Booking, *, bare: bool = False) -> Record:
    """The quoted records of a booking; a *bare* one has no assignments."""
    project = tables["projects"].get(booked.project_id, {"id": booked.project_id})
    user = tables["users"].get(booked.user_id)
    task = tables["tasks"].get(booked.task_id, {"id": booked.task_id})
    staffed = tables["user_assignments"].get(booked.user_assignment_id or 0)
    tasked = tables["task_assignments"].get(booked.task_assignment_id or 0)
    if bare:
        staffed = tasked = None
    return {
        "user": refs.person(user) if user else {"id": booked.user_id, "name": None},
        "client": project.get("client"),
        "project": refs.coded(project),
        "task": refs.named(task),
        "user_assignment": refs.user_assignment(staffed) if staffed else None,
        "task_assignment": refs.task_assignment(tasked) if tasked else None,
    }


def state_members(
    tables: Tables, booked: Booking, *, billed: bool, approved: bool, waiting: str = "unsubmitted"
) -> Record:
    """
    The members that say whether an entry is invoiced, approved and locked.

    Args:
        waiting: The approval status of an entry that is not approved.
    """
    project = tables["projects"].get(booked.project_id, {})
    active = project.get("is_active") is not False
    return {
        "is_locked": billed or approved or not active,
        **GUESSED["time_entries"],
        "locked_reason": locked_reason(billed=billed, approved=approved, active=active),
        "is_closed": approved,
        "approval_status": "approved" if approved else waiting,
        "is_billed": billed,
    }
