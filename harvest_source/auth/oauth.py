"""
OAuth access tokens, renewed with a refresh token before they expire and when one is refused.

A renewal happens once for all threads (a lock) and all processes (the lock of the
:class:`TokenStore`). Harvest may replace the refresh token and invalidate the old one, so a renewal
first tests whether a new one can be stored. New tokens are stored before they are used: a process
that dies in between loses an answer, but never the login.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NoReturn

import httpx

from harvest_source.api.http_context import ignore_warning
from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.token_endpoint import TokenEndpoint, Tokens
from harvest_source.auth.token_stores import SignedOutError, TokenStore
from harvest_source.clock import Clock
from harvest_source.errors import HarvestError, SignInError, printable

_FRESH_S: Final = 60.0
"""If a token younger than this is refused, its age is not the reason: renewing would not help."""

_RETRY_AFTER_S: Final = 300.0
"""Seconds from a failed renewal to the next attempt, while the old token still works."""


_NOT_TRIED: Final = (
    "Not tried: there is a refresh token, but no access token that lasts long enough. Asking for "
    "one would exchange the refresh token; the next sync does that."
)
_REFUSED: Final = (
    "Harvest refuses the saved access token (401). The refresh token was not tried, because that "
    "would exchange it: the next sync does that. If it fails, sign in again: harvest-source auth "
    "login"
)


class NoPlaceError(SignInError):
    """A refresh token was not exchanged, because the new one could not have been stored."""


class NotExchangedError(SignInError):
    """
    A refresh token was not exchanged, because the caller does not allow it.

    Attributes:
        is_refused: True: Harvest refused the stored access token. False: no stored access token is
            still valid.
    """

    def __init__(self, message: str, *, is_refused: bool) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class OAuthToken(httpx.Auth):
    """
    The access token of a login, renewed as needed; thread-safe.

    ``repr``, ``vars`` and pickle do not reveal the token. Nothing is read or sent before the first
    use.

    Args:
        store: Holds the first refresh token, and gets every new one before it is used.
        on_warning: Called when a new token cannot be stored, or a renewal has to wait.
        may_exchange: False: use only the stored access token.
    """

    __slots__ = (
        "_clock",
        "_endpoint",
        "_lock",
        "_may_exchange",
        "_on_warning",
        "_refused",
        "_state",
        "_store",
    )

    def __init__(
        self,
        endpoint: TokenEndpoint,
        store: TokenStore,
        *,
        clock: Clock,
        on_warning: Callable[[str], None] = ignore_warning,
        may_exchange: bool = True,
    ) -> None:
        self._may_exchange = may_exchange
        self._endpoint = endpoint
        self._store = store
        self._clock = clock
        self._on_warning = on_warning
        self._lock = threading.Lock()
        self._refused: tuple[str, SignInError] | None = None
        self._state = _State()

    def __repr__(self) -> str:
        return "OAuthToken(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "An OAuthToken cannot be pickled or copied: its token would be readable."
        raise TypeError(msg)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._get_token()}"
        yield request

    def renew(self, refused: str) -> bool:
        """
        Return whether there is another access token after a 401 on *refused*.

        False if this process got the token less than a minute ago: then its age is not the reason
        for the refusal.

        Raises:
            SignInError: The login has ended, its new tokens could not be stored, or the refresh
                token may not be exchanged.
            ApiError: The identity host gave no usable answer.
        """
        with self._lock:
            held = self._state.tokens
            if held.access_token != refused:
                return bool(held.access_token)
            if not self._may_exchange:
                raise NotExchangedError(_REFUSED, is_refused=True)
            if self._clock.monotonic() < self._state.renewed_s + _FRESH_S:
                return False
            self._exchange(refused)
            return True

    @property
    def is_lost(self) -> bool:
        """Whether the newest refresh token exists only in this process and is lost when it ends."""
        with self._lock:
            return self._state.is_lost

    def _get_token(self) -> str:
        with self._lock:
            state, now = self._state, self._clock.now()
            if not state.tokens.access_token:
                state.tokens = self._store.read()
            if not self._may_exchange:
                if state.tokens.is_expired(now):
                    raise NotExchangedError(_NOT_TRIED, is_refused=False)
            elif state.tokens.is_due(now) and self._clock.monotonic() >= state.wait_until_s:
                self._renew_early(now)
            return state.tokens.access_token

    def _renew_early(self, now: datetime) -> None:
        """
        Renew; if that fails, go on with the old token while it lasts.

        A login that Harvest refuses, or that was removed, ends the run at once. A missing answer, a
        lock that is held, and a store that cannot be used now (a locked keyring, a key file that
        cannot be read) do not.
        """
        try:
            self._exchange(self._state.tokens.access_token)
        except HarvestError as error:
            if self._state.tokens.is_expired(now) or self._ends_login(error):
                raise
            self._state.wait_until_s = self._clock.monotonic() + _RETRY_AFTER_S
            self._on_warning(f"The access token expires soon and could not be renewed: {error}")

    def _ends_login(self, error: HarvestError) -> bool:
        is_refusal = self._refused is not None and error is self._refused[1]
        return is_refusal or isinstance(error, SignedOutError)

    def _exchange(self, old: str) -> None:
        """Use a token that another process has stored, or get one and store it before use."""
        with self._store.lock():
            stored = self._read_newest()
            if stored.access_token not in ("", old) and not stored.is_due(self._clock.now()):
                self._state.tokens = stored
                return
            self._check_place()
            new = self._refresh(stored)
            try:
                self._store.write(new)
                self._state.is_lost = False
            except (OSError, HarvestError) as error:
                # The old refresh token may already be invalid: this run continues with the new one.
                self._state.is_lost |= new.refresh_token != stored.refresh_token
                self._warn_not_stored(stored, new, error)
        self._state.tokens = new
        self._state.renewed_s = self._clock.monotonic()

    def _read_newest(self) -> Tokens:
        """The stored tokens, or newer ones that this process got and could not store."""
        stored, held = self._store.read(), self._state.tokens
        if held.obtained_at is None or not held.refresh_token:
            return stored
        is_newer = stored.obtained_at is None or held.obtained_at > stored.obtained_at
        return held if is_newer else stored

    def _check_place(self) -> None:
        if why := self._store.find_obstacle():
            msg = (
                "The access token has to be renewed, and the refresh token was not exchanged, "
                f"because a new one could not be saved: {why}. Nothing was sent and nothing is "
                "lost. Under [sources.harvest] set vault_path to a folder that this user can "
                "write, or token_command to a command that saves the new token."
            )
            raise NoPlaceError(msg)

    def _refresh(self, stored: Tokens) -> Tokens:
        """Ask for tokens; a refresh token that was refused is not sent again."""
        if self._refused and self._refused[0] == stored.refresh_token:
            raise self._refused[1]
        try:
            return self._endpoint.refresh(stored)
        except SignInError as error:
            self._refused = stored.refresh_token, error
            raise

    def _warn_not_stored(self, stored: Tokens, new: Tokens, error: OSError | HarvestError) -> None:
        why = error.strerror if isinstance(error, OSError) else str(error)
        what = "new access token could not be saved"
        then = "The next run asks for another."
        if new.refresh_token != stored.refresh_token:
            what = "new refresh token could not be saved"
            then = "This run continues with it; the next one will have to sign in again."
        self._on_warning(f"The {what} ({printable(why or 'no reason given')}). {then}")


@dataclass(slots=True)
class _State:
    """
    The mutable state of an :class:`OAuthToken`; guarded by its lock.

    Attributes:
        renewed_s: Monotonic time of the last renewal by this process.
        wait_until_s: Monotonic time before which no early renewal is attempted.
        is_lost: As :attr:`OAuthToken.is_lost`.
    """

    tokens: Tokens = field(default_factory=Tokens, repr=False)
    renewed_s: float = float("-inf")
    wait_until_s: float = float("-inf")
    is_lost: bool = False


def refuse_lost_sign_in(auth: httpx.Auth, profile: str) -> None:
    """
    Refuse a sign-in that is lost when this process ends.

    Raises:
        SignInError: Harvest replaced its refresh token, and the new one could not be stored.
    """
    if isinstance(auth, OAuthToken) and auth.is_lost:
        msg = (
            "Harvest exchanged the refresh token for another one, which could not be saved, so "
            "the sign-in ends with this command. Make a place for it and sign in again: "
            f"{build_auth_command('login', profile)}"
        )
        raise SignInError(msg)
