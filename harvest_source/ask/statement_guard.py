"""
Checks that a statement only reads tables that the caller may read.

It examines the tree that DuckDB's own parser makes of the text (``json_serialize_sql``), never the
text. Anything unknown is refused: node types, functions and tables have allow lists. The keys of
nodes that reach beyond the query, tables and table functions, are checked as well, so that a new
clause of a later DuckDB does not slip through.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harvest_source.ask.functions import ALLOWED, TABLE_FUNCTIONS
from harvest_source.errors import ConfigError

Node = Mapping[str, Any]


class StatementRefused(ConfigError):
    """The statement was not run; the message says which part is refused and what to do instead."""


EXPRESSIONS: Final = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "LAMBDA_REF",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    }
)
"""Allowed classes of expressions. ``PARAMETER`` and ``DEFAULT`` are deliberately missing."""

NODES: Final = frozenset(
    {
        # Queries.
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "RECURSIVE_CTE_NODE",
        "CTE_NODE",
        # Items of FROM.
        "BASE_TABLE",
        "EMPTY",
        "EXPRESSION_LIST",
        "JOIN",
        "PIVOT",
        "SHOW_REF",
        "SUBQUERY",
        "TABLE_FUNCTION",
        # Modifiers at the end of a query.
        "DISTINCT_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "ORDER_MODIFIER",
        # Directions of a sort: DuckDB calls their field "type" too.
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
    }
)

_LOWERED: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TYPE_INFO: Final = "_TYPE_INFO"
"""Suffix of the kinds of nodes that describe a type, such as the width of a decimal."""
_EVERYWHERE: Final = frozenset(
    {"type", "alias", "sample", "query_location", "query_location_length"}
)
_NAMES: Final = frozenset({"catalog_name", "schema_name", "table_name", "qualified_name"})
_TABLE_KEYS: Final = _EVERYWHERE | _NAMES | {"column_name_alias", "at_clause"}
_TABLE_FUNCTION_KEYS: Final = _EVERYWHERE | {"function", "column_name_alias", "with_ordinality"}
_SHOW_KEYS: Final = _EVERYWHERE | _NAMES | {"query", "show_type"}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view, named as in the catalog."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Readable:
    """
    What a query may read.

    Attributes:
        catalog: Name of the database; a query may put it before a schema.
        schemas: Where unqualified names are looked up, first match first.
        relations: Tables and views; anything else does not exist for the caller.
        own_functions: Macros that people made in the database, in lower case. They may not be
            called, even if they have an allowed name.
    """

    catalog: str
    schemas: tuple[str, ...]
    relations: frozenset[Relation]
    own_functions: frozenset[str] = frozenset()

    def find(self, catalog: str, schema: str, name: str) -> Relation | None:
        """Find the relation that the names mean; None: there is none that the caller may read."""
        if catalog and _fold(catalog) != _fold(self.catalog):
            return None
        known = {(_fold(each.schema), _fold(each.name)): each for each in self.relations}
        for candidate in (schema,) if schema else self.schemas:
            if found := known.get((_fold(candidate), _fold(name))):
                return found
        return None


@dataclass(slots=True)
class _Walk:
    readable: Readable
    relations: set[Relation] = field(default_factory=set)

    def visit(self, value: Any, names: frozenset[str]) -> None:
        """
        Check everything below *value*.

        Args:
            names: Names of common table expressions visible here, as :func:`_fold` writes them.
        """
        if isinstance(value, list):
            for each in value:
                self.visit(each, names)
        elif isinstance(value, dict):
            self._visit_node(value, names)

    def _visit_node(self, node: Node, names: frozenset[str]) -> None:
        if "class" in node:
            self._check_expression(node)
        elif isinstance(node.get("type"), str):
            names = self._check_node(node, names)
        if node.get("type") == "RECURSIVE_CTE_NODE":
            # Only the repeated part sees the rows so far. Elsewhere, DuckDB takes the name for a
            # table, and without one for a view of its own, such as duckdb_tables.
            self.visit(node["right"], names | {_fold(str(node["cte_name"]))})
            node = {key: each for key, each in node.items() if key != "right"}
        self.visit([each for key, each in node.items() if key != "cte_map"], names)

    def _check_expression(self, node: Node) -> None:
        kind = node["class"]
        if kind == "PARAMETER":
            raise StatementRefused("A query has no parameters here. Write the values into it.")
        if kind not in EXPRESSIONS:
            raise StatementRefused(f"A query may not use {_printable(kind)} here.")
        if kind in ("FUNCTION", "WINDOW"):
            self._check_function(node, ALLOWED)

    def _check_node(self, node: Node, names: frozenset[str]) -> frozenset[str]:
        """Check a query, table or modifier; return the names of CTEs visible below it."""
        kind = node["type"]
        if kind not in NODES and not kind.endswith(_TYPE_INFO):
            raise StatementRefused(f"A query may not use {_printable(kind)} here.")
        if kind == "BASE_TABLE":
            self._check_table(node, names)
        elif kind == "TABLE_FUNCTION":
            _check_keys(node, _TABLE_FUNCTION_KEYS)
            self._check_function(node["function"], TABLE_FUNCTIONS)
        elif kind == "SHOW_REF":
            _check_keys(node, _SHOW_KEYS)
            if node.get("query") is None:
                raise StatementRefused(
                    "SHOW is not available here. List tables with list_tables, or ask for one: "
                    "DESCRIBE time_entries"
                )
        return self._visit_ctes(node, names)

    def _visit_ctes(self, node: Node, names: frozenset[str]) -> frozenset[str]:
        """Check the node's common table expressions; each can refer to the earlier ones."""
        for entry in (node.get("cte_map") or {}).get("map", ()):
            self.visit(entry["value"], names)
            names = names | {_fold(entry["key"])}
        return names

    def _check_table(self, node: Node, names: frozenset[str]) -> None:
        _check_keys(node, _TABLE_KEYS)
        catalog, schema, name = _read_names(node)
        if node.get("at_clause") is not None:
            raise StatementRefused("A query may not read earlier versions of a table here.")
        if not catalog and not schema and _fold(name) in names:
            return
        found = self.readable.find(catalog, schema, name)
        if found is None:
            called = ".".join(each for each in (catalog, schema, name) if each)
            raise StatementRefused(f"There is no table {_printable(called)} here.")
        self.relations.add(found)

    def _check_function(self, node: Node, allowed: frozenset[str]) -> None:
        name = str(node["function_name"]).lower()
        path = [str(each) for each in (node.get("qualified_name") or {}).get("path", ())]
        before = [*path[:-1], node.get("catalog") or "", node.get("schema") or ""]
        # DuckDB itself prefixes main to the functions behind its special syntax.
        is_ours = all(each.lower() in ("", "main") for each in before)
        if not is_ours or name not in allowed or name in self.readable.own_functions:
            raise StatementRefused(f"A query may not call {_printable(name)}() here.")


