"""Messages between the caller of a question and its worker process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MAX_SQL_BYTES: Final = 20_000
"""Maximum length of a statement."""

READY: Final = b"\n"
"""The worker writes it once its libraries are imported and it waits for a request."""

REFUSED: Final = "refused"
"""The question was refused: it is invalid, or reaches beyond the warehouse's tables."""
BUSY: Final = "busy"
"""A writing process has the file open."""
UNREADABLE: Final = "unreadable"
"""The warehouse does not exist, or cannot be opened."""
FAILED: Final = "failed"
"""DuckDB could not run the statement, or not within its limits."""


@dataclass(frozen=True, slots=True)
class Request:
    """
    One question.

    Attributes:
        dataset: Schema of the warehouse's tables.
        rewritten: The name that dlt makes of it, for the case that only that one exists.
        schemas: Where unqualified names are looked up.
        sql: A caller's own statement, checked before it runs; empty: *question* is asked.
        question: Kind and fields of one of :mod:`harvest_source.ask.questions`.
        reach: What may be read, as :mod:`harvest_source.ask.reach` writes it; None: everything.
        max_rows: Maximum number of rows; one more is fetched to know whether there are more.
        max_cell: Maximum characters of a text; longer ones are cut, and the answer says so.
        wait_s: How long the caller retries while the file is in use.
    """

    path: str
    dataset: str
    schemas: tuple[str, ...]
    sql: str = ""
    question: dict[str, Any] | None = None
    reach: dict[str, Any] | None = None
    max_rows: int = 1000
    max_cell: int = 20_000
    memory_mb: int = 512
    threads: int = 2
    seconds: int = 20
    wait_s: float = 0.0
    rewritten: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    The reply to a request.

    Attributes:
        columns: Name and DuckDB type of each column.
        has_more: There are more rows than were asked for.
        is_cut: A text was shortened.
        tables: Tables that were read, with their schemas.
        error: Why there is no answer.
        error_kind: ``refused``, ``busy``, ``unreadable`` or ``failed``.
    """

    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    has_more: bool = False
    is_cut: bool = False
    tables: tuple[str, ...] = ()
    as_of: str | None = None
    error: str = ""
    error_kind: str = ""
