"""The commands that answer from the warehouse: ``query``, ``list`` and ``get``. Read-only."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from harvest_source.cli.asking import (
    AskingCommand,
    open_runner,
    read_only_file_options,
)
from harvest_source.cli.console import print_json, print_table
from harvest_source.cli.options import Context, common_options, refuse_given
from harvest_source.errors import ConfigError
from harvest_source.exit_codes import ExitCode

if TYPE_CHECKING:
    from harvest_source.ask import Answer

F = TypeVar("F", bound=Callable[..., Any])

_NUMBERS = ("BIGINT", "INTEGER", "DECIMAL", "DOUBLE", "HUGEINT", "FLOAT", "SMALLINT", "TINYINT")


def answer_options(function: F) -> F:
    """Add the options that say which warehouse is read, who asks, and how answers are printed."""
    as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout.")
    return read_only_file_options(as_csv(function))


_OPTION: Final = re.compile(r"--[\w-]+(=.*)?")
"""An option as one argument, with its value on the same line."""


class QueryCommand(AskingCommand):
    """A command whose argument is SQL, which may begin with a comment: ``-- Hours by month``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; one that contains blanks and is no option is the SQL."""
        if "--" not in args:
            comments = [each for each in args if _begins_with_comment(each)]
            args = [each for each in args if each not in comments]
            args += ["--", *comments] if comments else []
        return super().parse_args(ctx, args)


def _begins_with_comment(text: str) -> bool:
    return text.startswith("--") and len(text.split()) > 1 and not _OPTION.fullmatch(text)


@click.command(cls=QueryCommand)
@click.argument("sql")
@click.option(
    "--limit",
    default=1000,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Maximum number of rows to print.",
)
@answer_options
@common_options
def query(context: Context, sql: str, limit: int, **options: Any) -> int:
    """
    Run one query on the warehouse.

    It can read the warehouse's tables and nothing else, and is stopped after 20 seconds. Decimals
    are exact, with --json too.
    """
    _refuse_two_forms(context, options)
    answer = open_runner(context, options, "query").query(sql, max_rows=limit)
    return _show(context, answer, as_csv=options["as_csv"])


@click.command("list", cls=AskingCommand)
@click.argument("table", required=False)
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Filter, also with != < <= > >= and ~ (contains); null means no value; repeatable.",
)
@click.option("--columns", metavar="NAMES", help="Columns, separated by commas.  [default: all]")
@click.option("--order", metavar="NAMES", help="Columns to sort by; -NAME for descending.")
@click.option(
    "--limit",
    default=100,
    show_default=True,
    type=click.IntRange(1, 500),
    help="Maximum number of records to print.",
)
@click.option("--after", metavar="CURSOR", help="Continue a list: its last line gives CURSOR.")
@answer_options
@common_options
def list_(context: Context, table: str | None, limit: int, **options: Any) -> int:
    """List records of a table, or the tables."""
    from harvest_source.ask import list_records, list_tables

    _refuse_two_forms(context, options)
    if table is None:
        of_records = ("where", "columns", "order", "limit", "after")
        refuse_given(of_records, "it applies to the records of a table. Name a TABLE.")
    runner = open_runner(context, options, "list_records" if table else "list_tables")
    if table is None:
        answer = list_tables(warehouse=runner)
    else:
        answer = list_records(
            table,
            where=options["where"],
            columns=_parse_names(options["columns"], "--columns"),
            order=_parse_names(options["order"], "--order"),
            limit=limit,
            after=options["after"],
            warehouse=runner,
        )
    return _show(context, answer, as_csv=options["as_csv"])


@click.command(cls=AskingCommand)
@click.argument("table")
@click.argument("record_id", metavar="ID")
@answer_options
@common_options
def get(context: Context, table: str, record_id: str, **options: Any) -> int:
    """Show the record of a table that has this id."""
    from harvest_source.ask import get_record

    _refuse_two_forms(context, options)
    answer = get_record(table, record_id, warehouse=open_runner(context, options, "get_record"))
    if not answer.rows:
        msg = (
            f"There is no record {record_id[:40]} in {table[:80]}. List some: harvest-source list "
            f"{quote(table[:80])}{' --sandbox' if options['sandbox'] else ''}"
        )
        raise ConfigError(msg)
    if context.console.as_json or options["as_csv"]:
        return _show(context, answer, as_csv=options["as_csv"])
    from harvest_source.ask.shown_text import to_line

    for record in answer.records():
        print_table(
            ("Column", "Value"), [(to_line(name), to_line(value)) for name, value in record.items()]
        )
    _note_age(context, answer)
    return ExitCode.DONE


def _refuse_two_forms(context: Context, options: dict[str, Any]) -> None:
    if context.console.as_json and options["as_csv"]:
        raise click.UsageError("--csv and --json cannot be used together. Leave one of them out.")


def _parse_names(text: str | None, option: str) -> tuple[str, ...]:
    from harvest_source.config.lists import parse_values

    return tuple(map(str, parse_values(text, option)))


def _show(context: Context, answer: Answer, *, as_csv: bool) -> int:
    from harvest_source.ask.shown_text import to_csv_cell, to_line

    if context.console.as_json:
        print_json(answer.to_json())
        return ExitCode.DONE
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([to_csv_cell(name, "VARCHAR") for name in answer.columns])
        for row in answer.rows:
            writer.writerow(
                [to_csv_cell(value, kind) for value, kind in zip(row, answer.types, strict=True)]
            )
    else:
        numbers = [
            to_line(name)
            for name, kind in zip(answer.columns, answer.types, strict=True)
            if kind.startswith(_NUMBERS)
        ]
        rows = [[to_line(value) for value in row] for row in answer.rows]
        print_table([to_line(name) for name in answer.columns], rows, numbers=numbers)
    _note_age(context, answer)
    return ExitCode.DONE


def _note_age(context: Context, answer: Answer) -> None:
    """Print on stderr how old the answer is, and how to get the next rows."""
    if answer.as_of:
        context.console.note("as of", answer.as_of)
    if answer.cursor:
        context.console.note("more", f"--after {answer.cursor}")
    elif answer.has_more:
        context.console.note("more", "There are more rows: raise --limit, or ask for fewer.")
    if answer.is_cut:
        context.console.note("cut", "Long texts were shortened.")
