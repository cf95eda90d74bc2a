"""What the dbt package's generated files say: sources and staging views, from the declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from harvest_source.load import own_tables
from harvest_source.load.history import VALID_FROM, VALID_TO
from harvest_source.schema.columns import ACCOUNT_ID, SEPARATOR, Child, Column, Type
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.schema.own_tables import DELETED_RECORDS, SYNC_RUNS, VERIFY_RUNS

PREFIX: Final = "stg_harvest__"
_IRREGULAR: Final = {"company": "company", "teammates": "teammate"}
_PERSON: Final = "name"
"""The member that names a nested person; the table of people has two columns for the name."""
_PEOPLE: Final = ("users", "users_history")
_ASSIGNMENTS: Final = frozenset({"user_assignments", "task_assignments"})
"""Entries and expenses repeat their rows as of the read; the views leave the copies out."""
_MODULES: Final = {
    "invoice_feature": "invoices",
    "expense_feature": "expenses",
    "estimate_feature": "estimates",
}
_ONE_OF: Final = re.compile(r"; one of ([\w, :-]+?)(?:$|;)")
_ACCOUNT: Final = Column(ACCOUNT_ID, Type.BIGINT, "Harvest account that the row belongs to")


def singular(table: str) -> str:
    """The name of one row of a table."""
    if table.endswith("ies"):
        return f"{table[:-3]}y"
    return _IRREGULAR.get(table, table.removesuffix("s"))


@dataclass(frozen=True, slots=True)
class Source:
    """
    One table that a sync loads.

    Attributes:
        own_id: The view's name for the column ``id``; empty if the table has none.
        key: Columns that identify a row, by their names in the table.
        module: The Harvest module without which the table is empty.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    own_id: str = ""
    key: tuple[str, ...] = ()
    module: str | None = None
    is_default: bool = True

    @property
    def view(self) -> str:
        """Name of the staging view."""
        return f"{PREFIX}{self.name}"

    def alias(self, column: Column) -> str:
        """The view's name for a column."""
        if column.name == "id" and self.own_id:
            return self.own_id
        if column.name == "value":
            last = self.name.rpartition(SEPARATOR)[2]
            return f"{singular(column.of)}_id" if column.of else singular(last)
        name = column.name.replace(SEPARATOR, "_")
        return f"{name}_hours" if column.in_seconds else name


