"""
Every error this package raises on purpose.

::

    HarvestError                  catch this to catch all of them
    ├── ConfigError               settings or arguments; nothing was sent (also ValueError)
    ├── ResourceError             the process may not have the memory or the threads it needs
    ├── RemoteError               Harvest refused, or gave no usable answer
    │   ├── AuthError             Harvest refused the sign-in
    │   │   └── SignInError       a login cannot be made, renewed or read; the message is complete
    │   └── ApiError              carries path, status and attempts
    │       ├── RateLimitedError  429 until we gave up
    │       ├── ServerError       5xx, time-outs, refused connections, until we gave up
    │       ├── ForbiddenError    403: the token may not read this
    │       ├── StaleAnswerError  a cache keeps serving an answer from before the run
    │       └── ResponseError     an answer that cannot be right
    │           ├── UnsafeLinkError   a next link that must not be followed
    │           └── IncompleteListError   a list that could not be proven complete
    ├── DestinationError          the warehouse refused; the message says what stays pending
    │   └── TableRefusedError     it refused one table; it does not block the others
    ├── NothingComparedError      a verification had nothing to compare
    ├── GuardError                a guard stopped a destructive step
    └── BusyError                 another sync of this pipeline is running

A message has three parts: what happened and to what, what is known, and what to do next. It never
contains a token, a query string or a response body.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from harvest_source.exit_codes import ExitCode

E = TypeVar("E", bound=BaseException)

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of an OSError: the disk, or this user's share of it, is full."""

_PATH: Final = re.compile(
    r"""(?<![\w.])(?<!:/)(?!/(?:api/)?v2/)(?:/[^\s/'"(),;]+){2,}"""
    r"""|\b[A-Za-z]:(?:\\[^\s\\'"(),;]+){2,}"""
)
"""An absolute path, but no part of an address and no request to Harvest, such as /v2/users/me."""


class HarvestError(Exception):
    """
    The root of every error this package raises on purpose.

    Attributes:
        exit_code: The exit code of the command line.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG


class ConfigError(HarvestError, ValueError):
    """Settings or arguments that cannot work. Nothing was sent."""

    exit_code = ExitCode.USAGE


class ResourceError(HarvestError):
    """
    The process may not have the memory, the threads or the open files that it needs.

    The user who starts the process sets these limits, so the exit code is that of a wrong
    configuration.
    """

    exit_code = ExitCode.USAGE


class RemoteError(HarvestError):
    """Harvest's API or identity host refused, or gave no usable answer. Raised as a subclass."""

    exit_code = ExitCode.HARVEST


class AuthError(RemoteError):
    """Harvest refused the token, or token and account together (401, 404 on the probe)."""

    exit_code = ExitCode.AUTHENTICATION


class SignInError(AuthError):
    """
    A login could not be made, renewed or read.

    The message is complete: callers show it unchanged and add nothing.
    """


class ApiError(RemoteError):
    """
    Harvest gave no usable answer to a request.

    Attributes:
        path: Path of the request, without host and query.
        status: Last HTTP status; None if there was no answer.
        attempts: How many times the request was sent.
    """

    def __init__(
        self, message: str, *, path: str = "", status: int | None = None, attempts: int = 1
    ) -> None:
        super().__init__(message)
        self.path = path
        self.status = status
        self.attempts = attempts


class RateLimitedError(ApiError):
    """A request was given up, and its last attempt was answered 429."""


class ServerError(ApiError):
    """Given up after 408s, 5xx, time-outs or broken connections; or an untrusted certificate."""


class ForbiddenError(ApiError):
    """403: the token's role, or a switched-off module, does not allow this. Not retried."""


class StaleAnswerError(ApiError):
    """
    A request was given up, because a cache kept serving an answer made before the run.

    Such an answer proves nothing: no row is removed, replaced or counted because of it.
    """

    exit_code = ExitCode.CHECK_FAILED


class ResponseError(ApiError):
    """An answer that cannot be right: wrong status, no JSON, missing key, repeated link."""


class UnsafeLinkError(ResponseError):
    """A ``links.next`` to another host, or one already followed."""


