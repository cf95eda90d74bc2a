"""
What an agent can call: one declaration for each tool.

A tool's arguments are a pydantic model, which provides the schema that agents see and checks what
they send. Undeclared arguments are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harvest_source.ask import records
from harvest_source.ask.answers import Answer
from harvest_source.ask.exchange import MAX_SQL_BYTES
from harvest_source.ask.filters import MAX_LIMIT
from harvest_source.ask.runner import Runner
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.ask.sum_time import GROUPS, PERIODS

MAX_ROWS: Final = 1000
"""Maximum number of rows of a query."""

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Day = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
_Where = Annotated[
    list[Annotated[str, Field(max_length=500)]],
    Field(
        max_length=20,
        description=(
            "Filters, all of which must hold: COLUMN OPERATOR VALUE, with = != < <= > >= or ~ "
            "(contains). null as value asks for rows without one. "
            "Example: spent_date>=2026-01-01"
        ),
    ),
]
_Columns = Annotated[
    list[_Name], Field(max_length=100, description="Names of columns; empty for all of them.")
]
_Order = Annotated[
    list[_Name],
    Field(max_length=10, description="Names of columns; - before a name for descending order."),
]


class Arguments(BaseModel):
    """Arguments of a tool: only the declared ones, and only of the declared types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NoArguments(Arguments):
    """None."""


class TableName(Arguments):
    """A table."""

    table: Annotated[_Name, Field(description="Name of a table, as list_tables has it.")]


class ListArguments(TableName):
    """Which records, which columns, in which order."""

    where: _Where = []
    columns: _Columns = []
    order: _Order = []
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    cursor: Annotated[
        str | None,
        Field(max_length=16_000, description="The cursor of the answer before, to go on."),
    ] = None


class RecordId(TableName):
    """One record."""

    id: Annotated[int | str, Field(description="The record's id.")]


class NamePart(Arguments):
    """A part of a name."""

    text: Annotated[_Name, Field(description="A part of the name, in any case.")]
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 20


class SumArguments(Arguments):
    """How time is grouped, and which."""

    by: Annotated[
        list[_Name],
        Field(max_length=4, description="Some of: " + ", ".join((*GROUPS, *PERIODS))),
    ] = []
    start: Annotated[_Day, Field(description="First day, such as 2026-01-01.")] = ""
    end: Annotated[_Day, Field(description="Last day.")] = ""
    where: _Where = []
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 200


class QueryArguments(Arguments):
    """A statement."""

    sql: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_SQL_BYTES,
            description="One SELECT in DuckDB's SQL, on the tables that list_tables names.",
        ),
    ]
    limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 200


@dataclass(frozen=True, slots=True)
class Tool:
    """
    One tool.

    Attributes:
        answer: Answers a call, given the runner and the arguments; runs in a thread.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    answer: Callable[[Runner, Any], Answer]


def _list_records(runner: Runner, given: ListArguments) -> Answer:
    return records.list_records(
        given.table,
        where=given.where,
        columns=given.columns,
        order=given.order,
        limit=given.limit,
        after=given.cursor,
        warehouse=runner,
    )


def _sum_time(runner: Runner, given: SumArguments) -> Answer:
    return records.sum_time(
        given.by,
        start=given.start,
        end=given.end,
        where=given.where,
        limit=given.limit,
        warehouse=runner,
    )


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool(
            "list_tables",
            "List tables",
            "Every table of the warehouse with its key and description. Begin here. Prefer models "
            "named harvest__..., where they exist: they answer most questions at once.",
            NoArguments,
            lambda runner, _: records.list_tables(warehouse=runner),
        ),
        Tool(
            "describe_table",
            "Describe a table",
            "The columns of a table: types, descriptions, and the ranges of numbers and dates.",
            TableName,
            lambda runner, given: records.describe_table(given.table, warehouse=runner),
        ),
        Tool(
            "list_records",
            "List records",
            "Records of a table by filters, in an order. A cursor in the answer gets the next.",
            ListArguments,
            _list_records,
        ),
        Tool(
            "get_record",
            "Get a record",
            "The record of a table that has this id.",
            RecordId,
            lambda runner, given: records.get_record(given.table, given.id, warehouse=runner),
        ),
        Tool(
            "find",
            "Find by name",
            "Clients, projects, people and tasks by a part of their name: their ids.",
            NamePart,
            lambda runner, given: records.find(given.text, limit=given.limit, warehouse=runner),
        ),
        Tool(
            "sum_time",
            "Sum time",
            "Hours, rounded hours, billable hours (rounded) and billable amounts of time entries, "
            "for each currency by itself. Never add amounts of different currencies. Time counts "
            "for the client that its project has now. Weeks begin on the account's first weekday. "
            "Reads the model harvest__time_entries where it is as new as the table time_entries.",
            SumArguments,
            _sum_time,
        ),
        Tool(
            "query",
            "Run a query",
            "One SELECT in DuckDB's SQL. It can read the tables of the warehouse and nothing else.",
            QueryArguments,
            lambda runner, given: runner.query(given.sql, max_rows=given.limit),
        ),
        Tool(
            "get_status",
            "Status of the copy",
            "The last five syncs that filled the warehouse: when, and with what result.",
            NoArguments,
            lambda runner, _: records.get_status(warehouse=runner),
        ),
    )
}
"""Every tool by name, in the order in which agents see them."""


def parse_arguments(tool: Tool, given: dict[str, Any] | None) -> Arguments:
    """
    Check what an agent sent.

    Raises:
        StatementRefused: An argument is invalid; the message says which and why, but never
            repeats what was sent.
    """
    try:
        return tool.arguments.model_validate(given or {})
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    known = ", ".join(tool.arguments.model_fields) or "none"
    shown = "; ".join("".join(filter(str.isprintable, each[:120])) for each in problems[:3])
    raise StatementRefused(f"{shown}. Arguments of {tool.name}: {known}.")