@dataclass(frozen=True)
class View:
    """The staging view of one table."""

    source: Source

    @cached_property
    def kept(self) -> tuple[Column, ...]:
        """The table's columns that the view has."""
        return tuple(each for each in self.source.columns if not self._is_left_out(each))

    @cached_property
    def references(self) -> Mapping[str, str]:
        """By the name of a nested object, the table that owns it: ``client`` to ``clients``."""
        return {
            column.name.removesuffix(f"{SEPARATOR}id"): column.of
            for column in self.source.columns
            if column.of and column.name.endswith(f"{SEPARATOR}id")
        }

    def _is_left_out(self, column: Column) -> bool:
        prefix, _, member = column.name.rpartition(SEPARATOR)
        return member != "id" and self.references.get(prefix) in _ASSIGNMENTS

    def owner(self, column: Column) -> tuple[str, str] | None:
        """Table and column that own a nested object's repeated value; None if there is none."""
        prefix, _, member = column.name.rpartition(SEPARATOR)
        table = self.references.get(prefix, "")
        if member == "id" or not table:
            return None
        if table == "users" and member == _PERSON:
            return table, _PERSON
        return (table, member) if member in BY_NAME[table].record.names else None

    def build_sql(self) -> str:
        """Build the text of the view's file."""
        source = self.source
        module = f", '{source.module}'" if source.module else ""
        lines = ["-- Generated from the declarations: python -m tests.docs.generate"]
        if not source.is_default:
            lines += [
                f"{{{{ config(enabled='{source.name}' in var('harvest_optional_tables', [])) }}}}"
            ]
        lines += [f"{{%- set found = harvest_source.find_columns('{source.name}'{module}) %}}", ""]
        owned = {each.name: owner for each in self.kept if (owner := self.owner(each))}
        rows = [self._build_column(each) for each in self.kept]
        if source.name in _PEOPLE:
            rows.append("{{ harvest_source.person_name(found) }}")
        body = [
            *_indent(",\n".join(rows)),
            f"from {{{{ harvest_source.table_rows('{source.name}', found) }}}}",
        ]
        if not owned:
            return "\n".join([*lines, "select", *body, ""])
        lines += ["with records as (", *("  " + line for line in ("select", *body)), ")", ""]
        lines += ["select", *_indent(",\n".join(self._build_joined(owned)))]
        return "\n".join([*lines, "from records", *self._build_joins(owned), ""])

    def _build_column(self, column: Column) -> str:
        alias = self.source.alias(column)
        kind = "seconds" if column.in_seconds else str(column.type)
        extra = [f"'{alias}'"] if alias != column.name else []
        if column.type is Type.DECIMAL and column.places != 4:
            extra = [*(extra or ["none"]), f"places={column.places}"]
        arguments = ", ".join(["found", f"'{column.name}'", f"'{kind}'", *extra])
        return f"{{{{ harvest_source.column({arguments}) }}}}"

    def _build_joined(self, owned: Mapping[str, tuple[str, str]]) -> list[str]:
        lines = []
        for column in self.kept:
            alias = self.source.alias(column)
            if column.name not in owned:
                lines.append(f"records.{alias}")
                continue
            prefix = column.name.rpartition(SEPARATOR)[0]
            theirs = _alias_of(*owned[column.name])
            lines.append(f"coalesce({prefix}_row.{theirs}, records.{alias}) as {alias}")
        return lines

    def _build_joins(self, owned: Mapping[str, tuple[str, str]]) -> list[str]:
        lines = []
        prefixes = dict.fromkeys(name.rpartition(SEPARATOR)[0] for name in owned)
        for prefix in prefixes:
            table = self.references[prefix]
            key = f"{singular(table)}_id"
            lines += [
                f"left join {{{{ harvest_source.view_of('{PREFIX}{table}') }}}} as {prefix}_row",
                f"  on {prefix}_row.account_id = records.account_id and {prefix}_row.{key} = "
                f"records.{prefix}_id",
            ]
        return lines

    def build_properties(self) -> dict[str, object]:
        """Build the view's entry in the file of properties."""
        source = self.source
        columns = [
            {"name": source.alias(each), "description": _describe(each, self.owner(each))}
            for each in self.kept
        ]
        if source.name in _PEOPLE:
            columns.append({"name": "user_name", "description": "First and last name"})
        tests: list[object] = []
        if source.key:
            by_name = {each.name: each for each in source.columns}
            key = [source.alias(by_name[name]) for name in source.key]
            grain = {"name": f"{source.view}__grain", "arguments": {"columns": key}}
            tests.append({"unique_grain": grain})
        if references := self._list_references():
            tests.append(
                {
                    "refers_to": {
                        "name": f"{source.view}__references",
                        "arguments": {"references": references},
                        "config": {"severity": "warn"},
                    }
                }
            )
        for column, entry in zip(self.kept, columns, strict=False):
            if column.type is Type.TEXT and (found := _ONE_OF.search(column.description)):
                accepted = {
                    "name": f"{source.view}__{entry['name']}__values",
                    "arguments": {"values": found[1].split(", ")},
                    "config": {"severity": "warn"},  # Harvest may add one.
                }
                entry["data_tests"] = [{"accepted_values": accepted}]  # type: ignore[assignment]
        properties: dict[str, object] = {"name": source.view, "description": source.description}
        if tests:
            properties["data_tests"] = tests
        return {**properties, "columns": columns}

    def _list_references(self) -> dict[str, dict[str, str]]:
        found = {}
        for column in self.kept:
            if column.of and BY_NAME[column.of].default and self.source.is_default:
                parent = {"model": f"{PREFIX}{column.of}", "column": f"{singular(column.of)}_id"}
                if module := SOURCES_BY_NAME[column.of].module:
                    parent["module"] = module
                found[self.source.alias(column)] = parent
        return found


def _alias_of(table: str, member: str) -> str:
    if table == "users" and member == _PERSON:
        return "user_name"
    owner = SOURCES_BY_NAME[table]
    column = next(each for each in owner.columns if each.name == member)
    return owner.alias(column)


def _describe(column: Column, owner: tuple[str, str] | None) -> str:
    text = column.description.replace("; null where the role may not see it", "")
    if owner is not None:
        text = re.sub(r":? ?display name at read time", ": display name", text)
        return f"{text}, as {owner[0]} has it now"
    if column.in_seconds:
        return "Hours per week"
    if column.type is Type.TIMESTAMP:
        return f"{text.removesuffix(', UTC')}, UTC"
    return text


def _indent(text: str) -> list[str]:
    return [f"  {line}" for line in text.split("\n")]