def check_statement(tree: Node, readable: Readable) -> frozenset[Relation]:
    """
    Check a statement, and return the tables and views that it reads.

    Args:
        tree: The output of ``json_serialize_sql`` for one statement.

    Raises:
        StatementRefused: It is not a single SELECT, or reads or calls something not allowed.
    """
    statements = tree.get("statements", ())
    if tree.get("error") or len(statements) != 1:
        raise StatementRefused(
            "Exactly one SELECT is run here. PIVOT needs its values: PIVOT t ON x IN (...)"
        )
    walk = _Walk(readable)
    walk.visit(statements[0]["node"], frozenset())
    return frozenset(walk.relations)


def _fold(name: str) -> str:
    """
    Lower the letters A to Z, as DuckDB does to compare names.

    ``str.lower`` would also turn the Kelvin sign into k, which DuckDB holds for another name.
    """
    return name.translate(_LOWERED)


def _read_names(node: Node) -> tuple[str, str, str]:
    """Return catalog, schema and table as written; DuckDB 2 repeats them as a path."""
    names = (node["catalog_name"] or "", node["schema_name"] or "", node["table_name"])
    path = (node.get("qualified_name") or {}).get("path")
    if path is not None and [each for each in names if each] != [each for each in path if each]:
        raise StatementRefused("A query may not name a table in that way here.")
    return names


def _check_keys(node: Node, known: Iterable[str]) -> None:
    unknown = sorted(set(node) - set(known))
    if unknown:
        raise StatementRefused(f"A query may not use {_printable(unknown[0])} here.")


def _printable(text: str) -> str:
    """Shorten a part of a query to one printable line, for an error message."""
    return "".join(each if each.isprintable() else "?" for each in str(text)[:80])
