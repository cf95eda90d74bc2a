"""
End a sign-in in one action: at Harvest where possible, here in any case.

Unverified against a live account: whether Harvest lets an app end a login. It documents no address
for that, so the address of RFC 7009 is tried. The report depends on whether Harvest accepts the
refresh token afterwards, not on its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.sealing import matches_digest
from harvest_source.auth.token_endpoint import TokenEndpoint, Tokens
from harvest_source.config.resolve import CREDENTIALS, find_value
from harvest_source.config.sign_in import build_app, find_vault
from harvest_source.defaults import ID_URL
from harvest_source.errors import AuthError, ConfigError, HarvestError, SignInError, printable
from harvest_source.exit_codes import ExitCode, choose_exit_code
from harvest_source.operations.login import SignInContext

if TYPE_CHECKING:
    from harvest_source.auth.vault import Vault

_BY_HAND: Final = f"revoke it at {ID_URL}/developers, signed in as its owner"


class HarvestSide(StrEnum):
    """What became of a sign-in at Harvest, from best to worst."""

    NOTHING = "nothing"
    """There was no token here that could be ended at Harvest."""
    ENDED = "ended"
    """Harvest no longer accepts the refresh token."""
    BY_HAND = "by_hand"
    """Harvest offers no way to end it from here; its owner can, in a browser."""
    FAILED = "failed"
    """Harvest could not be asked."""


@dataclass(frozen=True, slots=True)
class Dependant:
    """
    Something that lets people in by means of a sign-in, and ends with it.

    Attributes:
        name: Plural name, as ``--json`` has it: ``tokens``.
        end: Ends all those of a profile and returns how many there were; may be called again after
            a failure.
    """

    name: str
    end: Callable[[str], int]


@dataclass(frozen=True, slots=True)
class RevocationReport:
    """
    What was ended.

    Attributes:
        harvest: The worst outcome of all logins that the profile had.
        was_saved: Whether the vault had a sign-in of the profile.
        ended: How many of each dependant were ended, by its name.
        configured: Where the configuration still has a credential of the profile.
        errors: What could not be done.
    """

    profile: str
    harvest: HarvestSide
    was_saved: bool
    ended: dict[str, int]
    configured: tuple[str, ...] = ()
    errors: tuple[HarvestError, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0 when everything that can be done from here was done."""
        return choose_exit_code({error.exit_code for error in self.errors})

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "partial" if self.errors else "ok",
            "profile": self.profile,
            "harvest": str(self.harvest),
            "forgotten": self.was_saved,
            "ended": self.ended,
            "configured": list(self.configured),
            "errors": [str(error) for error in self.errors],
            "warnings": [],
        }


def revoke_sign_in(context: SignInContext, dependants: Sequence[Dependant]) -> RevocationReport:
    """
    End the sign-in of the context's profile: its dependants, at Harvest, in the vault.

    A step that fails does not stop the others: a lost sign-in must not keep working here because
    Harvest cannot be reached. After an interruption, the same call completes the rest.

    Raises:
        ConfigError: There is no such sign-in, and no dependant was ended.
        BusyError: Another process has held the profile for too long; the dependants were ended.
    """
    errors: list[HarvestError] = []
    ended = {each.name: _end(each, context.profile, errors) for each in dependants}
    vault = find_vault(context.config, context.warn)
    failed: list[HarvestError] = []
    with vault.lock(context.profile) if vault and _is_saved(vault, context) else nullcontext():
        harvest = _end_at_harvest(context, vault, failed)
        was_saved, kept = _forget(context, vault)
    errors += [_explain_failure(each, was_saved=was_saved) for each in failed]
    errors += kept
    configured = tuple(_list_configured(context.profile))
    if not was_saved and not configured and not any(ended.values()) and not errors:
        raise ConfigError(_explain_unknown(context.profile, vault))
    if configured and harvest is not HarvestSide.ENDED:
        errors.append(ConfigError(_explain_configured(context.profile, configured)))
    return RevocationReport(context.profile, harvest, was_saved, ended, configured, tuple(errors))


