"""Every statement of ours as the grammar of a dialect has it, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import dlt
import sqlglot
from sqlglot import exp

from harvest_source.dlt_internals import find_table
from harvest_source.sql.conditions import Rendered
from harvest_source.sql.dialects import find_dialect
from tests.support.statement_catalogue import Statement
from tests.support.warehouses import Warehouse, build_schema

UNPARSED = {
    # sqlglot has no grammar for it and keeps the text; ClickHouse documents it.
    ("clickhouse", "MODIFY COMMENT"),
    ("clickhouse", "COMMENT COLUMN"),
    ("clickhouse", "UPDATE"),
}


@cache
def schema() -> dlt.Schema:
    return build_schema()


@dataclass(frozen=True)
class CapabilityNames:
    """Names as dlt's capabilities of a destination spell them, without its driver."""

    capabilities: Any

    def table(self, name: str) -> str:
        return f"{self._quote('harvest')}.{self._quote(find_table(schema(), name))}"

    def column(self, name: str) -> str:
        return self._quote(name)

    def _quote(self, name: str) -> str:
        return str(self.capabilities.escape_identifier(self.capabilities.casefold_identifier(name)))


def parse(text: str, dialect: str) -> None:
    """A statement must parse; its parameters stand as numbers."""
    for tree in sqlglot.parse(text.replace("%s", "1"), dialect=dialect):
        if tree is None:
            continue
        if isinstance(tree, exp.Command):
            assert any(dialect == known and f" {words}" in text for known, words in UNPARSED), (
                f"no grammar for it: {text}"
            )


def iter_rendered(warehouse: Warehouse, statement: Statement) -> Iterator[Rendered]:
    """
    The texts of *statement* as the dialect of *warehouse* has them, with their parameters.

    Raises:
        sqlglot.ParseError: One is none of its statements.
    """
    names = CapabilityNames(warehouse.build().capabilities())
    for text, values in statement.render(names, find_dialect(warehouse.dialect)):
        parse(text, warehouse.dialect)
        yield text, values