def _read_endpoint(endpoint: Endpoint) -> Iterable[Source]:
    module = _MODULES[endpoint.module] if endpoint.module else None
    columns = tuple(each for each in endpoint.columns if not each.secret)
    is_report = endpoint.strategy in (ReadStrategy.WINDOWS, ReadStrategy.SNAPSHOT)
    own_id = "" if is_report or endpoint.single else f"{singular(endpoint.name)}_id"
    yield Source(
        endpoint.name,
        f"Harvest's {endpoint.name}, one row for each.",
        (_ACCOUNT, *columns),
        own_id=own_id,
        key=endpoint.key,
        module=module,
        is_default=endpoint.default,
    )
    for child in endpoint.record.children:
        yield _read_child(endpoint, child, module)


def _read_child(endpoint: Endpoint, child: Child, module: str | None) -> Source:
    columns = (_ACCOUNT, *endpoint.child_columns(child))
    names = [column.name for column in child.columns]
    key: tuple[str, ...] = ()
    if "id" in names or "value" in names:
        parent = (column.name for column in endpoint.parent_keys.values())
        key = (ACCOUNT_ID, *parent, "id" if "id" in names else "value")
    return Source(
        f"{endpoint.name}{SEPARATOR}{child.name}",
        f"{child.description}, of Harvest's {endpoint.name}.",
        columns,
        own_id=f"{singular(child.name)}_id" if "id" in names else "",
        key=key,
        module=module,
        is_default=endpoint.default,
    )


def _read_own(name: str, description: str) -> Source:
    columns = tuple(
        Column(column, Type(str(hint["data_type"])), OWN_COLUMNS[column])
        for column, hint in own_tables.COLUMNS[name].items()
        if not column.startswith("_dlt")
    )
    key = tuple(c for c, hint in own_tables.COLUMNS[name].items() if hint.get("primary_key"))
    key = key if not key[0].startswith("_dlt") else ()
    return Source(name, description, columns, own_id=f"{singular(name)}_id" if key else "", key=key)


OWN_COLUMNS: Final = {
    "id": "Id",
    "started_at": "When the run began",
    "ended_at": "When the run ended",
    "status": "ok, partial or error; of a verification also differs",
    "account_ids": "Accounts of the run, with commas between",
    "tables": "Rows read and deleted, by table and account, as JSON",
    "errors": "What failed, as JSON",
    "requests": "Requests sent to Harvest",
    "version": "Version of harvest-source",
    "rows_deleted": "Rows removed because Harvest deleted them",
    "rows_lost": "Rows that were missing here and were read again",
    "rows_reread": "Rows read again by the audit",
    "rows_corrected": "Rows that the audit found changed without a new updated_at",
    "oldest_read_at": "When the part of the account that was read longest ago was read",
    "compared": "Figures that were compared with Harvest's",
    "differing": "Figures that differ",
    "not_told": "Figures that differ for a known reason, which may be right",
    "checks": "Sums here and in Harvest by account, check and currency, as JSON",
    "differences": "The figures that differ, the first 1,000 of them, as JSON",
    "mended": "What differed was read again, and compared once more",
    "account_id": "Harvest account",
    "table_name": "Table that the row was in",
    "parent_id": "Id of the row's parent",
    "detected_at": "When the removal was noticed",
    "restored_at": "When the row came back",
    "record": "The row, as JSON",
}


def _history_of(source: Source) -> Source:
    validity = (
        Column(VALID_FROM, Type.TIMESTAMP, "From when this version was seen"),
        Column(VALID_TO, Type.TIMESTAMP, "Until when; null: it is valid now"),
    )
    return replace(
        source,
        name=f"{source.name}_history",
        description=f"Every version of {source.name} that a sync saw, if its history is kept.",
        columns=(*source.columns, *validity),
        key=(*source.key, VALID_FROM),
    )


def _read_all() -> list[Source]:
    sources = [each for endpoint in ENDPOINTS for each in _read_endpoint(endpoint)]
    people = next(source for source in sources if source.name == "users")
    return [
        *sources,
        _history_of(people),
        _read_own(SYNC_RUNS, "One row for each sync."),
        _read_own(VERIFY_RUNS, "One row for each verification."),
        _read_own(DELETED_RECORDS, "One row for each removal of a row."),
    ]


SOURCES: Final = tuple(_read_all())
SOURCES_BY_NAME: Final = {source.name: source for source in SOURCES}
VIEWS: Final = tuple(View(source) for source in SOURCES)
