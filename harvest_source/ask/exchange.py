"""What a question's caller and its worker process say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MAX_SQL_BYTES: Final = 20_000
"""Length of a statement that is run at most."""

READY: Final = b"\n"
"""Written once the libraries are imported, so that a waiting worker is known to be one."""

REFUSED: Final = "refused"
"""The statement was not run: it is no question, or reaches beyond the warehouse's tables."""
BUSY: Final = "busy"
"""A process that writes has the file open."""
UNREADABLE: Final = "unreadable"
"""There is no warehouse, or it cannot be opened."""
FAILED: Final = "failed"
"""DuckDB could not run the statement, or not within its limits."""


@dataclass(frozen=True, slots=True)
class Request:
    """
    One question.

    Attributes:
        dataset: Schema of the warehouse's tables.
        schemas: Where unqualified names are looked up.
        sql: A caller's own statement, checked before it runs; empty: *question* is asked.
        question: Kind and fields of one of :mod:`harvest_source.ask.questions`.
        reach: What may be read, as :mod:`harvest_source.ask.reach` writes it; None: everything.
        max_rows: Rows returned at most; one more is drawn to know whether the answer was cut.
        max_cell: Characters of a text at most; longer ones are cut, and the answer says so.
        wait_s: For how long the caller asks again while the file is in use.
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


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What became of a request.

    Attributes:
        columns: Name and DuckDB type of each column.
        has_more: There are more rows than were asked for.
        is_cut: A text was shortened.
        tables: What was read, with the schemas.
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
