"""Where the consent page may redirect to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost"})


def may_redirect(registered: str, target: str) -> bool:
    """
    Whether *target* starts with the *registered* address, compared part by part.

    Comparing the strings alone would accept ``http://127.0.0.1.example.com``. A loopback address
    that is registered without a port allows every port.
    """
    try:
        known, asked = urlsplit(registered), urlsplit(target)
        ports = known.port, asked.port
    except ValueError:
        return False
    plain = target.isascii() and target.isprintable() and " " not in target
    same = (known.scheme, known.hostname) == (asked.scheme, asked.hostname)
    free = ports[0] is None and known.hostname in LOOPBACK_HOSTS
    return (
        plain
        and same
        and asked.username is None
        and (free or ports[0] == ports[1])
        and asked.path.startswith(known.path)
    )


def build_location(target: str, answer: Mapping[str, str], state: str | None) -> str:
    """The address of a redirect to *target* that carries *answer*, and *state* if there is one."""
    carried = {"state": state} if state is not None else {}
    sign = "&" if "?" in target else "?"
    return f"{target}{sign}{urlencode({**answer, **carried})}"
