"""What SQL dialects spell differently, by the sqlglot dialect names that dlt reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One family of destinations.

    Attributes:
        update: Template of a statement that changes rows.
        table_comment: Template of a statement that describes a table; empty if there is none.
        column_comment: The same for a column. Also empty if dlt writes the comment with the column.
        escapes: Whether a backslash in a text is an escape character and has to be doubled.
        quote: How a quote inside a text is written.
        is_typed: Whether the driver is known to return and accept Python's types. Otherwise
            :mod:`harvest_source.sql.values` converts the values.
        instants: How parameters that are instants are written: ``aware``, ``naive`` (in UTC) or
            ``text``.
        many: Whether several statements may be sent at once, separated by semicolons.
        digest: Template of a number that differs if one of the columns differs; empty if the
            destination has none that is comparable with the digests of pages.
    """

    name: str
    update: str = "UPDATE {table} SET {changes} WHERE {condition}"
    delete: str = "DELETE FROM {table} WHERE {condition}"
    table_comment: str = ""
    column_comment: str = ""
    escapes: bool = False
    quote: str = "''"
    is_typed: bool = False
    instants: str = "aware"
    many: bool = False
    digest: str = ""

    def quote_text(self, text: str) -> str:
        """
        Quote a text for a place where no parameter is allowed.

        dlt's ``escape_literal`` writes ``E'...'`` for DuckDB, which accepts that in COMMENT but
        does not interpret its escapes.
        """
        if self.escapes:
            text = text.replace("\\", "\\\\")
        return "'" + text.replace("'", self.quote) + "'"


_ON_TABLE: Final = "COMMENT ON TABLE {table} IS {text}"
_ON_COLUMN: Final = "COMMENT ON COLUMN {table}.{column} IS {text}"

_FAMILIES: Final = (
    Dialect(
        "duckdb",
        table_comment=_ON_TABLE,
        column_comment=_ON_COLUMN,
        is_typed=True,
        many=True,
        digest="hash({columns})",
    ),
    Dialect(
        "postgres",
        table_comment=_ON_TABLE,
        column_comment=_ON_COLUMN,
        is_typed=True,
        many=True,
    ),
    Dialect("redshift", table_comment=_ON_TABLE, column_comment=_ON_COLUMN, escapes=True),
    Dialect("snowflake", table_comment=_ON_TABLE, column_comment=_ON_COLUMN, escapes=True),
    # dlt writes the descriptions of columns with the columns, here and in Databricks.
    Dialect(
        "bigquery",
        table_comment="ALTER TABLE {table} SET OPTIONS (description = {text})",
        escapes=True,
        quote="\\'",
    ),
    Dialect("databricks", table_comment=_ON_TABLE, escapes=True, quote="\\'"),
    # Waits until the mutation is done: by default ClickHouse executes it some time later. dlt's
    # client waits for DELETE only.
    Dialect(
        "clickhouse",
        update=(
            "ALTER TABLE {table} UPDATE {changes} WHERE {condition} SETTINGS mutations_sync = 2"
        ),
        table_comment="ALTER TABLE {table} MODIFY COMMENT {text}",
        column_comment="ALTER TABLE {table} COMMENT COLUMN {column} {text}",
        escapes=True,
    ),
    # A column's comment needs the whole definition of the column there.
    Dialect(
        "mysql",
        table_comment="ALTER TABLE {table} COMMENT = {text}",
        escapes=True,
        instants="naive",
    ),
    Dialect("sqlite", instants="text"),
    Dialect("tsql", instants="naive"),
    Dialect("athena", instants="naive"),
    Dialect("dremio", instants="naive"),
)

DIALECTS: Final[Mapping[str, Dialect]] = {each.name: each for each in _FAMILIES}


def find_dialect(name: str | None) -> Dialect:
    """Find the dialect that sqlglot calls *name*; if unknown, standard SQL without comments."""
    return DIALECTS.get(name or "", Dialect(name or ""))
