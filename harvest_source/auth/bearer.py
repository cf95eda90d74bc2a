"""A bearer token that can be sent but not read."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, NoReturn

import httpx

from harvest_source.errors import ConfigError

_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"

_PLACEHOLDERS: Final = ("your-token", "...", "your_token", "<token>")
"""Endings of placeholder tokens in examples."""


class BearerToken(httpx.Auth):
    """
    A personal access token (or any bearer token) in the form that httpx accepts.

    ``repr``, ``vars`` and pickle do not reveal it. The class itself would send it to any host, but
    only :class:`harvest_source.api.requester.Requester` uses it, which contacts a single host.

    Args:
        token: Surrounding whitespace is stripped, so it may come from a file.

    Raises:
        ConfigError: The token is empty or has characters that no token has. The message does not
            repeat it.
    """

    __slots__ = ("_header",)

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {_check_token(token)}"

    def __repr__(self) -> str:
        return "BearerToken(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "A BearerToken cannot be pickled or copied: its token would be readable."
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
    if token[0] in _QUOTES or token[-1] in _QUOTES:
        msg = "The access token is in quotes. Remove them: a token begins with a digit."
        raise ConfigError(msg)
    if token.endswith(_PLACEHOLDERS):
        msg = (
            "The access token is still the one of the example. Make your own at "
            "https://id.getharvest.com/developers and use that."
        )
        raise ConfigError(msg)
    if not all("!" <= char <= "~" for char in token):
        msg = (
            "The access token contains spaces, line ends or characters that no token has. Copy "
            "it again without anything else: no quotes, and not the word Bearer."
        )
        raise ConfigError(msg)
    return token
