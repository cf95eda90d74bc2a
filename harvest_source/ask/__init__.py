"""
Answers from the warehouse, read-only: records, sums and guarded SQL, for people and programs.

Every function returns an :class:`~harvest_source.ask.answers.Answer`::

    from harvest_source import ask

    ask.list_records("invoices", where=["state=open"], order=["-issue_date"])
    ask.sum_time(["client", "month"], start="2026-01-01")
    ask.query("SELECT COUNT(*) FROM time_entries")

Reads DuckDB warehouses only, and sends Harvest no request. Each statement runs in a process of its
own, which can open that one file and nothing else.
"""

from harvest_source.ask.answers import Answer
from harvest_source.ask.records import (
    describe_table,
    find,
    get_record,
    list_records,
    list_tables,
    query,
    sum_time,
)
from harvest_source.ask.runner import Limits, QueryFailed, Runner
from harvest_source.ask.statement_guard import StatementRefused

__all__ = [
    "Answer",
    "Limits",
    "QueryFailed",
    "Runner",
    "StatementRefused",
    "describe_table",
    "find",
    "get_record",
    "list_records",
    "list_tables",
    "query",
    "sum_time",
]
