"""The result of a check of every sign-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harvest_source.auth.last_check import LastCheck
from harvest_source.exit_codes import ExitCode, choose_exit_code
from harvest_source.operations.login import format_instant
from harvest_source.operations.sign_in_status import SignInState, StatusReport

_TAKEN = (
    "profile",
    "state",
    "kind",
    "source",
    "account_ids",
    "account",
    "user",
    "roles",
    "expires_at",
    "refreshed_at",
    "signed_in_at",
)
"""Keys of a status report that an entry repeats."""


class SignInPlace(StrEnum):
    """Where a sign-in is."""

    CONFIGURATION = "configuration"
    """A token or refresh token of the configuration: the installation's own, or a profile's."""
    VAULT = "vault"
    """Saved by ``auth login``."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """The access roles of a sign-in's owner in one account, at the last check and now; sorted."""

    account_id: int
    before: tuple[str, ...]
    now: tuple[str, ...]

    def __str__(self) -> str:
        before, now = (", ".join(roles) or "no role" for roles in (self.before, self.now))
        return f"{before} became {now} in account {self.account_id}"

    def as_dict(self) -> dict[str, Any]:
        """One entry of ``role_changes`` in ``--json``."""
        return {
            "account_id": self.account_id,
            "before": list(self.before),
            "now": list(self.now),
        }


@dataclass(frozen=True, slots=True)
class SignInHealth:
    """
    One sign-in.

    Attributes:
        report: What is known of it, without its secrets.
        is_used: False: the configuration has a credential that is used instead, or the login began
            with a refresh token of a configuration that is not read here.
        check: What this check found, together with earlier ones.
        role_changes: Since the last check; without one, since the login.
    """

    place: SignInPlace
    report: StatusReport
    is_used: bool = True
    check: LastCheck = field(default_factory=LastCheck)
    role_changes: tuple[RoleChange, ...] = ()

    @property
    def needs_owner(self) -> bool:
        """Whether its owner has to sign in again, or to configure another credential."""
        return self.is_used and self.report.state in {SignInState.DEAD, SignInState.NONE}

    @property
    def exit_code(self) -> ExitCode:
        """0 when it can be used as far as is known, or is not used at all."""
        return self.report.exit_code if self.is_used else ExitCode.DONE

    def as_dict(self) -> dict[str, Any]:
        """One entry of ``sign_ins`` in ``--json``."""
        found = self.report.as_dict()
        return {
            **{name: found[name] for name in _TAKEN},
            "place": str(self.place),
            "used": self.is_used,
            "needs_owner": self.needs_owner,
            "worked_at": format_instant(self.check.worked_at),
            "refused_since": format_instant(self.check.refused_since),
            "role_changes": [change.as_dict() for change in self.role_changes],
            "error": str(self.report.error) if self.report.error else None,
            "warnings": found["warnings"],
        }


@dataclass(frozen=True, slots=True)
class HealthReport:
    """
    Every sign-in, the default profile's first, the others by name.

    Attributes:
        is_checked: Whether Harvest was asked.
        vault: The vault's folder; empty when there is no place for one.
        warnings: About the check itself; those about a sign-in are with it.
    """

    sign_ins: tuple[SignInHealth, ...]
    is_checked: bool
    vault: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """3 when a sign-in needs its owner, unless something graver happened."""
        codes = {each.exit_code for each in self.sign_ins} | {
            ExitCode.AUTHENTICATION for each in self.sign_ins if each.needs_owner
        }
        return choose_exit_code(codes)

    @property
    def status(self) -> str:
        """``ok``; ``partial`` when some can be used; ``error`` when none can."""
        if self.exit_code == 0:
            return "ok"
        is_one_usable = any(each.is_used and not each.exit_code for each in self.sign_ins)
        return "partial" if is_one_usable else "error"

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        failed = [each.report for each in self.sign_ins if each.is_used and each.report.error]
        return {
            "status": self.status,
            "checked": self.is_checked,
            "vault": self.vault,
            "sign_ins": [each.as_dict() for each in self.sign_ins],
            "errors": [f"Profile {report.profile}: {report.error}" for report in failed],
            "warnings": list(self.warnings),
        }


def find_role_changes(report: StatusReport, last: LastCheck) -> tuple[RoleChange, ...]:
    """
    The accounts in which the owner's roles differ from those of the last check.

    If no check has seen that owner there, the roles at login are compared, if it was for that
    account.
    """
    login, found = report.sign_in.login if report.sign_in else None, []
    for account_id, owner in report.owners:
        before: Sequence[str] | None = last.roles.get(name_owner(account_id, owner.user_id))
        if before is None and login is not None and login.account_id == account_id:
            before = login.roles
        now = tuple(sorted(owner.access_roles))
        if before is not None and tuple(sorted(before)) != now:
            found.append(RoleChange(account_id, tuple(sorted(before)), now))
    return tuple(found)


def name_owner(account_id: int, user_id: int) -> str:
    """The key of an owner's roles in :class:`LastCheck`."""
    return f"{account_id}:{user_id}"
