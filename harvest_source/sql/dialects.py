"""What SQL dialects spell differently, by the dialect names of sqlglot that dlt gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One family of destinations.

    Attributes:
        update: Form of a statement that changes rows.
        table_comment: Form of a statement that describes a table; empty: there is none.
        column_comment: The same for a column. Empty also where dlt writes it with the column.
        escapes: Backslashes escape in texts, and are doubled.
        quote: A quote inside a text.
        is_typed: The driver reads and takes Python's types, tried. Otherwise
            :mod:`harvest_source.sql.values` converts what it gives.
        instants: How parameters are written that are instants: ``aware``, ``naive`` (in UTC) or
            ``text``.
        many: Statements that may be sent at once, separated by semicolons.
        digest: Form of a number that differs where one of the columns does; empty: none that is
            compared with those of pages.
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
        A text where no parameter can stand.

        dlt's ``escape_literal`` writes ``E'...'`` for DuckDB, which takes that in COMMENT without
        its escapes.
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
    # A mutation, and waited for: by default ClickHouse carries it out some time later. dlt's client
    # sets that for DELETE alone.
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
    """The dialect that sqlglot calls *name*; standard SQL without comments if it is not known."""
    return DIALECTS.get(name or "", Dialect(name or ""))
