"""The token endpoint of Harvest's identity host: codes and refresh tokens become access tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from harvest_source.api.attempt import Answer
from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.pages import parse_object
from harvest_source.api.requester import Requester
from harvest_source.defaults import TOKEN_PATH
from harvest_source.errors import ConfigError, HarvestError, ResponseError, SignInError

TOKEN_LIMITS: Final = RetryLimits(attempts=6, total_s=90.0, attempt_s=45.0)
"""Every thread and process waits for the token: give up sooner than on a page of rows."""

_LABEL: Final = "an access token"

_MARGIN: Final = timedelta(days=1)
"""How long before its end a token is renewed: longer than any run. Harvest's last 14 days."""

_APP_REFUSALS: Final = frozenset({"invalid_client", "unauthorized_client"})
"""OAuth's names of errors that are about the app."""

_LIFE_DIGITS: Final = 9
"""An ``expires_in`` with more digits (31 years) is taken for nonsense; it would overflow dates."""


class _RevocationAnsweredError(HarvestError):
    """The answer to a revocation, other than 200. Never leaves this module."""

    def __init__(self, *, is_offered: bool) -> None:
        super().__init__()
        self.is_offered = is_offered


@dataclass(frozen=True, slots=True)
class App:
    """
    An application registered at Harvest, and where it asks for tokens.

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
        """Beside the token endpoint. Unverified against a live account: Harvest documents none."""
        return f"{self.token_path.rpartition('/')[0]}/revoke"


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    The tokens of one login.

    Attributes:
        access_token: Empty when there is none yet.
        refresh_token: Empty for a personal access token, which has none.
        expires_at: End of the access token; aware, UTC; None when not known.
        obtained_at: When the access token was issued; aware, UTC; None when not known.
    """

    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    obtained_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to renew: a day before the end, or after nine tenths of a shorter life."""
        if not self.access_token:
            return True
        if self.expires_at is None:
            return False
        life = self.expires_at - self.obtained_at if self.obtained_at else _MARGIN
        return now >= self.expires_at - min(_MARGIN, life / 10)

    def is_expired(self, now: datetime) -> bool:
        """Whether there is no access token that can still be used."""
        return not self.access_token or (self.expires_at is not None and now >= self.expires_at)


class TokenEndpoint:
    """
    Asks the identity host for tokens. Each call opens and closes its own connection.

    Args:
        http: Its limits are replaced by :data:`TOKEN_LIMITS`.
        remedy: What to do when the refresh token is refused, as the end of the message.
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
        A new access token; when the answer has no refresh token, the old one stays.

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

        Args:
            verifier: PKCE's; None: the login sent no challenge.

        Raises:
            SignInError: The code or the app is refused.
            ApiError: No usable answer.
        """
        form = {"grant_type": "authorization_code", "code": code}
        if verifier:
            form["code_verifier"] = verifier
        return self._ask(form, _explain_redeem)

    def revoke(self, token: str) -> bool:
        """
        Ask Harvest to end the login of a refresh token, or one access token (RFC 7009).

        Unverified against a live account: Harvest documents no address for it, so the answer may be
        that there is none; and an answer 200 does not prove that anything ended.

        Returns:
            False: The identity host does not offer it: any other refusal than one of the app.

        Raises:
            SignInError: The app is refused.
            ApiError: No usable answer.
        """
        path, app = self._app.revocation_path, self._app
        form = {"client_id": app.client_id, "client_secret": app.client_secret, "token": token}

        def explain(status: int, body: bytes) -> HarvestError | None:
            name = _parse_error_name(body)
            if name in {"invalid_grant", "invalid_token"}:  # It has ended already.
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

        def parse(answer: Answer) -> Tokens:
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


def _accept(answer: Answer) -> bool:
    """Any answer 200 will do: RFC 7009 gives its body no meaning."""
    del answer
    return True


def _explain_redeem(name: str) -> str:
    return (
        f"Harvest refused the code of this login ({name}): it is good once and for a few minutes. "
        "Nothing was stored. Sign in again: harvest-source auth login"
    )


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
    """OAuth's name of an error, ``invalid_grant``; empty when the body has none."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    name = value.get("error") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def parse_tokens(body: bytes, asked_at: datetime, path: str) -> Tokens:
    """
    Read the token endpoint's answer.

    Args:
        asked_at: When the request was sent; the token's life is counted from here.

    Raises:
        TruncatedBody: The JSON stops before its end.
        ResponseError: There is no access token in it, or one that no header can carry.
    """
    answer = parse_object(body, label=_LABEL, path=path)
    texts = [answer.get(name) or "" for name in ("access_token", "refresh_token")]
    if not texts[0] or not all(isinstance(text, str) and is_token_text(text) for text in texts):
        msg = (
            f"Harvest answered 200 for {_LABEL} without a usable one. Check id_url and "
            "oauth_token_path."
        )
        raise ResponseError(msg, path=path, status=200)
    seconds = _parse_seconds(answer.get("expires_in"))
    expires_at = asked_at + timedelta(seconds=seconds) if seconds else None
    return Tokens(texts[0], texts[1], expires_at, asked_at)


def is_token_text(text: str) -> bool:
    """Whether *text* has only characters that an HTTP header can carry, and no blanks."""
    return all("!" <= char <= "~" for char in text)


def _parse_seconds(value: object) -> int | None:
    """A lifetime; None when absent or implausible: then only a 401 says that the token ended."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= _LIFE_DIGITS):
        return None
    return int(text) or None
