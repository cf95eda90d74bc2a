"""Replies to agents: within their size limit, and never a dead end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvest_source.ask.answers import Answer
from harvest_source.ask.mcp.replies import MAX_CHARACTERS, build_reply, limit_size
from harvest_source.ask.statement_guard import StatementRefused


def answer(*rows: tuple[Any, ...], columns: int = 2) -> Answer:
    """A list with a cursor after each row."""
    names = tuple(f"c{at}" for at in range(columns))
    cursors = tuple(str(at) for at in range(len(rows)))
    return Answer(names, ("VARCHAR",) * columns, rows, None, cursors=cursors)


def measure(found: Answer) -> int:
    """The characters of both copies of a reply."""
    return 2 * len(json.dumps(build_reply(found)))


@pytest.mark.parametrize("letter", ["n", '"', "\u4e2d", "\n"])
def test_one_row_that_is_too_long_is_shortened(letter: str) -> None:
    """The row's texts are cut and the list continues after it; numbers stay whole."""
    long = (letter * 20_000, [letter * 20_000], 7, letter * 20_000)
    found = limit_size(answer(long, (1, 2, 3, 4), columns=4))
    assert measure(found) <= MAX_CHARACTERS
    assert (found.is_cut, found.has_more, found.cursor) == (True, True, "0")
    assert found.rows[0][2] == 7
    assert len(found.rows[0][0]) > 1000


def test_a_long_cursor_counts_towards_the_size_limit() -> None:
    """The list is cut at a row whose cursor is longer than the last one's."""
    rows = tuple((at, "n" * 200) for at in range(200))
    cursors = tuple("c" * (1 if at > 150 else 9_000) for at in range(200))
    found = limit_size(Answer(("a", "b"), ("BIGINT", "VARCHAR"), rows, None, cursors=cursors))
    assert (found.has_more, len(found.cursor or "")) == (True, 9_000)
    assert measure(found) <= MAX_CHARACTERS


def test_a_shortened_last_row_ends_the_list() -> None:
    """A last row that is cut still ends the list."""
    found = limit_size(answer(("n" * 60_000, "")))
    assert (found.is_cut, found.has_more, found.cursor) == (True, False, None)


def test_column_names_count_towards_the_size_limit() -> None:
    """Column names so long that no row fits beside them are refused."""
    with pytest.raises(StatementRefused, match="too many columns"):
        limit_size(answer(("",) * 4000, columns=4000))


@pytest.mark.parametrize("first", [0.1234567890123456, "n" * 60_000], ids=["number", "text"])
def test_a_row_of_numbers_that_is_too_long_is_refused(first: float | str) -> None:
    """Numbers are never shortened, so fewer columns are the only remedy; the reply says so."""
    row = (first, *(0.1234567890123456 for _ in range(1499)))
    with pytest.raises(StatementRefused, match="too many columns"):
        limit_size(answer(row, columns=1500))


def test_an_answer_that_fits_is_unchanged() -> None:
    """A short answer is returned unchanged."""
    short = answer(("a", 1), ("b", 2))
    assert limit_size(short) is short
    assert limit_size(answer()).rows == ()
