"""The access log: one line of JSON per request, in files of bounded size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harvest_source.api.http_context import Exchange
from harvest_source.rotated_file import KEEP, MAX_BYTES, RotatedFile


class AccessLog:
    """
    Appends every exchange to *path*; thread-safe, and several processes may share the file.

    A line holds time, profile, account, method, path, status, milliseconds and rows; never a token,
    a query or a body. If the file cannot be written, the run continues with a warning.
    """

    def __init__(
        self,
        path: Path,
        profile: str,
        on_warning: Callable[[str], None],
        *,
        max_bytes: int = MAX_BYTES,
        keep: int = KEEP,
    ) -> None:
        self._file = RotatedFile(path, max_bytes=max_bytes, keep=keep)
        self._profile = profile
        self._on_warning = on_warning

    def __call__(self, exchange: Exchange) -> None:
        """Append one line."""
        try:
            self._file.append(json.dumps(build_entry(exchange, self._profile)))
        except OSError as error:
            self._on_warning(
                f"The access log {self._file.path} cannot be written ({error.strerror}); requests "
                "of this run are missing from it. Check access_log under [sources.harvest]."
            )


def build_entry(exchange: Exchange, profile: str) -> dict[str, str | int | None]:
    """The JSON object of one exchange."""
    return {
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "profile": profile,
        "account": int(exchange.account) if exchange.account else None,
        "method": exchange.method,
        "path": exchange.path,
        "status": exchange.status,
        "ms": round(exchange.elapsed_s * 1000),
        "rows": exchange.rows,
    }
