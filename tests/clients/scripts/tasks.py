"""
The tasks for each client. Runs in the client's own environment: standard library only.

A script makes a client with ``query(sql) -> rows`` and ``export(sql, path) -> rows written``, and
passes it to :func:`run`, which prints the answers as JSON.
"""

import csv
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'harvest' ORDER BY 1"
)
PREVIEW = "SELECT id, spent_date, user__name FROM harvest.time_entries ORDER BY id LIMIT 3"
SUM = (
    "SELECT client__name, EXTRACT(YEAR FROM spent_date) * 100 + EXTRACT(MONTH FROM spent_date) "
    "AS year_month, SUM(hours) AS total FROM harvest.time_entries GROUP BY 1, 2 ORDER BY 1, 2"
)
FILTER = (
    "SELECT COUNT(*) AS found FROM harvest.time_entries "
    "WHERE created_at >= CAST('2026-01-01 00:00:00+00' AS TIMESTAMP WITH TIME ZONE)"
)
JOIN = (
    "SELECT i.id, COUNT(*) AS lines, SUM(l.amount) AS total FROM harvest.invoices i "
    "JOIN harvest.invoices__line_items l ON l.account_id = i.account_id AND l.invoice_id = i.id "
    "GROUP BY i.id ORDER BY i.id"
)
DECIMALS = "SELECT MIN(hours) AS least, MAX(hours) AS most FROM harvest.time_entries"
NULLS = "SELECT id, notes FROM harvest.time_entries WHERE notes IS NULL ORDER BY id LIMIT 2"
FLAGS = "SELECT id, is_billed FROM harvest.time_entries ORDER BY is_billed DESC, id LIMIT 2"
EXPORT = "SELECT id, hours, notes, created_at FROM harvest.time_entries"

QUERIES = {
    "list": TABLES,
    "preview": PREVIEW,
    "sum": SUM,
    "filter": FILTER,
    "join": JOIN,
    "decimals": DECIMALS,
    "null": NULLS,
    "booleans": FLAGS,
    "export": EXPORT,
}
"""The query of each task."""

_DECIMALS = ("SUM(hours)", "SUM(l.amount)", "MIN(hours)", "MAX(hours)")


def as_doubles(sql: str) -> str:
    """Rewrite the query for clients that accept no decimals."""
    for each in _DECIMALS:
        sql = sql.replace(each, f"{each}::double")
    return sql


class Client(Protocol):
    """One client on one warehouse."""

    def query(self, sql: str) -> Sequence[Sequence[Any]]: ...
    def export(self, sql: str, path: str) -> int: ...


def run(make: Callable[[str], Client], **instead: Callable[[Client], Any]) -> None:
    """
    Do every task with the client that *make* builds from an address, and print the answers.

    Args:
        instead: By task, how this client does it if not with SQL.
    """
    address, folder = sys.argv[1], Path(sys.argv[2])
    tasks: dict[str, Callable[[Client], Any]] = {
        "list": lambda client: [row[0] for row in client.query(TABLES)],
        "preview": lambda client: client.query(PREVIEW),
        "sum": lambda client: client.query(SUM),
        "filter": lambda client: client.query(FILTER),
        "join": lambda client: client.query(JOIN),
        "decimals": lambda client: client.query(DECIMALS),
        "null": lambda client: client.query(NULLS),
        "booleans": lambda client: client.query(FLAGS),
        "export": lambda client: client.export(EXPORT, str(folder / "export.csv")),
        **instead,
    }
    try:
        client = make(address)
    except Exception as error:
        print(json.dumps({name: {"error": describe(error)} for name in tasks}))
        return
    answers = {}
    for name, task in tasks.items():
        try:
            answers[name] = {"value": plain(task(client))}
        except Exception as error:
            traceback.print_exc()
            answers[name] = {"error": describe(error)}
    print(json.dumps(answers | {"version": getattr(client, "version", None)}))


def write_rows(rows: Sequence[Sequence[Any]], path: str) -> int:
    """Write a CSV file; return the number of rows."""
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return len(rows)


def fetch(address: str, sql: str) -> Sequence[Sequence[Any]]:
    """Read rows with the plainest client of a warehouse, for clients that only build tables."""
    if address.startswith("postgres"):
        import psycopg2

        with psycopg2.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
    import duckdb

    with duckdb.connect(address, read_only=True) as connection:
        return connection.execute(sql).fetchall()


class Builder:
    """A client that builds a table ``task_NAME`` per query in a schema; another client reads it."""

    address: str
    schema = "analytics"

    def query(self, sql: str) -> Sequence[Sequence[Any]]:
        name = next(name for name, text in QUERIES.items() if text == sql)
        return fetch(self.address, f"SELECT * FROM {self.schema}.task_{name}")

    def export(self, sql: str, path: str) -> int:
        return write_rows(self.query(sql), path)


def count_rows(path: str) -> int:
    """The number of rows in a CSV file, without the header."""
    with Path(path).open(newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def describe(error: Exception) -> str:
    """Describe an error in one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:160]


def plain(value: Any) -> Any:
    """Convert a value to JSON, with its kind where JSON has no such type."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return None if value != value else {"float": value}
    if isinstance(value, Decimal):
        return {"decimal": format(value, "f")}
    if isinstance(value, datetime):
        return value.isoformat() if value.time().isoformat() != "00:00:00" else str(value.date())
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):  # A numpy number.
        return plain(value.item())
    if type(value).__name__ in {"NaTType", "NAType"}:
        return None
    if hasattr(value, "isoformat"):
        return plain(str(value))
    return [plain(each) for each in value]
