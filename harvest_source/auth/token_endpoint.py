"""The token endpoint of Harvest's identity host: exchanges codes and refresh tokens for tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from harvest_source.api.attempt import OkResponse
from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.pages import parse_object
from harvest_source.api.requester import Requester
from harvest_source.defaults import TOKEN_PATH
from harvest_source.errors import ConfigError, HarvestError, ResponseError, SignInError

TOKEN_LIMITS: Final = RetryLimits(attempts=6, total_s=90.0, attempt_s=45.0)
"""Every thread and process waits for the token: give up sooner than on a page of rows."""

_LABEL: Final = "an access token"

_MARGIN: Final = timedelta(days=1)
"""A token is renewed this long before it expires: longer than any run. They are valid 14 days."""

_APP_REFUSALS: Final = frozenset({"invalid_client", "unauthorized_client"})
"""OAuth error names that concern the app."""

_LIFE_DIGITS: Final = 9
"""An ``expires_in`` with more digits (31 years) is ignored: it would overflow dates."""


class _RevocationAnsweredError(HarvestError):
    """A revocation was answered with another status than 200. Never leaves this module."""

    def __init__(self, *, is_offered: bool) -> None:
        super().__init__()
        self.is_offered = is_offered


@dataclass(frozen=True, slots=True)
class App:
    """
    An OAuth app registered at Harvest, and the endpoint where it asks for tokens.

    Raises:
        ConfigError: *token_path* is not a path.
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

    @property
    def revocation_path(self) -> str:
        """Next to the token endpoint. Unverified against a live account: Harvest documents none."""
        return f"{self.token_path.rpartition('/')[0]}/revoke"


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    The tokens of one login.

    Attributes:
        access_token: Empty if there is none yet.
        refresh_token: Empty for a personal access token, which has none.
        expires_at: When the access token expires; aware, UTC; None if not known.
        obtained_at: When the access token was requested; aware, UTC; None if not known.
    """

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    obtained_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to renew: a day before expiry, or after nine tenths of a shorter lifetime."""
        if not self.access_token:
            return True
        if self.expires_at is None:
            return False
        life = self.expires_at - self.obtained_at if self.obtained_at else _MARGIN
        return now >= self.expires_at - min(_MARGIN, life / 10)

    def is_expired(self, now: datetime) -> bool:
        """Whether there is no access token that is still valid."""
        return not self.access_token or (self.expires_at is not None and now >= self.expires_at)