def _end(dependant: Dependant, profile: str, errors: list[HarvestError]) -> int:
    try:
        return dependant.end(profile)
    except HarvestError as error:
        errors.append(error)
    except Exception as error:  # The sign-in must still end.
        why = f"The {dependant.name} of profile {profile} could not be ended"
        errors.append(HarvestError(f"{why}: {printable(error) or type(error).__name__}."))
    return 0


def _forget(context: SignInContext, vault: Vault | None) -> tuple[bool, list[HarvestError]]:
    """Whether the vault had logins of the profile, and why they could not be removed."""
    try:
        return (vault.files.forget(context.profile) if vault else False), []
    except HarvestError as error:
        return False, [error]


def _is_saved(vault: Vault, context: SignInContext) -> bool:
    return context.profile in vault.files.profiles()


def _end_at_harvest(
    context: SignInContext, vault: Vault | None, errors: list[HarvestError]
) -> HarvestSide:
    """The worst of what became of the profile's logins."""
    sides = [HarvestSide.NOTHING]
    seed = context.config.credentials.refresh_token
    try:
        logins = _read_logins(context, vault)
    except HarvestError as error:
        errors.append(error)
        sides, logins = [HarvestSide.FAILED], []
    if seed is not None and not any(matches_digest(login.seed, seed) for login in logins):
        logins.append(SavedLogin(Tokens(refresh_token=seed.strip())))
    for login in logins:
        try:
            sides.append(_end_login(context, login))
        except HarvestError as error:
            sides.append(HarvestSide.FAILED)
            errors.append(error)  # The sign-in is still forgotten here.
    if context.config.credentials.access_token is not None:
        sides.append(HarvestSide.BY_HAND)
    return max(sides, key=list(HarvestSide).index)


def _read_logins(context: SignInContext, vault: Vault | None) -> list[SavedLogin]:
    if vault is None:
        return []
    found = (vault.read(context.profile, name) for name in vault.accounts(context.profile))
    return [login for login in found if login is not None]


def _end_login(context: SignInContext, login: SavedLogin) -> HarvestSide:
    """
    Ask Harvest to end *login*, then try its refresh token: if it works, the login has not ended.

    Raises:
        HarvestError: Harvest could not be asked.
    """
    if login.is_personal:
        return HarvestSide.BY_HAND
    app = build_app(context.config, login if login.client_id else None)
    endpoint, tokens = TokenEndpoint(app, context.http), login.tokens
    if not endpoint.revoke(tokens.refresh_token):
        return HarvestSide.BY_HAND
    if tokens.access_token:
        endpoint.revoke(tokens.access_token)
    try:
        endpoint.refresh(tokens)
    except SignInError:
        return HarvestSide.ENDED
    return HarvestSide.BY_HAND


def _list_configured(profile: str) -> Sequence[str]:
    """Where the configuration has a credential of *profile*."""
    places = (
        find_value(name, profile, CREDENTIALS)[1] for name in ("access_token", "refresh_token")
    )
    return [place for place in places if place]


def _explain_failure(error: HarvestError, *, was_saved: bool) -> HarvestError:
    kinds = (AuthError, ConfigError)
    kind = next((each for each in kinds if isinstance(error, each)), type(error))
    why = str(error) if str(error).endswith(".") else f"{error}."
    here = f"It is forgotten here; {_BY_HAND}." if was_saved else f"To end it, {_BY_HAND}."
    return kind(f"Harvest may still accept this sign-in: {why} {here}")


def _explain_configured(profile: str, places: Sequence[str]) -> str:
    return (
        f"The configuration still has a credential of profile {profile}, which stays in use until "
        f"you remove it: {', '.join(places)}. Remove it there, and {_BY_HAND}."
    )


def _explain_unknown(profile: str, vault: Vault | None) -> str:
    names = ", ".join(vault.files.profiles()) if vault else ""
    there_are = f"The vault has: {names}." if names else "The vault has none."
    return (
        f"There is no sign-in named {profile}, so nothing was ended. {there_are} To list all: "
        f"{build_auth_command('status', 'default')} --all"
    )
