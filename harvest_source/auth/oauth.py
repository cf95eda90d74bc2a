"""
Access tokens that are renewed with a refresh token: before they run out, and when one is refused.

Once for all threads (a lock) and all processes (the lock of the :class:`Safe`), and kept before
used: whoever dies in between has at most lost an answer.
"""

from __future__ import annotations

import json
import random as _random
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NoReturn, Protocol

import httpx

from harvest_source.api.pages import parse_object
from harvest_source.api.requester import Answer, Exchange, Requester
from harvest_source.api.retry import RetryLimits
from harvest_source.clock import Clock
from harvest_source.defaults import TOKEN_PATH
from harvest_source.errors import (
    ApiError,
    ConfigError,
    HarvestError,
    ResponseError,
    SignInError,
    printable,
)

TOKEN_LIMITS: Final = RetryLimits(attempts=6, total_s=90.0)
"""Everybody waits for a token: give up sooner than on a page of rows."""

_LABEL: Final = "an access token"
_MARGIN: Final = timedelta(days=1)
"""Renewed that long before its end: longer than any run. Harvest's tokens last 14 days."""

_FRESH_S: Final = 60.0
"""A token younger than that was not refused for its age, so another one will not help."""

_PATIENCE_S: Final = 300.0
"""After a failed renewal the old token, while it lasts, is used that long without another try."""


@dataclass(frozen=True, slots=True)
class App:
    """
    An application registered at Harvest, and where it asks for tokens.

    Raises:
        ConfigError: *token_path* is no path.
    """

    client_id: str
    client_secret: str = field(repr=False)
    id_url: str
    token_path: str = TOKEN_PATH

    def __post_init__(self) -> None:
        path = self.token_path
        if not path.startswith("/") or path.startswith("//") or {*path} & {*"?#@:\\"}:
            msg = f"oauth_token_path is not a path. Set it to {TOKEN_PATH}, or leave it out."
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    What a login consists of.

    Attributes:
        access_token: Empty when there is none yet.
        refresh_token: Empty when there is none: a personal access token.
        expires_at: Of the access token; aware, UTC; None when not known.
        obtained_at: When the access token was; None when not known.
    """

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    obtained_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time for another access token: a day, or a tenth of its life, before."""
        if not self.access_token:
            return True
        if self.expires_at is None:
            return False
        life = self.expires_at - self.obtained_at if self.obtained_at else _MARGIN
        return now >= self.expires_at - min(_MARGIN, life / 10)

    def is_over(self, now: datetime) -> bool:
        """Whether the access token is of no use any more."""
        return not self.access_token or (self.expires_at is not None and now >= self.expires_at)


class TokenStore(Protocol):
    """Where the tokens of one login rest between runs."""

    def lock(self) -> AbstractContextManager[object]:
        """Keep other processes out while a token is exchanged."""
        ...

    def read(self) -> Tokens:
        """The tokens as they are now, perhaps renewed by another process."""
        ...

    def write(self, tokens: Tokens) -> None:
        """
        Keep *tokens* so that they outlive a crash.

        Raises:
            OSError: They could not be kept.
        """
        ...


