"""
Look at every sign-in of all profiles, in the configuration and in the vault.

An access token that is due or refused is renewed, as a sync does: under the vault's lock, and kept
before it is used. No other token is exchanged. What a check finds is stored for the next one only
after it was reported, so that an interruption reports a change twice rather than never.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from harvest_source.api.http_context import RetryLimits
from harvest_source.api.notification import Event, Notification
from harvest_source.auth.last_check import LastCheck, read_last_check, write_last_check
from harvest_source.auth.profiles import check_profile
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin
from harvest_source.concurrency import in_parallel
from harvest_source.config.notify import parse_recipient
from harvest_source.config.profiles import list_configured_profiles
from harvest_source.config.resolve import read_configuration
from harvest_source.config.sign_in import find_vault
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, HarvestError, describe_os_error, printable
from harvest_source.notices import Notice, NoticeKind
from harvest_source.operations.health_report import (
    HealthReport,
    SignInHealth,
    SignInPlace,
    find_role_changes,
    name_owner,
)
from harvest_source.operations.login import SignInContext
from harvest_source.operations.notifying import notify
from harvest_source.operations.sign_in_status import (
    SignInState,
    StatusReport,
    ask_harvest,
    read_status,
)

if TYPE_CHECKING:
    from harvest_source.auth.vault import Vault

_LOG: Final = logging.getLogger(__name__)

_LIMITS: Final = RetryLimits(attempts=3, total_s=30.0, attempt_s=20.0)
"""With fifty people and an unreachable host, a check should take minutes, not hours."""

_WORKERS: Final = 4
"""Sign-ins that Harvest is asked about at once; it allows 100 requests in 15 s."""

_LONGEST: Final = 160
"""Characters of an error in a notification."""

_ELSEWHERE: Final = (
    "It began with a refresh token from a configuration that does not apply in this folder, so "
    "Harvest was not asked. Run this command in the folder of that configuration."
)


@dataclass(frozen=True, slots=True)
class _Subject:
    """
    One sign-in to check.

    Attributes:
        context: Its profile's settings.
        notices: The list that the context's notices go into.
        report: What is known of it; None: nothing yet.
    """

    profile: str
    place: SignInPlace
    context: SignInContext
    is_used: bool = True
    notices: list[Notice] = field(default_factory=list)
    report: StatusReport | None = None


def check_sign_ins(context: SignInContext, *, ask: bool) -> HealthReport:
    """
    Look at every sign-in, notify the configured address of trouble, and store what was found.

    A sign-in that cannot be looked at, for any reason, gets an error and does not stop the others.

    Args:
        context: The one of the default profile.
        ask: Ask Harvest; False: send and store nothing.

    Raises:
        ConfigError: ``vault_path`` or a key of the notifications cannot work.
    """
    recipient = parse_recipient(context.config)
    warnings: list[str] = []
    vault = find_vault(context.config, context.warn)
    # dlt's configuration is read in this thread; the other threads only ask Harvest.
    subjects = [_open(each, ask=ask) for each in _list_subjects(context, vault, warnings)]
    if ask:
        subjects = list(in_parallel(_ask, subjects, workers=min(_WORKERS, len(subjects))))
    checks = [_read_last_check(vault, each) for each in subjects]
    now = context.http.clock.now()
    found = [_judge(each, last, now) for each, last in zip(subjects, checks, strict=True)]
    folder = str(vault.folder) if vault else ""
    report = HealthReport(tuple(found), ask, folder, tuple(warnings))
    if not ask:
        return report
    notification = _build_notification(report)
    why = notify(recipient, notification) if recipient and notification else ""
    for each, last in zip(found, checks, strict=True):
        kept = each.check if not why else replace(each.check, roles=last.roles)
        warnings += _keep_check(vault, each, kept)
    warnings += [why] if why else []
    return replace(report, warnings=tuple(dict.fromkeys(warnings)))


def _list_subjects(
    context: SignInContext, vault: Vault | None, warnings: list[str]
) -> list[_Subject]:
    saved = _list_saved_profiles(vault, warnings)
    known = {name.lower() for name in (PROFILE, *saved)}
    configured = [name for name in list_configured_profiles() if name.lower() not in known]
    names = (PROFILE, *sorted({*saved, *configured} - {PROFILE}))
    found = [each for name in names for each in _iter_subjects(context, vault, name, name in saved)]
    return found or [_make_subject(context, context.config, PROFILE, SignInPlace.VAULT)]


def _list_saved_profiles(vault: Vault | None, warnings: list[str]) -> list[str]:
    """The vault's profiles; warns of a file whose name cannot be a profile's."""
    names = []
    for name in vault.files.profiles() if vault else ():
        try:
            names.append(check_profile(name))
        except ConfigError:
            warnings.append(
                f"A file in the vault has a name that no profile can have: {printable(name)}."
            )
    return names


def _iter_subjects(
    context: SignInContext, vault: Vault | None, name: str, is_saved: bool
) -> Iterator[_Subject]:
    """The sign-ins of one profile: one of the configuration, one of the vault, or both."""
    try:
        config = read_configuration({"auth_profile": name})
    except HarvestError as error:
        report = StatusReport(printable(name, limit=64), SignInState.UNKNOWN, error=error)
        yield replace(
            _make_subject(context, context.config, name, SignInPlace.CONFIGURATION), report=report
        )
        return
    credentials = config.credentials
    is_configured = credentials.access_token is not None or credentials.refresh_token is not None
    if is_configured:
        yield _make_subject(context, config, name, SignInPlace.CONFIGURATION)
    if vault is None or not is_saved:
        return
    begun_here = _holds_only_configured(vault, name)
    if begun_here and is_configured:
        return
    subject = _make_subject(context, _without_tokens(config), name, SignInPlace.VAULT)
    subject = replace(subject, is_used=not is_configured and not begun_here)
    if begun_here:
        notices = (Notice(NoticeKind.SIGN_IN, _ELSEWHERE),)
        subject = replace(subject, report=StatusReport(name, SignInState.KEPT, notices=notices))
    yield subject


def _make_subject(
    context: SignInContext, config: HarvestConfiguration, profile: str, place: SignInPlace
) -> _Subject:
    notices: list[Notice] = []
    http = replace(context.http, on_notice=notices.append, retry_limits=_LIMITS)
    return _Subject(profile, place, SignInContext(config, http), notices=notices)


def _holds_only_configured(vault: Vault, profile: str) -> bool:
    """Whether the only login saved began with a refresh token of a configuration."""
    try:
        return vault.accounts(profile) == [CONFIGURED]
    except HarvestError:
        return False  # The error is reported when the login is opened.


def _without_tokens(config: HarvestConfiguration) -> HarvestConfiguration:
    """*config* as if it had no token, so that the vault's login is chosen; the app stays."""
    stripped, credentials = copy.copy(config), HarvestCredentials()
    credentials.client_id = config.credentials.client_id
    credentials.client_secret = config.credentials.client_secret
    stripped.credentials = credentials
    return stripped


