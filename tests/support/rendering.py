"""Every statement of ours, checked by the grammar of its dialect, without a server."""

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
    """Names spelled by dlt's capabilities of a destination, without its driver."""

    capabilities: Any

    def table(self, name: str) -> str:
        return f"{self._quote('harvest')}.{self._quote(find_table(schema(), name))}"

    def column(self, name: str) -> str:
        return self._quote(name)

    def _quote(self, name: str) -> str:
        return str(self.capabilities.escape_identifier(self.capabilities.casefold_identifier(name)))


def parse(text: str, dialect: str) -> None:
    """Parse a statement, which must succeed; numbers replace its parameters."""
    for tree in sqlglot.parse(text.replace("%s", "1"), dialect=dialect):
        if tree is None:
            continue
        if isinstance(tree, exp.Command):
            assert any(dialect == known and f" {words}" in text for known, words in UNPARSED), (
                f"no grammar for it: {text}"
            )


def iter_rendered(warehouse: Warehouse, statement: Statement) -> Iterator[Rendered]:
    """
    The texts of *statement* in the dialect of *warehouse*, with their parameters.

    Raises:
        sqlglot.ParseError: A text is not a statement of the dialect.
    """
    names = CapabilityNames(warehouse.build().capabilities())
    for text, values in statement.render(names, find_dialect(warehouse.dialect)):
        parse(text, warehouse.dialect)
        yield text, values
