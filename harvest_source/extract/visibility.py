"""
What a token may see: which tables are skipped and why, and when missing rows prove nothing.

Harvest shows a lower role fewer rows, or an empty list, without saying so (quirks 11 and 12). Fewer
rows are evidence of deletions only if the token that reads now sees at least what the token that
read the rows before saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harvest_source.auth.sessions import Session
from harvest_source.errors import ForbiddenError, HarvestError, ResponseError
from harvest_source.extract.parent_sweep import SWEEP_KEY
from harvest_source.schema.endpoint import Endpoint

_RANKS: Final[Mapping[str, int]] = {"member": 0, "manager": 1, "administrator": 2}
_HIGHEST: Final = max(_RANKS.values())

_OFF: Final = (404, 422)
"""
Possible answers for a switched-off module, in addition to 403 and an empty list (quirk 14).

Unverified against a live account: which of them Harvest sends.
"""

_STORED: Final = ("cursor", "backfill", "seen", "windows", SWEEP_KEY)
"""Keys of a table's state. At least one of them is set once the table was read."""


def covers(visibility: str, other: str) -> bool:
    """
    Whether a token with *visibility* sees at least the rows that one with *other* sees.

    Both are an ``Owner.visibility``. An administrator sees every row. Otherwise only tokens of the
    same person can be compared, by their roles.
    """
    user, rank, grants = _parse(visibility)
    if rank == _HIGHEST:
        return True
    other_user, other_rank, other_grants = _parse(other)
    return user == other_user and rank >= other_rank and grants >= other_grants


def _parse(visibility: str) -> tuple[str, int, frozenset[str]]:
    """The user id, the rank of the highest role, and the grants beside the roles."""
    user, _, listed = visibility.partition(":")
    roles = frozenset(filter(None, listed.split(",")))
    return user, max((_RANKS.get(role, 0) for role in roles), default=0), roles - _RANKS.keys()


def explain_off(endpoint: Endpoint, session: Session) -> str | None:
    """Why *endpoint* is not requested: its module is switched off. None: it is on, or not known."""
    if endpoint.module is None or session.company.flag(endpoint.module) is not False:
        return None
    return (
        f"the {_module_name(endpoint)} module is switched off in Harvest ({endpoint.module} of "
        "company). Switch it on in Harvest's settings to read it."
    )


def explain_undated(session: Session) -> str | None:
    """Why nothing may be removed from an account: answers may be of any age; None: it may."""
    if not session.server_clock.has_undated:
        return None
    return (
        f"Nothing was removed from account {session.account_id}: Harvest's answers came without "
        "the Date header, and an outdated answer makes newer rows look deleted."
    )


def explain_hidden_rows(endpoint: Endpoint, session: Session) -> str | None:
    """Why missing rows of *endpoint* are no evidence of deletions; None if they are."""
    if endpoint.module is None or session.company.flag(endpoint.module):
        return None
    return (
        f"Nothing was removed from {endpoint.name} of account {session.account_id}: as far as this "
        "token can tell, its module is switched off in Harvest, and hidden rows look like deleted "
        "ones."
    )


def explain_skip(endpoint: Endpoint, session: Session | None, error: HarvestError) -> str | None:
    """
    Why a table that could not be read is skipped; None when *error* is a failure.

    A 403 is a missing permission. A 404 or 422 may be a switched-off module, unless ``company``
    says that the module is on.
    """
    if isinstance(error, ForbiddenError):
        return str(error)
    if endpoint.module is None or session is None or not isinstance(error, ResponseError):
        return None
    if error.status not in _OFF or session.company.flag(endpoint.module):
        return None
    return (
        f"Harvest answered {error.status}, as it may when the {_module_name(endpoint)} module is "
        "switched off. Whether it is switched off is unknown, because this token may not read "
        "company."
    )


def _module_name(endpoint: Endpoint) -> str:
    return (endpoint.module or "").removesuffix("_feature")


def sees_the_same(visibility: str, other: str) -> bool:
    """Whether two tokens see the same rows, as those of two administrators do."""
    return covers(visibility, other) and covers(other, visibility)


def was_read(state: Mapping[str, Any]) -> bool:
    """Whether a table's stored state shows that it was read before."""
    return any(state.get(name) for name in _STORED)


def describe_lost_access(endpoint: Endpoint, account_id: int, reason: str) -> str:
    """The warning for a table that was loaded before and is skipped now."""
    return (
        f"{endpoint.name} of account {account_id} was loaded before and cannot be read any more: "
        f"{reason} Its existing rows are kept but no longer updated."
    )


def describe_kept_list(endpoint: Endpoint, account_id: int, what: str) -> str:
    """The warning for a list that is not replaced, because this token sees less of it."""
    return (
        f"{endpoint.name} of account {account_id} ({what}) is kept as it was loaded: this token is "
        "not an administrator's and sees less than the one that loaded it. Read it with that token "
        "or with an administrator's."
    )


def describe_changed_owner(account_id: int, why: str) -> str:
    """The error for an account whose token may have seen less at the end of a run."""
    return (
        f"Nothing was removed or replaced in account {account_id}, and its cursors stay, because "
        f"rows may be hidden: {why.removesuffix('.')}. The rows that came are loaded. Run the "
        "same command again."
    )


def describe_changed_module(endpoint: Endpoint, account_id: int) -> str:
    """The error for a table whose module was switched off while it was read."""
    return (
        f"Nothing of {endpoint.name} of account {account_id} was removed or replaced, and its "
        f"cursor stays: the {_module_name(endpoint)} module was switched on or off in Harvest's "
        "settings during the run, and hidden rows look like deleted ones. Run the same command "
        "again."
    )


def describe_old_answer(endpoint: Endpoint, account_id: int) -> str:
    """
    The error for a table whose list a cache served from before the run, as far as is known.

    The counter that measures a run stands still while the machine sleeps. Answers from before that
    then look too old.
    """
    return (
        f"Nothing of {endpoint.name} of account {account_id} was removed or replaced, and its "
        "cursor stays: a cache served a list from before this run, or this machine slept during "
        "it. Run the same command again. If that does not help, set the proxy or cache between "
        "here and Harvest to store no answers of api_url."
    )


def describe_lower_role(account_id: int) -> str:
    """The warning for a token that continues after one that saw more."""
    return (
        f"The token for account {account_id} sees less than the one that loaded it before. Rows "
        "it does not see are no longer updated, and rows that change lose the values it may not "
        "see, such as rates. Use the earlier token or an administrator's: the next run then reads "
        "again what changed in the meantime."
    )
