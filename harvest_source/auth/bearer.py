"""Tokens that can be used but not read."""

from __future__ import annotations

from collections.abc import Generator
from typing import NoReturn

import httpx

from harvest_source.errors import ConfigError


class BearerToken(httpx.Auth):
    """
    A personal access token (or any bearer token) as httpx wants it.

    It shows up in no ``repr``, ``vars`` or pickle. It does not know its host: it goes wherever it
    is told, and only :class:`harvest_source.api.requester.Requester` tells it, for one host.

    Args:
        token: Blanks around it are dropped, so that it may come from a file.

    Raises:
        ConfigError: Empty, or with characters no token has. The message does not repeat it.
    """

    __slots__ = ("_header",)

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {_check_token(token)}"

    def __repr__(self) -> str:
        return "BearerToken(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "A BearerToken is neither pickled nor copied: the token would lie open."
        raise TypeError(msg)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


def _check_token(token: str) -> str:
    if not isinstance(token, str) or not token.strip():
        msg = (
            "The access token is empty. Make one at https://id.getharvest.com/developers and set "
            "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN."
        )
        raise ConfigError(msg)
    token = token.strip()
    if not all("!" <= char <= "~" for char in token):
        msg = (
            "The access token holds blanks, line ends or characters no token has. Copy it again, "
            "alone: without quotes, and without the word Bearer."
        )
        raise ConfigError(msg)
    return token
