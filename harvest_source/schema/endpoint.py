"""
The types of the endpoint table: what one row says about a list that Harvest serves.

If a row needs an ``if`` anywhere else, :class:`Endpoint` lacks a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harvest_source.schema.columns import Child, Column, Record, bigint, date

FROM_DATE: Final = "from_date"
TO_DATE: Final = "to_date"
"""First and last day that a row of a report covers. Harvest's parameters are ``from`` and ``to``,
which DuckDB and PostgreSQL reserve: as columns they would have to be quoted in every query."""


class ReadStrategy(StrEnum):
    """How a table is read."""

    CHANGES = "changes"
    """By ``updated_since``."""
    WHOLE = "whole"
    """All rows, replacing the account's."""
    CHILDREN = "children"
    """One list per parent, replacing the parent's rows."""
    WINDOWS = "windows"
    """A report of one calendar year, replacing that year's rows."""
    SNAPSHOT = "snapshot"
    """A report without dates, replacing the day's rows."""


@dataclass(frozen=True, slots=True)
class NoChildren:
    """
    When a record itself shows that it has no children. All conditions must hold.

    Only a first read relies on it, when no child is loaded yet. Later reads ask every parent on the
    schedule, so a rule that is wrong for some parent delays its children but loses none.
    """

    equal: tuple[tuple[str, str], ...] = ()
    """Pairs of columns with the same value."""
    value: tuple[tuple[str, str], ...] = ()
    """Columns and the text that they must hold."""
    null: tuple[str, ...] = ()
    """Columns without a value."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the rule looks at."""
        return (*(name for pair in self.equal for name in pair), *dict(self.value), *self.null)


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent that a child list belongs to."""

    endpoint: str
    key: str
    """The column with the parent's id, which the records lack."""
    having: tuple[str, str] | None = None
    """An array of the parent, and the value in it without which the parent has no such list."""
    none_if: NoChildren | None = None
    """When a parent certainly has no children; None: no column shows that."""
    at_first: float = 1.0
    """
    Share of the parents, the newest ones, whose lists a read of all history asks for.

    The scheduled sweep asks for the others, some per run.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the parent that decide whether its children are read."""
        rule = () if self.none_if is None else self.none_if.columns
        return ("id", "updated_at", *([self.having[0]] if self.having else []), *rule)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is drawn from."""

    dated_by: tuple[str, ...]
    """The lists whose dates it covers. All but the first may be switched off, or hidden."""
    is_snapshot: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that holds the ``id`` of another table's row. For diagrams; never enforced."""

    table: str
    column: str
    to: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list (or single object) that Harvest serves, and the table it becomes."""

    name: str
    """Table name: Harvest's own word."""
    record: Record
    docs: str
    """Page of Harvest's API reference."""
    permission: str
    """Who may read it, as documented."""
    path: str = ""
    """Relative to the API's base; empty means *name*."""
    single: bool = False
    """One object without an envelope, not a list."""
    primary_key: tuple[str, ...] = ("id",)
    """Columns beside ``account_id``; empty when the account has one row."""
    cursor: str | None = "updated_at"
    """The column ``updated_since`` compares. None: no such parameter, read whole every time."""
    window: str | None = None
    """The date column that ``from``/``to`` filter. None: no such parameters."""
    cut_by: str | None = None
    """The id column that can split a single day; its parameter has one underscore fewer."""
    by_id: bool = True
    """Whether Harvest serves one record by its id, below the list's path."""
    module: str | None = None
    """The flag of ``company`` that switches this off."""
    envelope: str = ""
    """The key that holds the rows; empty means *name*."""
    parent: Parent | None = None
    report: Report | None = None
    fill: tuple[tuple[str, str], ...] = ()
    """Key columns that Harvest hides from some roles, and the value to put there."""
    absent: tuple[int, ...] = ()
    """Statuses that mean a parent is gone, or has no such list."""
    volatile: tuple[str, str] | None = None
    """A filter for rows that change without a new ``updated_at``: read again every run."""
    is_personal: bool = False
    """Everyone sees all of it: it is about the person whose token asks."""
    in_part: bool = False
    """What is shown below a parent depends on the role; other lists show all, or give a 403."""
    default: bool = True
    """False: read only when asked for by name."""

    @property
    def strategy(self) -> ReadStrategy:
        """How it is read."""
        if self.parent is not None:
            return ReadStrategy.CHILDREN
        if self.report is not None:
            return ReadStrategy.SNAPSHOT if self.report.is_snapshot else ReadStrategy.WINDOWS
        return ReadStrategy.CHANGES if self.cursor else ReadStrategy.WHOLE

    @property
    def is_read_last(self) -> bool:
        """Whether it is read after the account's other tables: it takes a request per parent."""
        return self.parent is not None

    @property
    def parent_table(self) -> str:
        """The table of its parents; empty where it has none."""
        return "" if self.parent is None else self.parent.endpoint

    @property
    def may_have_history(self) -> bool:
        """Whether its rows are things that are named and renamed, not dated by themselves."""
        return self.strategy is ReadStrategy.CHANGES and self.window is None

    @property
    def injected(self) -> tuple[Column, ...]:
        """Columns that the records lack and the request knows."""
        if self.parent is not None:
            listed = self.parent.endpoint
            return (bigint(self.parent.key, f"Id of the row's parent in {listed}", of=listed),)
        if self.strategy is ReadStrategy.SNAPSHOT:
            return (date("snapshot_date", "Day on which the report was read, UTC"),)
        if self.strategy is ReadStrategy.WINDOWS:
            return (
                date(FROM_DATE, "First day the report covers"),
                date(TO_DATE, "Last day the report covers"),
            )
        return ()

    @property
    def earlier_names(self) -> Mapping[str, str]:
        """By the name that a column had in an earlier version, its name today."""
        return {"from": FROM_DATE, "to": TO_DATE} if self.strategy is ReadStrategy.WINDOWS else {}

    @property
    def sublist_columns(self) -> tuple[str, ...]:
        """Columns whose rows are read together and replaced together, beside ``account_id``."""
        return tuple(column.name for column in self.injected)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column but ``account_id``: what the request knows, then the record's."""
        return (*self.injected, *self.record.columns)

    @property
    def list_path(self) -> str:
        """Path to request, relative to the API's base."""
        return self.path or self.name

    @property
    def needs_company(self) -> bool:
        """Whether ``company`` has to be asked: for its row, or to know if the module is on."""
        return self.single or self.module is not None

    @property
    def envelope_key(self) -> str | None:
        """The key that holds the rows; None for a single object."""
        return None if self.single else self.envelope or self.name

    @property
    def key(self) -> tuple[str, ...]:
        """The whole primary key: Harvest does not promise that ids are unique across accounts."""
        return ("account_id", *self.primary_key)

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the columns of this table and its child tables refer to."""
        columns = [(self.name, column) for column in self.columns]
        for child in self.record.children:
            table = f"{self.name}__{child.name}"
            columns += [(table, column) for column in self.child_columns(child)]
        return tuple(Reference(table, c.name, c.of) for table, c in columns if c.of)

    @property
    def parent_keys(self) -> dict[str, Column]:
        """
        By each column of the primary key, the column of child rows that repeats it.

        The parent's id is named after the parent: ``invoice_id`` in ``invoices__line_items``.
        """
        columns = {column.name: column for column in self.columns}
        # Where an id is unique below its parent only, it refers to no single row.
        of = self.name if self.primary_key == ("id",) else ""
        columns["id"] = bigint(self.id_column, f"Id of the row's parent in {self.name}", of=of)
        return {name: columns[name] for name in self.primary_key}

    @property
    def id_column(self) -> str:
        """Name of a column that holds the id of one of these rows: ``invoice_id``."""
        return f"{self.name.removesuffix('s')}_id"

    def child_columns(self, child: Child) -> tuple[Column, ...]:
        """Every column of a child table but ``account_id`` and dlt's: the parent's key first."""
        return (*self.parent_keys.values(), *child.columns)

    @property
    def child_tables(self) -> tuple[str, ...]:
        """Names of the child tables, one for each array."""
        return tuple(f"{self.name}__{child.name}" for child in self.record.children)
