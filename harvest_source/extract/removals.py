"""
Removals as values: which rows are to be removed from a table, why, and when that was detected.

A removal is pending from the moment it is decided until it is carried out. Until then it is kept
in dlt's state, per account and table, under ``owed``: if the run stops, the next one carries it
out first. Only the selection of rows is stored, never their content. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from harvest_source.extract.run_log import Place
from harvest_source.extract.stored import dump_day, load_day
from harvest_source.schema.columns import Type
from harvest_source.schema.endpoint import Endpoint

PENDING_REMOVALS: Final = "owed"
"""Key in the state of one table of one account: a list of pending removals, oldest first."""


class Reason(StrEnum):
    """Why rows are to be removed."""

    GONE = "gone"
    """Harvest no longer has them, as an audit found."""
    UNSEEN = "unseen"
    """A full refresh did not bring them."""
    EMPTY = "empty"
    """Their list was read completely and is empty now. A merge without rows deletes nothing."""
    REPLACED = "replaced"
    """Their list was read completely and lacks them."""
    COVERED = "covered"
    """Another list has them as well, so they would count twice. Removing them loses no row."""
    ORPHAN = "orphan"
    """Harvest no longer has their parent, and neither does the warehouse."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Rows that no load of a run brought, and that were loaded before the run began."""

    load_ids: tuple[str, ...]
    """dlt's ids of the loads of the run."""
    began: str
    """The moment at which the run began, as a load id: dlt's load ids are times."""
    start: date | None = None
    """Rows dated before this day were not read and stay."""


@dataclass(frozen=True, slots=True)
class Removal:
    """
    Rows of one account's table that are to be removed, with everything below them.

    Attributes:
        detected_at: When it was detected that they must be removed.
        columns: Names of the columns that select the rows; empty: all rows of the account.
        values: The values of these columns, one tuple for each group of rows.
        unseen: Given for a full refresh, in place of columns and values.
    """

    endpoint: Endpoint
    account_id: int
    reason: Reason
    detected_at: datetime
    columns: tuple[str, ...] = ()
    values: tuple[tuple[Any, ...], ...] = ()
    unseen: Unseen | None = None

    @property
    def place(self) -> Place:
        """Table and account."""
        return self.endpoint.name, self.account_id

    def split(self, most: int) -> list[Removal]:
        """The same rows as removals of at most *most* values each."""
        if len(self.values) <= most:
            return [self]
        starts = range(0, len(self.values), most)
        return [replace(self, values=self.values[at : at + most]) for at in starts]

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        stored: dict[str, Any] = {
            "reason": str(self.reason),
            "detected_at": self.detected_at.isoformat(),
            "columns": list(self.columns),
            "values": [[_dump(value) for value in group] for group in self.values],
        }
        if self.unseen is not None:
            start = self.unseen.start
            stored["unseen"] = {
                "load_ids": list(self.unseen.load_ids),
                "began": self.unseen.began,
                "start": dump_day(start),
            }
        return stored


def build_removal_by_id(
    endpoint: Endpoint, account_id: int, reason: Reason, detected_at: datetime, ids: Iterable[int]
) -> Removal:
    """The removal of the rows with these *ids*."""
    values = tuple((each,) for each in sorted(ids))
    return Removal(endpoint, account_id, reason, detected_at, ("id",), values)


def add_pending_removal(state: dict[str, Any], removal: Removal) -> None:
    """
    Add *removal* to the pending ones in the *state* of its table and account.

    Removals with the same reason and the same columns are stored as one, with the time of the
    first: plain dlt carries none out, and its state must stay small.
    """
    stored, pending = removal.dump(), list(_stored(state))
    for at, other in enumerate(pending):
        if _is_alike(other, stored):
            values = dict.fromkeys(map(tuple, (*other["values"], *stored["values"])))
            pending[at] = {**other, "values": list(map(list, values))}
            break
    else:
        pending.append(stored)
    state[PENDING_REMOVALS] = pending


def _stored(state: Mapping[str, Any]) -> Sequence[Any]:
    pending = state.get(PENDING_REMOVALS)
    return pending if isinstance(pending, list) else ()


def _is_alike(one: Any, other: Mapping[str, Any]) -> bool:
    return (
        isinstance(one, Mapping)
        and all(one.get(key) == other.get(key) for key in ("reason", "columns", "unseen"))
        and isinstance(one.get("values"), list)
        and all(isinstance(group, list) for group in one["values"])
    )


def load_pending_removals(
    endpoint: Endpoint, account_id: int, state: Mapping[str, Any]
) -> list[Removal]:
    """The pending removals in the *state* of a table and account, without malformed ones."""
    found = (_load(endpoint, account_id, stored) for stored in _stored(state))
    return [removal for removal in found if removal is not None]


def has_malformed_removals(endpoint: Endpoint, account_id: int, state: Mapping[str, Any]) -> bool:
    """Whether *state* has a removal that :func:`load_pending_removals` leaves out."""
    loaded = load_pending_removals(endpoint, account_id, state)
    return PENDING_REMOVALS in state and (not loaded or len(loaded) < len(_stored(state)))


def drop_malformed_removals(endpoint: Endpoint, account_id: int, state: dict[str, Any]) -> None:
    """Delete from *state* removals that cannot be parsed: they can never be carried out."""
    loaded = load_pending_removals(endpoint, account_id, state)
    state.pop(PENDING_REMOVALS, None)
    for removal in loaded:
        add_pending_removal(state, removal)


def rename_removal_columns(state: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Rename the columns by which pending removals select their rows, from earlier *names*."""
    for removal in _stored(state):
        if isinstance(removal, dict) and isinstance(removal.get("columns"), list):
            removal["columns"] = [names.get(name, name) for name in removal["columns"]]


def drop_removals(state: dict[str, Any], removals: Sequence[Removal]) -> None:
    """Delete *removals*, done or no longer wanted, from the *state* of their table and account."""
    stored = [each.dump() for each in removals]
    left = [rest for each in _stored(state) if (rest := _subtract(each, stored))]
    if left:
        state[PENDING_REMOVALS] = left
    else:
        state.pop(PENDING_REMOVALS, None)


def _subtract(pending: Any, done: Sequence[Mapping[str, Any]]) -> Any:
    """What remains of a stored removal after those that are *done*; None: nothing."""
    alike = [each for each in done if _is_alike(pending, each)]
    if not alike:
        return pending
    gone = {tuple(group) for each in alike for group in each["values"]}
    left = [group for group in pending["values"] if tuple(group) not in gone]
    return {**pending, "values": left} if left else None


def _load(endpoint: Endpoint, account_id: int, stored: Any) -> Removal | None:
    try:
        columns = tuple(stored["columns"])
        dates = {column.name for column in endpoint.columns if column.type is Type.DATE}
        values = tuple(
            tuple(_parse(value, name in dates) for name, value in zip(columns, group, strict=True))
            for group in stored["values"]
        )
        return Removal(
            endpoint,
            account_id,
            Reason(stored["reason"]),
            datetime.fromisoformat(stored["detected_at"]),
            columns,
            values,
            _load_unseen(stored.get("unseen")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _load_unseen(stored: Mapping[str, Any] | None) -> Unseen | None:
    if stored is None:
        return None
    return Unseen(tuple(stored["load_ids"]), str(stored["began"]), load_day(stored["start"]))


def _dump(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _parse(value: Any, is_date: bool) -> Any:
    return date.fromisoformat(value) if is_date and value is not None else value
