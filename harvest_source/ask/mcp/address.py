"""The address that callers use for the server over HTTP; needs no library of the extra ``mcp``."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from harvest_source.errors import ConfigError

PATH: Final = "/mcp"
PORTS: Final = {"http": 80, "https": 443}
"""The default port of each scheme."""


def split_address(url: str) -> SplitResult:
    """
    Split the address that callers use.

    Raises:
        ConfigError: The address is invalid, or its path is not the server's.
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
