"""
Records, sums and names without SQL: what people, programs and agents ask most.

Every function takes *warehouse*: a DuckDB file, or a :class:`~harvest_source.ask.runner.Runner`
with limits of its own; None means ``harvest_data.duckdb`` in the current folder. Each raises the
errors of :meth:`~harvest_source.ask.runner.Runner.query`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from harvest_source.ask.answers import Answer
from harvest_source.ask.filters import MAX_LIMIT, MOST_ROWS, Filter, check_limit, parse_filter
from harvest_source.ask.questions import (
    DescribeTable,
    FindNames,
    GetRecord,
    GetStatus,
    ListRecords,
    ListTables,
)
from harvest_source.ask.runner import Runner
from harvest_source.ask.sum_time import SumTime
from harvest_source.config.lists import parse_list
from harvest_source.config.paths import check_database
from harvest_source.defaults import DATABASE

Where = Iterable[str] | Mapping[str, Any]
"""Filters as text, such as ``spent_date>=2026-01-01``, or a mapping of columns to values."""

Warehouse = Runner | str | Path | None
"""A runner, or the file to make one for."""

_CURSOR: Final = "cursor "
"""Name prefix of the hidden columns that hold the sort key of each record."""


def list_tables(*, warehouse: Warehouse = None) -> Answer:
    """List every table: name, schema, key, number of columns, description."""
    return open_runner(warehouse).ask(ListTables(), max_rows=10_000)


def describe_table(table: str, *, warehouse: Warehouse = None) -> Answer:
    """Describe the columns of a table: name, type, whether in the key, description, range."""
    return open_runner(warehouse).ask(DescribeTable(table), max_rows=10_000)


def list_records(
    table: str,
    *,
    where: Where = (),
    columns: Iterable[str] = (),
    order: Iterable[str] = (),
    limit: int = 100,
    after: str | None = None,
    warehouse: Warehouse = None,
) -> Answer:
    """
    List records of a table in a stable order, at most 500 at a time.

    Args:
        columns: Columns to return; empty: all.
        order: Column names, with ``-`` before a name for descending order. The key is appended.
        after: The cursor of the previous answer. Filters and order must be the same.

    Returns:
        An answer whose ``cursor`` continues the list, or is None at its end.
    """
    check_limit(limit, MAX_LIMIT)
    filters = build_filters(where)
    question = ListRecords(table, filters, parse_names(columns), parse_names(order))
    runner, what = open_runner(warehouse), _describe(question)
    if after is not None:
        question = replace(question, after=runner.cursor_seal.open(after, what))
    answer = runner.ask(question, max_rows=limit)
    return _build_page(answer, partial(runner.cursor_seal.make, question=what))


def get_record(table: str, record_id: str | int, *, warehouse: Warehouse = None) -> Answer:
    """Get the record with this id: no row, one, or one for each account or report period."""
    return open_runner(warehouse).ask(GetRecord(table, str(record_id)), max_rows=MAX_LIMIT)


def find(text: str, *, limit: int = 50, warehouse: Warehouse = None) -> Answer:
    """
    Find clients, projects, people and tasks whose name contains *text*, ignoring case.

    Args:
        limit: Names at most, up to 500.
    """
    check_limit(limit, MAX_LIMIT)
    return open_runner(warehouse).ask(FindNames(text), max_rows=limit)


def sum_time(
    by: Iterable[str] = (),
    *,
    start: str = "",
    end: str = "",
    where: Where = (),
    limit: int = MAX_LIMIT,
    warehouse: Warehouse = None,
) -> Answer:
    """
    Sum hours and billable amounts by client, project, person, task, day, week or month.

    Args:
        start: First day, such as ``2026-01-01``.
        end: Last day.
        where: Filters on columns of ``time_entries``.
        limit: Groups at most, up to 100,000.
    """
    check_limit(limit, MOST_ROWS)
    question = SumTime(parse_names(by), start, end, build_filters(where))
    return open_runner(warehouse).ask(question, max_rows=limit)


def get_status(*, warehouse: Warehouse = None) -> Answer:
    """Get the last five syncs: when each began and ended, and with what result."""
    return open_runner(warehouse).ask(GetStatus(), max_rows=5)


def query(sql: str, *, max_rows: int = 1000, warehouse: Warehouse = None) -> Answer:
    """
    Run one SELECT of the caller, which can read the warehouse's tables and nothing else.

    Args:
        max_rows: Rows of the answer at most, up to 100,000; it says whether there are more.
    """
    return open_runner(warehouse).query(sql, max_rows=max_rows)


def open_runner(warehouse: Warehouse) -> Runner:
    """Return *warehouse* if it is a runner, or make one for the file."""
    if isinstance(warehouse, Runner):
        return warehouse
    return Runner(Path(check_database(DATABASE if warehouse is None else warehouse)))


def build_filters(where: Where) -> tuple[Filter, ...]:
    """Build filters from text, or from a mapping of columns to values."""
    if isinstance(where, Mapping):
        return tuple(
            Filter(name, "=", None if value is None else _format(value))
            for name, value in where.items()
        )
    texts = [where] if isinstance(where, str) else where  # Not split: a value may contain commas.
    return tuple(parse_filter(each) for each in texts)


def parse_names(names: Iterable[str]) -> tuple[str, ...]:
    """Parse names as people give them: several, or one comma-separated text."""
    return tuple(str(each) for each in parse_list(names))


def _format(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _build_page(answer: Answer, make_cursor: Callable[[Sequence[Any]], str]) -> Answer:
    """Remove the hidden key columns from the rows, and make cursors from them."""
    shown = [at for at, name in enumerate(answer.columns) if not name.startswith(_CURSOR)]
    hidden = [at for at, name in enumerate(answer.columns) if name.startswith(_CURSOR)]
    cursors = tuple(make_cursor([row[at] for at in hidden]) for row in answer.rows)
    return replace(
        answer,
        columns=tuple(answer.columns[at] for at in shown),
        types=tuple(answer.types[at] for at in shown),
        rows=tuple(tuple(row[at] for at in shown) for row in answer.rows),
        cursor=cursors[-1] if answer.has_more and cursors else None,
        cursors=cursors,
    )


def _describe(question: ListRecords) -> str:
    """Describe the list that a cursor is bound to: table, filters and order."""
    return json.dumps(
        [question.table.lower(), [repr(each) for each in question.where], question.order]
    )
