"""Check which URLs may be requested: the configured ones, and ``links.next`` below them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Set
from urllib.parse import unquote

import httpx

from harvest_source.errors import ConfigError, UnsafeLinkError, printable

_PREFIXES = ("/api/v2", "/v2")
"""api.harvestapp.com answers under both; links with either have been seen."""


def check_url(url: str, name: str) -> str:
    """
    A configured URL without its trailing slash: ``https``, or ``http`` on a loopback host.

    Args:
        name: The setting's name, for the message.

    Raises:
        ConfigError: Not such a URL, or it contains a user, a query, a fragment or ``..``. The
            message repeats only scheme and host: the rest may contain a password.
    """
    parsed = parse_url(url.strip())
    if parsed is None or parsed.scheme not in {"http", "https"}:
        msg = f"{name} is not a web address. Set it to one like https://api.harvestapp.com/v2."
        raise ConfigError(msg)
    shown = printable(f"{parsed.scheme}://{parsed.host}", limit=100)
    if "@" in _authority(url) or "?" in url or "#" in url or ".." in parsed.path.split("/"):
        msg = (
            f"{name} ({shown}...) may not contain a user, password, query or fragment. Leave them "
            "out."
        )
        raise ConfigError(msg)
    if not is_private(parsed):
        msg = f"{name} is {shown}: the token would travel unencrypted. Use https."
        raise ConfigError(msg)
    return str(parsed).rstrip("/")


def is_private(url: httpx.URL) -> bool:
    """Whether no machine on the way can read the traffic: ``https``, or ``http`` to loopback."""
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def build_url(
    base_url: str, url_or_path: str, params: Mapping[str, str] | None = None
) -> httpx.URL:
    """
    The URL of one request.

    Args:
        url_or_path: Path below *base_url*, or a full URL, which stays unchanged.
        params: Query; None or empty leaves the URL unchanged.

    Raises:
        UnsafeLinkError: The URL does not have *base_url*'s scheme, host and port.
    """
    if "://" not in url_or_path.partition("?")[0]:
        url_or_path = f"{base_url}/{url_or_path.lstrip('/')}"
    url, base = httpx.URL(url_or_path), httpx.URL(base_url)
    if not same_origin(url, base):
        host = printable(url.host, limit=100)
        msg = f"Not sending a request to {host}, which is not {base.host}: it would get the token."
        raise UnsafeLinkError(msg)
    return url.copy_merge_params(dict(params)) if params else url


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether scheme, host and port are the same."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def check_link(url: str, *, api_url: str, seen: Set[str], where: str = "The answer") -> None:
    """
    Refuse a ``links.next`` that must not be followed.

    A link must have *api_url*'s scheme, host and port, and a path below *api_url*'s path or below
    one of Harvest's two prefixes, ``/v2/`` and ``/api/v2/``. Each URL is accepted once per list.

    Args:
        seen: The URLs of this list that were already followed, as they were given.
        where: What contains the link, for the message: ``Page 3 of time_entries``.

    Raises:
        UnsafeLinkError: Any other link. The message repeats only its scheme, host and port.
    """
    home = httpx.URL(api_url)
    link = parse_url(url)
    if link is None or not link.scheme:
        msg = f"{where} links to something that is not a web address. Not following it."
        raise UnsafeLinkError(msg)
    if "@" in _authority(url) or not same_origin(link, home):
        msg = (
            f"{where} links to {_origin(link)}, which is not {_origin(home)}. Not following it: "
            "the request would carry your access token."
        )
        raise UnsafeLinkError(msg)
    if not _is_below(link.path, home.path):
        msg = f"{where} links to a path outside Harvest's API on {_origin(home)}. Not following it."
        raise UnsafeLinkError(msg)
    if url in seen:
        msg = (
            f"{where} links to a page that was already read. Reading stopped there: run the same "
            "command again, and report this if it recurs."
        )
        raise UnsafeLinkError(msg)


def parse_url(url: str) -> httpx.URL | None:
    """The URL as it would be sent; None if two parsers could read it differently."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parsed = httpx.URL(url)
        return parsed if parsed.host else None  # Reading the host decodes it, which may raise.
    except (httpx.InvalidURL, ValueError):  # idna's own errors are ValueErrors.
        return None


def _authority(url: str) -> str:
    return url.partition("//")[2].partition("/")[0]


def _origin(url: httpx.URL) -> str:
    port = f":{url.port}" if url.port else ""
    return printable(f"{url.scheme}://{url.host}{port}", limit=100)


def find_relative_path(path: str, home: str) -> str:
    """
    The part of *path* below the API: ``time_entries``; all of *path* if it is not below it.

    Args:
        home: Path of the API's address. The API's other prefix counts as well.
    """
    starts = [f"{start}/" for start in _find_starts(home)]
    return path.removeprefix(next(filter(path.startswith, starts), ""))


def _is_below(path: str, home: str) -> bool:
    """Whether *path* is below the API's own path or the same API's other prefix."""
    if ".." in unquote(path).split("/"):
        return False
    return any(path.startswith(f"{start}/") for start in _find_starts(home))


def _find_starts(home: str) -> tuple[str, ...]:
    """Paths that the API answers under; its own is the last, because it may begin the others."""
    home = home.rstrip("/")
    root = next((home.removesuffix(end) for end in _PREFIXES if home.endswith(end)), home)
    return (*(root + prefix for prefix in _PREFIXES), home)
