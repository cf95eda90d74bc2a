"""
Everything this package raises on purpose.

::

    HarvestError                  catch this to catch ours
    ├── ConfigError               you can fix it; nothing was sent (also ValueError)
    ├── AuthError                 Harvest refused the sign-in
    │   └── SignInError           a login that cannot be made or renewed; the message says all
    ├── ApiError                  Harvest, or the way to it, failed; carries path, status, attempts
    │   ├── RateLimitedError      429 until we gave up
    │   ├── ServerError           5xx, time-outs, refused connections, until we gave up
    │   ├── ForbiddenError        403: this token may not read that
    │   ├── ResponseError         an answer that cannot be a right one
    │   └── UnsafeLinkError       a next link that must not be followed
    ├── DestinationError          the warehouse refused; says what stays pending
    ├── GuardError                a guard stopped a destructive step
    └── BusyError                 another sync of this pipeline is running

Messages have three parts: what happened and to what, what we know, what to do next. None of them
ever holds a token, a query string or a response body.
"""

from __future__ import annotations

from typing import ClassVar


class HarvestError(Exception):
    """The root of every error this package raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(HarvestError, ValueError):
    """Settings or arguments that cannot work. Nothing was sent."""

    exit_code = 2


class AuthError(HarvestError):
    """Harvest refused the token, or token and account together (401, 404 on the probe)."""

    exit_code = 3


class SignInError(AuthError):
    """
    A login could not be made, renewed or read.

    Nobody further up knows more: its message is shown as it is.
    """


class ApiError(HarvestError):
    """
    A request that Harvest did not answer usefully.

    Attributes:
        path: Path of the request, without host and query.
        status: Last HTTP status; None when no answer came.
        attempts: How many times it was sent.
    """

    exit_code = 4

    def __init__(
        self, message: str, *, path: str = "", status: int | None = None, attempts: int = 1
    ) -> None:
        super().__init__(message)
        self.path = path
        self.status = status
        self.attempts = attempts


class RateLimitedError(ApiError):
    """Every attempt was answered 429."""


class ServerError(ApiError):
    """Every attempt ended in a 5xx, a time-out or a broken connection."""


class ForbiddenError(ApiError):
    """403: the token's role, or a switched-off module, does not allow this. Not retried."""


class ResponseError(ApiError):
    """An answer that cannot be right: wrong status, no JSON, envelope key missing, link twice."""


class UnsafeLinkError(ResponseError):
    """A ``links.next`` to another host, or one already followed."""


class DestinationError(HarvestError):
    """The warehouse refused. The message says what stays pending."""

    exit_code = 6


class GuardError(HarvestError):
    """A guard stopped a destructive step before it began."""

    exit_code = 5


class BusyError(HarvestError):
    """Another sync of the same pipeline is running."""

    exit_code = 7


def counted(number: int, noun: str) -> str:
    """``1 row``, ``1,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: object, *, limit: int = 200) -> str:
    """
    Text from outside, fit for one line of a message: no control characters, at most *limit* long.

    Whatever follows a question mark in something that looks like an address is left out.
    """
    words = "".join(char if char.isprintable() else " " for char in str(text)[: 4 * limit]).split()
    line = " ".join(
        word.partition("?")[0] + "?..." if "/" in word and "?" in word else word for word in words
    )
    return line if len(line) <= limit else line[: limit - 3] + "..."
