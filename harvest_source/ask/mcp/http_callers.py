"""Identifies callers over HTTP by one of our own tokens, or one of the company's issuer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST

from harvest_source.ask.access import Caller
from harvest_source.ask.mcp.issuer import ISSUER, IssuerTokens
from harvest_source.ask.scopes import Scope
from harvest_source.ask.trouble import Trouble
from harvest_source.auth.server_tokens import PREFIX, ServerToken, ServerTokens
from harvest_source.errors import HarvestError


class OwnTokens(TokenVerifier):
    """
    Recognizes our own tokens.

    Args:
        scopes: The configured scopes. A token with another scope is refused.
        trouble: Reports that the file of tokens cannot be read: then all tokens are refused.
    """

    def __init__(self, tokens: ServerTokens, scopes: Mapping[str, Scope], trouble: Trouble) -> None:
        self._tokens = tokens
        self._scopes = scopes
        self._trouble = trouble

    async def verify_token(self, token: str) -> AccessToken | None:
        """Describe a token for the protocol library; None: it is not valid."""
        found = self._look_up(partial(self._tokens.find, token))
        if found is None:
            return None
        # The id, not the name: a new token of the same name must not take over a session.
        return AccessToken(token="", client_id=found.id, scopes=[], resource=found.url)

    def find_caller(self, token: AccessToken) -> Caller | None:
        """Find the caller of a token; None: it was revoked since the request came."""
        found = self._look_up(partial(self._tokens.get, token.client_id))
        if found is None:
            return None
        return Caller(found.name, self._scopes[found.scope], found.profile)

    def _look_up(self, read: Callable[[], ServerToken | None]) -> ServerToken | None:
        """Return what *read* finds, if its scope is configured and the file can be read."""
        try:
            found = read()
        except HarvestError as error:
            self._trouble.begin(f"No token is accepted until this is fixed: {error}")
            return None
        self._trouble.end()
        return found if found is not None and found.scope in self._scopes else None


class HttpCallers(TokenVerifier):
    """
    Finds callers by either kind of token.

    Args:
        issuer: Recognizes the issuer's tokens; None: only our own tokens are accepted.
    """

    def __init__(self, own: OwnTokens, issuer: IssuerTokens | None = None) -> None:
        self._own = own
        self._issuer = issuer

    @property
    def issuer_url(self) -> str:
        """Address of the issuer whose tokens are accepted; empty: there is none."""
        return self._issuer.settings.url if self._issuer else ""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Describe a token for the protocol library; None: it is not valid."""
        if self._issuer is None or token.startswith(f"{PREFIX}_"):
            return await self._own.verify_token(token)
        return await self._issuer.verify_token(token)

    def find_caller(self, context: Any) -> Caller:
        """
        Find the caller of a request.

        Raises:
            MCPError: The token was revoked since the request came.
        """
        user = context.request.scope.get("user") if context.request is not None else None
        token = user.access_token if isinstance(user, AuthenticatedUser) else None
        found: Caller | None = None
        if token is not None and token.client_id == ISSUER and self._issuer is not None:
            found = self._issuer.find_caller(token)
        elif token is not None:
            found = self._own.find_caller(token)
        if found is None:
            raise MCPError(INVALID_REQUEST, "A bearer token is needed.")
        return found