class TokenEndpoint:
    """
    The token endpoint of the identity host.

    Args:
        remedy: What to do when the refresh token is refused, as the end of the message.
    """

    def __init__(
        self,
        app: App,
        *,
        user_agent: str,
        clock: Clock,
        remedy: str = "Sign in again: harvest-source auth login",
        transport: httpx.BaseTransport | None = None,
        random: Callable[[], float] = _random.random,
        limits: RetryLimits = TOKEN_LIMITS,
        on_response: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._app = app
        self._clock = clock
        self._remedy = remedy
        self._open = partial(
            Requester,
            base_url=app.id_url,
            url_name="id_url",
            auth=None,
            user_agent=user_agent,
            limiter=None,
            clock=clock,
            random=random,
            limits=limits,
            transport=transport,
            on_response=on_response,
        )

    def __repr__(self) -> str:
        return f"TokenEndpoint({self._app!r})"

    def refresh(self, tokens: Tokens) -> Tokens:
        """
        A new access token; where the answer brings no refresh token, the old one stays.

        Raises:
            SignInError: The refresh token or the app is refused.
            ApiError: No usable answer.
        """
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        new = self._ask(form, self._explain_refresh)
        return new if new.refresh_token else replace(new, refresh_token=tokens.refresh_token)

    def redeem(self, code: str, verifier: str | None = None) -> Tokens:
        """
        The first tokens of a login, for the code that its redirect brought.

        Raises:
            SignInError: The code or the app is refused.
            ApiError: No usable answer.
        """
        form = {"grant_type": "authorization_code", "code": code}
        if verifier:
            form["code_verifier"] = verifier
        return self._ask(form, _explain_redeem)

    def _ask(self, form: Mapping[str, str], explain: Callable[[str], str]) -> Tokens:
        asked_at = self._clock.now()
        app = {"client_id": self._app.client_id, "client_secret": self._app.client_secret}
        path = self._app.token_path

        def parse(answer: Answer) -> Tokens:
            return parse_tokens(answer.body, asked_at, path)

        def refuse(status: int, body: bytes) -> HarvestError | None:
            return _refuse(_error_name(body), status, explain)

        with self._open() as requester:
            return requester.post(path, {**app, **form}, parse=parse, refuse=refuse, label=_LABEL)

    def _explain_refresh(self, name: str) -> str:
        return (
            f"Harvest refused the refresh token ({name}): the login was revoked or has ended, or "
            f"the token was exchanged elsewhere. Nothing was changed. {self._remedy}"
        )


def _explain_redeem(name: str) -> str:
    return (
        f"Harvest refused the code of this login ({name}): it is good once and for a few minutes. "
        "Nothing was stored. Sign in again: harvest-source auth login"
    )


def _refuse(name: str, status: int, explain: Callable[[str], str]) -> HarvestError | None:
    if name == "invalid_grant":
        return SignInError(explain(name))
    if name in {"invalid_client", "unauthorized_client"} or status == 401:
        msg = (
            f"Harvest does not accept the app ({name or status}). Check credentials.client_id and "
            "credentials.client_secret under [sources.harvest] against "
            "https://id.getharvest.com/developers."
        )
        return SignInError(msg)
    return None


def _error_name(body: bytes) -> str:
    """OAuth's name of an error; empty when the body has none."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    name = value.get("error") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def parse_tokens(body: bytes, asked_at: datetime, path: str) -> Tokens:
    """
    Read the token endpoint's answer.

    Raises:
        TruncatedBody: The JSON stops before its end.
        ResponseError: There is no access token in it, or one that no header can carry.
    """
    answer = parse_object(body, label=_LABEL, path=path)
    texts = [answer.get(name) or "" for name in ("access_token", "refresh_token")]
    if not texts[0] or not all(isinstance(text, str) and _is_token(text) for text in texts):
        msg = (
            f"Harvest answered 200 for {_LABEL} without a usable one. Check id_url and "
            "oauth_token_path."
        )
        raise ResponseError(msg, path=path, status=200)
    seconds = _parse_seconds(answer.get("expires_in"))
    expires_at = asked_at + timedelta(seconds=seconds) if seconds else None
    return Tokens(texts[0], texts[1], expires_at, asked_at)


def _is_token(text: str) -> bool:
    return all("!" <= char <= "~" for char in text)


def _parse_seconds(value: object) -> int | None:
    """A lifetime; None when it is absent or absurd: then a 401 tells."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 10**9 else None


class OAuthToken(httpx.Auth):
    """
    The access token of a login, renewed as needed; thread-safe.

    It shows up in no ``repr``, ``vars`` or pickle. Nothing is read or asked before the first use.

    Args:
        safe: Holds the refresh token to begin with, and takes every new one before it is used.
        on_warning: Told when a new token cannot be kept, or a renewal has to wait.
    """

    __slots__ = ("_clock", "_endpoint", "_lock", "_on_warning", "_refused", "_safe", "_state")

    def __init__(
        self,
        endpoint: TokenEndpoint,
        safe: TokenStore,
        *,
        clock: Clock,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._safe = safe
        self._clock = clock
        self._on_warning = on_warning or (lambda _: None)
        self._lock = threading.Lock()
        self._refused: tuple[str, SignInError] | None = None
        self._state = _State()

    def __repr__(self) -> str:
        return "OAuthToken(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "An OAuthToken is neither pickled nor copied: the token would lie open."
        raise TypeError(msg)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._find_token()}"
        yield request

    def renew(self, refused: str) -> bool:
        """
        After a 401 on *refused*: whether there is another access token now.

        False when this process got the token just now: then age is not why it was refused.

        Raises:
            SignInError: The login is over.
            ApiError: The identity host does not answer.
        """
        with self._lock:
            held = self._state.tokens
            if held.access_token != refused:
                return bool(held.access_token)
            if self._clock.monotonic() < self._state.renewed_s + _FRESH_S:
                return False
            self._exchange(refused)
            return True

    def _find_token(self) -> str:
        with self._lock:
            state, now = self._state, self._clock.now()
            if not state.tokens.access_token:
                state.tokens = self._safe.read()
            if state.tokens.is_due(now) and self._clock.monotonic() >= state.wait_until_s:
                self._renew_early(now)
            return state.tokens.access_token

    def _renew_early(self, now: datetime) -> None:
        """Renew; a token that still works is no reason to fail when that cannot be done now."""
        try:
            self._exchange(self._state.tokens.access_token)
        except ApiError as error:
            if self._state.tokens.is_over(now):
                raise
            self._state.wait_until_s = self._clock.monotonic() + _PATIENCE_S
            self._on_warning(f"The access token runs out soon and could not be renewed: {error}")

    def _exchange(self, old: str) -> None:
        """Take the token another process got meanwhile, or get one and keep it before using it."""
        with self._safe.lock():
            kept = self._safe.read()
            if kept.access_token not in ("", old) and not kept.is_due(self._clock.now()):
                self._state.tokens = kept
                return
            new = self._refresh(kept)
            try:
                self._safe.write(new)
            except OSError as error:
                self._warn_lost(kept, new, error)
        self._state.tokens = new
        self._state.renewed_s = self._clock.monotonic()

    def _refresh(self, kept: Tokens) -> Tokens:
        """Ask; a refresh token that was refused once is not sent again by every thread."""
        if self._refused and self._refused[0] == kept.refresh_token:
            raise self._refused[1]
        try:
            return self._endpoint.refresh(kept)
        except SignInError as error:
            self._refused = kept.refresh_token, error
            raise

    def _warn_lost(self, kept: Tokens, new: Tokens, error: OSError) -> None:
        what = "new access token could not be kept"
        then = "The next run asks for another."
        if new.refresh_token != kept.refresh_token:
            what = "new refresh token could not be kept"
            then = "This run goes on with it; the next one will have to sign in again."
        self._on_warning(f"The {what} ({printable(error.strerror or 'no reason given')}). {then}")


@dataclass(slots=True)
class _State:
    """What changes in an :class:`OAuthToken`; guarded by its lock."""

    tokens: Tokens = field(default_factory=Tokens, repr=False)
    renewed_s: float = float("-inf")
    wait_until_s: float = float("-inf")
