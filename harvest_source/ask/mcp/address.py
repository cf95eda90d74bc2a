"""The address of the server over HTTP, as callers use it; without the libraries of the server."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from harvest_source.errors import ConfigError

PATH: Final = "/mcp"
PORTS: Final = {"http": 80, "https": 443}
"""By scheme."""


def split_address(url: str) -> SplitResult:
    """
    The parts of an address that callers can use.

    Raises:
        ConfigError: It is none, or has another path than the server.
    """
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.scheme in PORTS and parts.port != 0
    except ValueError:
        is_whole = False
    if (
        not (is_whole and url.isascii() and url.isprintable())
        or parts.path != PATH
        or (parts.query or parts.fragment or parts.username)
    ):
        msg = f"--url is the address that callers use, such as https://harvest.example.com{PATH}."
        raise ConfigError(msg)
    return parts