def _open(subject: _Subject, *, ask: bool) -> _Subject:
    if subject.report is not None:
        return subject

    def read() -> StatusReport:
        return read_status(subject.context, subject.notices, ask=False, may_exchange=ask)

    return replace(subject, report=_guard(subject, read))


def _ask(subject: _Subject) -> _Subject:
    """In a thread: ask Harvest about a sign-in that was found."""
    opened = subject.report
    if opened is None or opened.error is not None or opened.sign_in is None:
        return subject
    report = _guard(subject, lambda: ask_harvest(subject.context, opened))
    return replace(subject, report=replace(report, notices=tuple(dict.fromkeys(subject.notices))))


def _guard(subject: _Subject, check: Callable[[], StatusReport]) -> StatusReport:
    """The result of *check*; an exception becomes the error of this sign-in alone."""
    try:
        return check()
    except HarvestError as error:
        return StatusReport(subject.profile, SignInState.UNKNOWN, error=error)
    except Exception as error:
        _LOG.info("Looking at profile %s failed.", subject.profile, exc_info=error)
        why = HarvestError(
            f"It could not be checked: {type(error).__name__}. This is a bug in harvest-source. "
            "Run the same command with --debug and report what it prints."
        )
        return StatusReport(subject.profile, SignInState.UNKNOWN, error=why)


def _read_last_check(vault: Vault | None, subject: _Subject) -> LastCheck:
    report = subject.report
    login = report.sign_in.login if report and report.sign_in else None
    name = _identify(login)
    if vault is None:
        return LastCheck(name)
    try:
        return read_last_check(vault.files, subject.profile, subject.place, name)
    except ConfigError:
        return LastCheck(name)  # Storing this check reports the error.


def _identify(login: SavedLogin | None) -> str:
    """Text that another login of the profile does not have."""
    signed_in_at = login.signed_in_at if login else None
    return signed_in_at.isoformat() if signed_in_at else ""


def _judge(subject: _Subject, last: LastCheck, now: datetime) -> SignInHealth:
    report = subject.report
    assert report is not None, "every subject was opened"
    check = last
    if report.state is SignInState.OK:
        roles = {
            name_owner(account_id, owner.user_id): owner.access_roles
            for account_id, owner in report.owners
        }
        check = LastCheck(last.login, {**last.roles, **roles}, worked_at=now)
    elif report.state is SignInState.DEAD and report.sign_in is not None:
        check = replace(last, refused_since=last.refused_since or now)
    changes = find_role_changes(report, last)
    return SignInHealth(subject.place, report, subject.is_used, check, changes)


def _build_notification(report: HealthReport) -> Notification | None:
    """The notification; None when no sign-in needs its owner and no role changed."""
    ended = [
        f"{each.report.profile} needs its owner "
        f"({printable(each.report.error or 'no credential', limit=_LONGEST)})"
        for each in report.sign_ins
        if each.needs_owner
    ]
    changed = [
        f"{each.report.profile}: {change}"
        for each in report.sign_ins
        for change in each.role_changes
    ]
    if not ended and not changed:
        return None
    text = f"harvest-source sign-ins: {'; '.join((*ended, *changed))}"
    return Notification(Event.SIGN_IN, text, report.as_dict())


def _keep_check(vault: Vault | None, health: SignInHealth, check: LastCheck) -> list[str]:
    """Store *check* for the next one; returns a warning when that is not possible."""
    report = health.report
    was_asked = report.state in {SignInState.OK, SignInState.DEAD} and report.sign_in is not None
    if not was_asked:
        return []
    why = "there is no folder for the vault"
    if vault is not None:
        try:
            with vault.lock(report.profile):
                write_last_check(vault.files, report.profile, health.place, check)
        except HarvestError as error:
            why = str(error)
        except OSError as error:
            why = printable(describe_os_error(error))
        else:
            return []
    return [f"The result could not be saved, so the next check cannot tell what changed: {why}"]
