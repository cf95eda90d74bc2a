"""
Choose the proxy from ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

They are read here because httpx rejects entries that operating systems put into ``NO_PROXY``
(``[::1]``, ``fe80::/10``).
"""

from __future__ import annotations

import importlib.util
import ipaddress
import re
import urllib.request
from collections.abc import Mapping
from typing import Final

import httpx

from harvest_source.api.urls import is_loopback, parse_url
from harvest_source.errors import ConfigError

_PORT: Final = re.compile(r"(?P<host>\[.*\]|[^:\[\]]*):(?P<port>\d+)")
"""An entry of ``NO_PROXY`` with a port: ``example.com:443``, ``[::1]:8080``."""


_SCHEMES: Final = frozenset({"http", "https", "socks5", "socks5h"})


def choose_proxy(url: httpx.URL, settings: Mapping[str, str] | None = None) -> httpx.Proxy | None:
    """
    The proxy for requests to *url*; None: connect directly.

    Requests to this machine never use a proxy: it would get the token unencrypted.

    Args:
        settings: Proxies by scheme, and the exceptions under ``no``; None: those of the
            environment, or of the operating system where it has its own (macOS, Windows).

    Raises:
        ConfigError: The chosen proxy cannot be used. The message does not repeat its address, which
            may contain a password.
    """
    settings = urllib.request.getproxies() if settings is None else settings
    # A variable with blanks only counts as not set, as one that is empty.
    name = url.scheme if settings.get(url.scheme, "").strip() else "all"
    value = settings.get(name, "").strip()
    if not value or is_loopback(url.host) or is_direct(url, settings.get("no", "")):
        return None
    return _parse_proxy(value, f"{name.upper()}_PROXY")


def is_direct(url: httpx.URL, no_proxy: str) -> bool:
    """
    Whether *no_proxy* names the host of *url*. Invalid entries are ignored.

    Entries are separated by commas: ``*``, a host (which includes its subdomains), an IP address or
    a network (``10.0.0.0/8``, ``[::1]``, ``fe80::/10``), each with an optional port.
    """
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return any(_covers(entry.strip().lower(), url.host, port) for entry in no_proxy.split(","))


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2]
    if found := _PORT.fullmatch(entry):
        if int(found["port"]) != port:
            return False
        entry = found["host"]
    entry = entry.replace("[", "").replace("]", "")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:  # One of the two is a name.
        name = entry.removeprefix("*").removeprefix(".")
        return bool(name) and f".{host}".endswith(f".{name}")


def _parse_proxy(value: str, variable: str) -> httpx.Proxy:
    url = parse_url(value if "://" in value else f"http://{value}")
    if url is None or url.scheme not in _SCHEMES:
        msg = (
            f"The proxy in {variable} is not a proxy's address. Write it as "
            "http://proxy.example.com:8080, or unset it. Nothing was sent."
        )
        raise ConfigError(msg)
    if url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        msg = (
            f"{variable} names a SOCKS proxy, for which the package socksio is needed. Install it "
            "into the environment of harvest-source, or name an http proxy. Nothing was sent."
        )
        raise ConfigError(msg)
    return httpx.Proxy(url)