class IncompleteListError(ResponseError):
    """
    A list was read, but it could not be proven that no row is missing.

    The rows read may be loaded; the list's cursor does not advance and no row is removed.
    """

    exit_code = ExitCode.CHECK_FAILED


class NothingComparedError(HarvestError):
    """A verification had nothing to compare, so nothing is known."""

    exit_code = ExitCode.CHECK_FAILED


class DestinationError(HarvestError):
    """The warehouse refused. The message says what stays pending."""

    exit_code = ExitCode.DESTINATION


class TableRefusedError(DestinationError):
    """
    The warehouse refused the rows of one table. They were discarded and will be read again.

    Attributes:
        table: The table's name in dlt; for a child table, the name of its parent table.
    """

    def __init__(self, message: str, *, table: str) -> None:
        super().__init__(message)
        self.table = table


class GuardError(HarvestError):
    """A guard stopped a destructive step before it began."""

    exit_code = ExitCode.CHECK_FAILED


class BusyError(HarvestError):
    """Another sync of the same pipeline is running."""

    exit_code = ExitCode.BUSY


def iter_causes(
    error: BaseException | None, *, attributes: Iterable[str] = ()
) -> Iterator[BaseException]:
    """
    Yield *error* and every exception that led to it, each once, the nearest first.

    Follows ``__cause__``, or ``__context__`` where an exception was raised without ``from``.

    Args:
        attributes: Attributes in which a library's exceptions keep the exception they wrap.
    """
    names = tuple(attributes)
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [getattr(each, name, None) for name in names]
            waiting.append(each.__cause__ or each.__context__)


def find_cause(
    error: BaseException | None, kind: type[E], *, attributes: Iterable[str] = ()
) -> E | None:
    """The first exception of type *kind* in :func:`iter_causes`; None if there is none."""
    causes = iter_causes(error, attributes=attributes)
    return next((each for each in causes if isinstance(each, kind)), None)


def error_dict(
    error: BaseException, *, account_id: int | None = None, table: str = "", message: str = ""
) -> dict[str, str | int | None]:
    """
    One entry of ``errors`` in ``--json`` and ``sync_runs``.

    Args:
        account_id, table: What the error belongs to; without them, it belongs to the whole run.
        message: Replaces the error's own text.
    """
    return {
        "account_id": account_id,
        "table": table or None,
        "type": type(error).__name__,
        "message": message or str(error),
    }


def store_errors(errors: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Entries of :func:`error_dict` as the warehouse keeps them."""
    return [{**each, "message": without_folders(str(each["message"]))} for each in errors]


def counted(number: int, noun: str) -> str:
    """``1 row``, ``1,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def describe_os_error(error: OSError) -> str:
    """Why the system refused, without the path: ``No space left on device``."""
    return error.strerror or type(error).__name__


def printable(text: object, *, limit: int = 200) -> str:
    """
    External text as one line of a message: no control characters, at most *limit* characters.

    In a word that looks like a URL, everything after the question mark is left out: the query may
    contain a secret.
    """
    words = "".join(char if char.isprintable() else " " for char in str(text)[: 4 * limit]).split()
    line = " ".join(
        word.partition("?")[0] + "?..." if "/" in word and "?" in word else word for word in words
    )
    return line if len(line) <= limit else line[: limit - 3] + "..."


def without_folders(text: str) -> str:
    """
    Shorten each absolute path in *text* to its last name.

    For texts that are stored in a warehouse: its readers may be others than the person who runs the
    sync, and a path names users and folders of that machine. Paths of requests stay.
    """
    for folder in _iter_own_folders():  # Their names may have blanks.
        text = text.replace(f"{folder}{os.sep}", "")
    return _PATH.sub(_shorten, text)


def _iter_own_folders() -> Iterator[Path]:
    for find in (Path.cwd, Path.home):
        try:
            folder = find()
        except (OSError, RuntimeError):
            continue  # It was removed, or this user has none.
        if folder != folder.parent:
            yield folder


def _shorten(found: re.Match[str]) -> str:
    return re.split(r"[/\\]", found[0])[-1]
