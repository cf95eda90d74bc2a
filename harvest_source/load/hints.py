"""
dlt's hints of a table, built from its row in the endpoint table: types, keys, children, references.

Builds values only; reads nothing but the schema that dlt keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import dlt
from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns

from harvest_source.decode.coerce import PRECISION, SCALE
from harvest_source.dlt_internals import find_table
from harvest_source.errors import ConfigError
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID, SEPARATOR, Child, Column, Type
from harvest_source.schema.endpoint import Endpoint

CHILD_KEYS: Final[Mapping[str, TColumnSchema]] = {
    "_dlt_root_id": {"data_type": "text", "nullable": False, "root_key": True},
    "_dlt_parent_id": {"data_type": "text", "nullable": False, "parent_key": True},
    "_dlt_list_idx": {"data_type": "bigint", "nullable": False},
    "_dlt_id": {"data_type": "text", "nullable": False, "unique": True, "row_key": True},
}
"""dlt's own columns of a child table, declared so that the table can exist before its first row."""

_ACCOUNT: Final = Column(ACCOUNT_ID, Type.BIGINT, "Harvest account the row belongs to")


def build_hints(endpoint: Endpoint, excluded: frozenset[str] = frozenset()) -> TTableSchemaColumns:
    """Column hints of a table: types, descriptions, keys, and which version of a row wins."""
    columns = (_ACCOUNT, *endpoint.columns)
    hints = {column.name: _hint(column) for column in columns if column.name not in excluded}
    for name in endpoint.key:
        hints[name]["nullable"] = False
    if endpoint.cursor is not None:
        hints[endpoint.cursor]["dedup_sort"] = "desc"
    if not endpoint.record.children:
        # dlt adds its load id to dictionaries only; to Arrow tables we add it ourselves.
        hints[LOAD_ID] = load_id_hint()
    return hints


def build_nested_hints(endpoint: Endpoint, excluded: frozenset[str] = frozenset()) -> Any:
    """Hints of a table's child tables, by the array's name; None for a table without arrays."""
    children = [child for child in endpoint.record.children if child.name not in excluded]
    if not children:
        return None
    return {
        child.name: dlt.mark.make_nested_hints(
            columns=build_child_hints(endpoint, child),
            references=build_references(endpoint.child_columns(child)),
        )
        for child in children
    }


def build_child_hints(endpoint: Endpoint, child: Child) -> TTableSchemaColumns:
    """Column hints of one child table, dlt's keys included."""
    hints = {column.name: _hint(column) for column in (_ACCOUNT, *endpoint.child_columns(child))}
    hints.update({name: {"name": name, **hint} for name, hint in CHILD_KEYS.items()})
    return hints


def build_references(columns: Iterable[Column], excluded: frozenset[str] = frozenset()) -> Any:
    """Which column holds which table's id. For tools that draw or model the schema; unenforced."""
    return [
        {
            "referenced_table": column.of,
            "columns": [ACCOUNT_ID, column.name],
            "referenced_columns": [ACCOUNT_ID, "id"],
        }
        for column in columns
        if column.of and column.name not in excluded
    ]


def _hint(column: Column) -> TColumnSchema:
    hint = type_hint(column.name, column.type)
    hint["description"] = column.description
    return hint


def type_hint(name: str, column_type: Type) -> TColumnSchema:
    """Hint of a column's name and type."""
    hint: TColumnSchema = {"name": name, "data_type": cast(Any, str(column_type))}
    if column_type is Type.DECIMAL:
        hint |= {"precision": PRECISION, "scale": SCALE}
    return hint


def load_id_hint() -> TColumnSchema:
    """Hint of dlt's load id, for tables that travel as Arrow tables."""
    return {"name": LOAD_ID, "data_type": "text", "nullable": False}


def stored_columns(schema: dlt.Schema, table: str) -> Mapping[str, TColumnSchema]:
    """The columns of *table* in dlt's schema; none if the schema has no such table."""
    return schema.tables.get(find_table(schema, table), {"columns": {}})["columns"]


def learned_columns(schema: dlt.Schema, table: str, declared: Iterable[str]) -> dict[str, Type]:
    """Types of the columns that *table* has beyond the *declared* ones, learned by earlier runs."""
    known = {*declared, ACCOUNT_ID}
    return {
        name: Type(str(column["data_type"]))
        for name, column in stored_columns(schema, table).items()
        if name not in known
        and not name.startswith("_dlt_")
        and column.get("data_type") in Type.__members__.values()
    }


def is_declared(schema: dlt.Schema, endpoint: Endpoint, excluded: frozenset[str]) -> bool:
    """Whether dlt's *schema* has the table and its child tables with all declared columns."""
    columns = build_hints(endpoint, excluded).keys()
    children = [
        (build_child_hints(endpoint, child).keys(), f"{endpoint.name}{SEPARATOR}{child.name}")
        for child in endpoint.record.children
        if child.name not in excluded
    ]
    tables = [(columns, endpoint.name), *children]
    return all(names <= stored_columns(schema, table).keys() for names, table in tables)


def find_grown_children(schema: dlt.Schema, endpoint: Endpoint) -> dict[str, TTableSchemaColumns]:
    """
    Hints of declared columns that child tables in dlt's *schema* lack, by dlt's name of the table.

    An earlier version of this package made those tables.
    """
    grown = {}
    for child in endpoint.record.children:
        name = f"{endpoint.name}{SEPARATOR}{child.name}"
        stored = stored_columns(schema, name)
        hints = build_child_hints(endpoint, child)
        if stored and (missing := hints.keys() - stored.keys()):
            columns = {each: hints[each] for each in hints if each in missing}
            grown[find_table(schema, name)] = columns
    return grown


def refuse_earlier_names(schema: dlt.Schema, endpoint: Endpoint) -> None:
    """
    Refuse a table whose columns still have the names that an earlier version gave them.

    dlt would add today's columns beside them, and could load no row: the earlier ones are keys.

    Raises:
        ConfigError: Names the command that renames them.
    """
    earlier = sorted(endpoint.earlier_names.keys() & stored_columns(schema, endpoint.name).keys())
    if earlier:
        msg = (
            f"Columns {', '.join(earlier)} of {endpoint.name} have new names in this version. "
            "Nothing was read and nothing changed. Rename them in the warehouse, once: "
            f"harvest-source sync --table {endpoint.name}, with the names of your pipeline, "
            "destination and dataset."
        )
        raise ConfigError(msg)


def disable_type_detection() -> None:
    """
    Stop dlt from guessing types in the schema of the source that is being built.

    Our decoder has already decided on the type of text that looks like an instant.
    """
    schema = dlt.current.source_schema()
    for detection in list(schema.settings.get("detections") or ()):
        schema.remove_type_detection(detection)
