"""
Who sees what, and what follows: which tables are left out and why, and what may be replaced.

Harvest shows a lower role fewer rows, or an empty list, with no sign that it did. So fewer rows are
evidence only when whoever reads them sees no less than whoever read the rows that they replace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from harvest_source.auth.sessions import Owner, Session
from harvest_source.errors import ForbiddenError, HarvestError, ResponseError
from harvest_source.schema.endpoint import Endpoint

_RANKS: Final[Mapping[str, int]] = {"member": 0, "manager": 1, "administrator": 2}
_HIGHEST: Final = max(_RANKS.values())
_OFF: Final = (404, 422)
"""What Harvest may answer where a module is off, beside 403 and an empty list: nobody knows."""

_STORED: Final = ("cursor", "backfill", "seen", "windows", "walk")
"""Keys of a table's state, of which at least one is there once it was read."""


def covers(sight: str, other: str) -> bool:
    """
    Whether *sight* shows at least what *other* showed; both are an ``Owner.visibility``.

    Administrators see everything. Beyond that, only one person's roles can be compared.
    """
    user, rank, grants = _parse(sight)
    if rank == _HIGHEST:
        return True
    other_user, other_rank, other_grants = _parse(other)
    return user == other_user and rank >= other_rank and grants >= other_grants


def _parse(visibility: str) -> tuple[str, int, frozenset[str]]:
    user, _, listed = visibility.partition(":")
    roles = frozenset(filter(None, listed.split(",")))
    return user, max((_RANKS.get(role, 0) for role in roles), default=0), roles - _RANKS.keys()


@dataclass(frozen=True, slots=True)
class LastRead:
    """A list that is replaced as a whole, as it was read last."""

    at: datetime
    by: str
    """The reader's ``Owner.visibility``."""
    rows: int
    digest: str

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "at": self.at.isoformat(),
            "by": self.by,
            "rows": self.rows,
            "digest": self.digest,
        }

    @classmethod
    def load(cls, stored: Any) -> LastRead | None:
        """Read what was stored; None when there is nothing, or nothing that can be understood."""
        try:
            at = datetime.fromisoformat(stored["at"])
            seen = cls(at, str(stored["by"]), int(stored["rows"]), str(stored["digest"]))
        except (KeyError, TypeError, ValueError):
            return None
        return seen if at.tzinfo is not None else None

    def may_give_way(self, endpoint: Endpoint, owner: Owner, rows: int) -> bool:
        """Whether *rows* that *owner* was served may take the place of what was seen."""
        if owner.is_administrator or endpoint.own:
            return True
        return covers(owner.visibility, self.by) and rows >= self.rows


def explain_off(endpoint: Endpoint, session: Session) -> str | None:
    """Why *endpoint* need not be asked, if its module is known to be switched off."""
    if endpoint.module is None or session.company.flag(endpoint.module) is not False:
        return None
    return (
        f"the {_words(endpoint)} module is switched off in Harvest ({endpoint.module} of company). "
        "Switch it on in Harvest's settings to read it."
    )


def may_hide(endpoint: Endpoint, session: Session) -> str | None:
    """Why rows of *endpoint* that are not served are no evidence; None if they are."""
    if endpoint.module is None or session.company.flag(endpoint.module):
        return None
    return (
        f"Nothing was removed from {endpoint.name} of account {session.account_id}: as far as this "
        "token is told, its module is switched off in Harvest, and rows that are hidden look like "
        "rows that are gone."
    )


def explain_skip(endpoint: Endpoint, session: Session | None, error: HarvestError) -> str | None:
    """
    Why a table is left out that could not be read; None when *error* is a failure.

    Unverified against a live account: the answer for a switched-off module. Where ``company`` says
    that it is on, 404 and 422 are what they seem.
    """
    if isinstance(error, ForbiddenError):
        return str(error)
    if endpoint.module is None or session is None or not isinstance(error, ResponseError):
        return None
    if error.status not in _OFF or session.company.flag(endpoint.module):
        return None
    return (
        f"Harvest answered {error.status}, as it may where the {_words(endpoint)} module is "
        "switched off. Whether it is cannot be seen: this token may not read company."
    )


def _words(endpoint: Endpoint) -> str:
    return (endpoint.module or "").removesuffix("_feature")


def was_read(state: Mapping[str, Any]) -> bool:
    """Whether what is stored of a table says that it was read before."""
    return any(state.get(name) for name in _STORED)


def lost_sight(endpoint: Endpoint, account_id: int, reason: str) -> str:
    """What people are told when a table that was loaded cannot be read any more."""
    return (
        f"{endpoint.name} of account {account_id} was loaded before and cannot be read any more: "
        f"{reason} Its rows stay as they were and grow old."
    )


def left_alone(endpoint: Endpoint, account_id: int, what: str) -> str:
    """What people are told when fewer rows were served than may be believed."""
    return (
        f"{endpoint.name} of account {account_id} ({what}) stays as it was: this token is not an "
        "administrator's and sees less than was loaded. Read it with the token that loaded it, or "
        "an administrator's."
    )


def sees_less(account_id: int) -> str:
    """What people are told when a token of a lower role goes on where another one was."""
    return (
        f"The token for account {account_id} sees less than the one that loaded it before. Rows it "
        "does not see grow old, and rows that change lose what it may not see, such as rates. Use "
        "the former token, or an administrator's: what changed meanwhile is then read again."
    )