class TokenEndpoint:
    """
    Asks the identity host for tokens. Each call opens and closes its own connection.

    Args:
        http: Its retry limits are replaced by :data:`TOKEN_LIMITS`.
        remedy: What the user should do if the refresh token is refused; ends the message.
    """

    def __init__(
        self,
        app: App,
        http: HttpContext,
        *,
        remedy: str = "Sign in again: harvest-source auth login",
    ) -> None:
        self._app = app
        self._http = replace(http, retry_limits=TOKEN_LIMITS)
        self._remedy = remedy

    def __repr__(self) -> str:
        return f"TokenEndpoint({self._app!r})"

    def refresh(self, tokens: Tokens) -> Tokens:
        """
        Get a new access token. If the answer has no refresh token, the old one is kept.

        Raises:
            SignInError: Harvest refuses the refresh token or the app.
            ApiError: No usable answer.
        """
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        new = self._ask(form, self._explain_refresh)
        return new if new.refresh_token else replace(new, refresh_token=tokens.refresh_token)

    def redeem(self, code: str, verifier: str | None = None) -> Tokens:
        """
        Get the first tokens of a login for the code in its redirect.

        Args:
            verifier: The PKCE code verifier; None: the login sent no challenge.

        Raises:
            SignInError: Harvest refuses the code or the app.
            ApiError: No usable answer.
        """
        form = {"grant_type": "authorization_code", "code": code}
        if verifier:
            form["code_verifier"] = verifier
        return self._ask(form, self._explain_redeem)

    def revoke(self, token: str) -> bool:
        """
        Ask Harvest to revoke the login of a refresh token, or one access token (RFC 7009).

        Unverified against a live account: Harvest documents no URL for this, so it may not exist;
        and a 200 does not prove that anything was revoked.

        Returns:
            True: 200, or the token was already invalid. False: the identity host does not offer
            revocation, which any other refusal is taken to mean, except one of the app.

        Raises:
            SignInError: Harvest refuses the app.
            ApiError: No usable answer.
        """
        path, app = self._app.revocation_path, self._app
        form = {"client_id": app.client_id, "client_secret": app.client_secret, "token": token}

        def explain(status: int, body: bytes) -> HarvestError | None:
            name = _parse_error_name(body)
            if name in {"invalid_grant", "invalid_token"}:  # It is already invalid.
                return _RevocationAnsweredError(is_offered=True)
            if name in _APP_REFUSALS:
                return _build_refusal(name, status, self._explain_refresh)
            return _RevocationAnsweredError(is_offered=False)

        with Requester(app.id_url, self._http, auth=None, url_name="id_url") as requester:
            try:
                label = "the end of a login"
                return requester.post(path, form, parse=_accept, explain=explain, label=label)
            except _RevocationAnsweredError as answered:
                return answered.is_offered

    def _ask(self, form: Mapping[str, str], explain_grant: Callable[[str], str]) -> Tokens:
        asked_at = self._http.clock.now()
        app = {"client_id": self._app.client_id, "client_secret": self._app.client_secret}
        path = self._app.token_path

        def parse(answer: OkResponse) -> Tokens:
            return parse_tokens(answer.body, asked_at, path)

        def explain(status: int, body: bytes) -> HarvestError | None:
            return _build_refusal(_parse_error_name(body), status, explain_grant)

        with Requester(self._app.id_url, self._http, auth=None, url_name="id_url") as requester:
            return requester.post(path, {**app, **form}, parse=parse, explain=explain, label=_LABEL)

    def _explain_refresh(self, name: str) -> str:
        return (
            f"Harvest refused the refresh token ({name}): the login was revoked or has ended, or "
            f"the token was exchanged elsewhere. Nothing was changed. {self._remedy}"
        )

    def _explain_redeem(self, name: str) -> str:
        return (
            f"Harvest refused the code of this login ({name}): it works only once, and only for a "
            f"few minutes. Nothing was stored. {self._remedy}"
        )


def _accept(answer: OkResponse) -> bool:
    """Accept any 200: RFC 7009 gives its body no meaning."""
    del answer
    return True


def _build_refusal(
    name: str, status: int, explain_grant: Callable[[str], str]
) -> HarvestError | None:
    if name == "invalid_grant":
        return SignInError(explain_grant(name))
    if name in _APP_REFUSALS or status == 401:
        why = name if name in _APP_REFUSALS else status  # Any other name may repeat the secret.
        msg = (
            f"Harvest does not accept the app ({why}). Check credentials.client_id and "
            "credentials.client_secret under [sources.harvest] against "
            "https://id.getharvest.com/developers."
        )
        return SignInError(msg)
    return None


def _parse_error_name(body: bytes) -> str:
    """The OAuth error name, such as ``invalid_grant``; empty if the body has none."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    name = value.get("error") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def parse_tokens(body: bytes, asked_at: datetime, path: str) -> Tokens:
    """
    Parse the token endpoint's answer.

    Args:
        asked_at: When the request was sent; the token's lifetime is counted from here.

    Raises:
        TruncatedBody: The JSON stops before its end.
        ResponseError: It has no access token, or a token that no header can carry.
    """
    answer = parse_object(body, label=_LABEL, path=path)
    texts = [answer.get(name) or "" for name in ("access_token", "refresh_token")]
    if not texts[0] or not all(isinstance(text, str) and is_token_text(text) for text in texts):
        msg = (
            f"Harvest answered 200 for {_LABEL}, but sent no usable one. Check id_url and "
            "oauth_token_path."
        )
        raise ResponseError(msg, path=path, status=200)
    seconds = _parse_seconds(answer.get("expires_in"))
    expires_at = asked_at + timedelta(seconds=seconds) if seconds else None
    return Tokens(texts[0], texts[1], expires_at, asked_at)


def is_token_text(text: str) -> bool:
    """Whether *text* has only characters that an HTTP header can carry, and no whitespace."""
    return all("!" <= char <= "~" for char in text)


def _parse_seconds(value: object) -> int | None:
    """A lifetime; None if absent or implausible: then only a 401 shows that the token expired."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= _LIFE_DIGITS):
        return None
    return int(text) or None
