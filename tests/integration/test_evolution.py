"""
Harvest changes a field's type: no run stops, no value is lost or rounded, no column type changes.

Every value served is looked up again in the warehouse: in its column, or, as exact text, in
``<column>__v_text``; arrays in their child table, or as JSON where a table has none. Everything
else that a row holds must be null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

import pytest

from harvest_source.sandbox import Sandbox
from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS
from tests.support.lab import Lab, Row, by_id, number
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal, expected_types, shown

Shape = Callable[[Row], Row]

FINE = Decimal("0.12345678901234567890")
"""More decimal places than a column has: never rounded."""
HUGE = Decimal("123456789012345678901234567890123456789012")
TABLES = ("time_entries", "invoices", "clients")
PAGE, ROWS = 30, 45
"""A page and a half of small pages."""
LAST = 6
"""The number of the last shape."""
ACROSS = ((0,), (1,), (2, 3), (4, 5), (6, 0))
"""The shapes of each run in turn; where there are two, records alternate between them."""


def shape_of(table: str, stage: int) -> Shape:
    """How records of *table* look at a stage; stage 0 is as documented."""
    text = {"time_entries": "notes", "invoices": "subject", "clients": "name"}[table]
    gone = {"time_entries": "locked_reason", "invoices": "currency", "clients": "address"}[table]
    amount = {"time_entries": "hours", "invoices": "amount", "clients": None}[table]
    flag = {"time_entries": "is_locked", "invoices": "is_new", "clients": "is_active"}[table]

    def change(record: Row) -> Row:
        if stage == 0:
            return record
        plain = record[text]
        changed = record | {
            # Unknown fields: whole numbers, then fractions, then something that is no number.
            "bonus": (1, 2.5, "n/a", FINE, HUGE, True)[stage - 1],
            "label": ("new", 5, {"lang": "en"}, ["a"], None, "again")[stage - 1],
            "seen_at": ("2026-01-02T03:04:05Z", "soon", 0, None, {"at": 1}, "2026-01-02")[
                stage - 1
            ],
            "is_new": (True, "yes", None, 1, False, [])[stage - 1],
            "place": ({"city": "Ulm", "at": {"lat": 1}}, "Ulm", None, {"city": 7}, [1], {})[
                stage - 1
            ],
            "marks": ([1, "two"], [], [{"id": 1}], "none", [None, {"id": "x"}], [[1, 2]])[
                stage - 1
            ],
            # Known fields: an object becomes text, text an object, a flag a word.
            text: (plain, {"value": plain}, ["a", "b"], 12, FINE, True)[stage - 1],
            flag: (True, "no", 1, {"is": True}, None, 0.5)[stage - 1],
        }
        if "client" in record:
            client = record["client"]
            changed["client"] = (
                client,
                "Acme",
                client | {"id": "x1"},
                client | {"id": 1.5, "vat": "DE"},
                [client],
                None,
            )[stage - 1]
        if amount is not None:
            old = record[amount]
            changed[amount] = (str(old), "about 3", 3, FINE, HUGE, {"value": old})[stage - 1]
        if "line_items" in record:
            lines = record["line_items"]
            changed["line_items"] = (
                [line | {"quantity": str(line["quantity"]), "unit": 1} for line in lines],
                [line | {"quantity": "many", "unit": 1.5, "tags": ["a"]} for line in lines],
                [line | {"project": "none", "unit": "piece", "tags": []} for line in lines],
                [line | {"id": FINE, "tags": {"a": 1}} for line in lines],
                "none",
                [*lines, "a word", 5, None],
            )[stage - 1]
        if stage % 2:
            del changed[gone]
        return changed

    return change


class Search:
    """
    Looks for every value of one record in the rows it became.

    Attributes:
        lost: Paths of values that are missing or altered.
    """

    def __init__(self, rows: dict[str, dict[str, list[Row]]]) -> None:
        self._children = rows
        self.lost: list[str] = []

    def check(self, table: str, row: Row, record: Row) -> None:
        """Find all of *record* in *row* of *table*, which may hold nothing else."""
        used = {"account_id", *(name for name in row if name.startswith("_dlt_"))}
        root = BY_NAME.get(table.partition("__")[0])
        if root is not None and root.name != table:
            used |= {
                each.name for each in root.parent_keys.values()
            }  # test_parent_keys tests its value.
        for name, value in record.items():
            self._find(table, row, name, value, used)
        more = {n: v for n, v in row.items() if n not in used and v is not None}
        if more:
            self.lost.append(f"{table}: Harvest did not send {more}")

    def _find(self, table: str, row: Row, name: str, value: Any, used: set[str]) -> None:
        if isinstance(value, dict):
            for member, inner in value.items():
                self._find(table, row, f"{name}__{member}", inner, used)
            return
        aside = f"{name}__v_text"
        if value is None:
            return
        used |= {name, aside}
        here, there = row.get(name), row.get(aside)
        if isinstance(value, list) and here is None and there is None:
            self._find_elements(table, row, name, value)
            return
        one_place = (here is None) != (there is None)
        if not one_place or not (same(here, value) if there is None else same(there, value)):
            self.lost.append(f"{table}.{name}: {value!r} became {here!r} and {there!r}")

    def _find_elements(self, table: str, row: Row, name: str, value: list[Any]) -> None:
        child = f"{table}__{name}"
        rows = self._children.get(child, {}).get(row.get("_dlt_id", ""), [])
        rows = sorted(rows, key=lambda element: int(element["_dlt_list_idx"]))
        if len(rows) != len(value):
            self.lost.append(f"{child}: {len(value)} elements became {len(rows)}")
            return
        for element, each in zip(rows, value, strict=True):
            self.check(child, element, each if isinstance(each, dict) else {"value": each})


def same(cell: Any, value: Any) -> bool:
    """Whether *cell* has exactly the value *value*."""
    if isinstance(value, bool):
        return cell is value or cell == json.dumps(value)
    if isinstance(value, list):
        return isinstance(cell, str) and json.loads(cell, parse_float=Decimal) == value
    if isinstance(cell, bool):
        return False
    if isinstance(value, str):
        if isinstance(cell, datetime):
            return cell == datetime.fromisoformat(value).astimezone(UTC)
        if isinstance(cell, date):
            return cell.isoformat() == value
        return bool(cell == value) or _as_number(cell) == _as_number(value) is not None
    return _as_number(cell) == number(value)


def _as_number(value: Any) -> Decimal | None:
    try:
        return None if isinstance(value, bool) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None


@dataclass
class Stage:
    """What one run made of the shapes before it."""

    status: str
    types: dict[str, str]
    warnings: list[str]
    lost: dict[str, list[str]] = field(default_factory=dict)
    """The values that were not found again, by table."""


def run_stage(lab: Lab, *, full_refresh: bool = False) -> Stage:
    """Sync, and look for every value."""
    report = lab.sync(*TABLES, full_refresh=full_refresh)
    messages = [f"{f.table}: {f.error}" for f in report.run_log.failures] + list(
        map(str, report.errors)
    )
    # Values that do not fit their column are counted in a warning; here they are intended.
    warnings = [
        each for each in report.run_log.warnings if "Sums of the column leave them out" not in each
    ]
    stage = Stage(report.status, lab.columns(), [*messages, *warnings])
    names = {name.partition(".")[0] for name in stage.types}
    with lab.reading():
        stage.lost |= {table: find_lost(lab, table, names)[:5] for table in TABLES}
    return stage


def find_lost(lab: Lab, table: str, names: set[str]) -> list[str]:
    """Values of a table's records that its rows lack."""
    children: dict[str, dict[str, list[Row]]] = {}
    for child in (name for name in names if name.startswith(f"{table}__")):
        by_parent = children.setdefault(child, {})
        for element in lab.table(child):
            by_parent.setdefault(element["_dlt_parent_id"], []).append(element)
    rows, search = by_id(lab.table(table)), Search(children)
    for record in lab.server.rows(table):
        secret = {"client_key", "statement_key"}
        sent = {name: value for name, value in record.items() if name not in secret}
        search.check(table, rows.get(record["id"], {}), sent)
    return search.lost


def touch_all(server: Sandbox) -> None:
    for table in TABLES:
        server.edit_many(table, [record["id"] for record in server.rows(table)])


@pytest.fixture(scope="module")
def across(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """Two shapes for each run, every row read again in each, and then the first shape again."""
    with Lab(tmp_path_factory.mktemp("across"), entries=40, invoices=20) as lab:
        lab.stop_timers()
        stages = []
        for shapes in ACROSS:
            lab.rest()
            lab.server.clear_alterations()
            touch_all(lab.server)
            for table in TABLES:
                lab.server.alter(table, mix(table, set(), shapes, ()))
            lab.rest()
            stages.append(run_stage(lab))
        yield stages


@pytest.fixture(scope="module")
def within(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """Shapes that change within a run: two on a page, and others on the next page."""
    settings = {"entries": ROWS, "invoices": ROWS, "clients": ROWS, "page_rows": PAGE}
    with Lab(tmp_path_factory.mktemp("within"), **settings) as lab:
        lab.stop_timers()
        second_page = {
            table: {record["id"] for record in lab.server.rows(table)[PAGE:]} for table in TABLES
        }
        stages: list[Stage] = []
        for first, second in (((0, 1), (2, 3)), ((4, 5), (6, 0))):
            lab.rest()
            lab.server.clear_alterations()
            for table in TABLES:
                lab.server.alter(table, mix(table, second_page[table], first, second))
            stages.append(run_stage(lab, full_refresh=bool(stages)))
        yield stages


def mix(
    table: str, second_page: set[int], first: tuple[int, ...], second: tuple[int, ...]
) -> Shape:
    """Give each record of the first page one of the shapes *first*, the others one of *second*."""
    shapes = [shape_of(table, stage) for stage in range(LAST + 1)]

    def change(record: Row) -> Row:
        choice = second if record["id"] in second_page else first
        shape = shapes[choice[int(record["id"]) // 7 % len(choice)]]
        return shape(record)

    return change


every_table = pytest.mark.parametrize("table", TABLES)


@pytest.mark.rare
@every_table
@pytest.mark.parametrize("run", range(len(ACROSS)))
def test_no_value_is_lost_across_runs(across: list[Stage], run: int, table: str) -> None:
    """Whatever a field becomes from one run to the next, every value is kept exactly."""
    found = across[run]
    assert (found.status, found.warnings) == ("ok", [])
    assert found.lost[table] == []


@every_table
@pytest.mark.parametrize("run", [0, 1])
def test_no_value_is_lost_within_a_run(within: list[Stage], run: int, table: str) -> None:
    """Records that disagree about every field, on one page or across two pages, lose no value."""
    found = within[run]
    assert (found.status, found.warnings) == ("ok", [])
    assert found.lost[table] == []


@pytest.mark.rare
@pytest.mark.parametrize("story", ["across", "within"])
def test_column_types_never_change(story: str, request: pytest.FixtureRequest) -> None:
    """A column, declared or learned, never changes its type and never disappears."""
    stages: list[Stage] = request.getfixturevalue(story)
    for before, after in pairwise(stages):
        assert before.types.items() <= after.types.items()


def test_declared_types_survive_values_that_do_not_fit(across: list[Stage]) -> None:
    """Values that do not fit go beside the declared columns, whose types stay as declared."""
    for table in TABLES:
        for column, sql_type in expected_types(shown(BY_NAME[table])).items():
            assert across[-1].types[f"{table}.{column}"] == sql_type


@every_table
def test_new_fields_have_lasting_types(across: list[Stage], table: str) -> None:
    """A new number is a decimal even if first whole; other new fields keep their first type."""
    types = across[-1].types
    assert types[f"{table}.bonus"] == "DECIMAL(38,9)"
    assert types[f"{table}.label"] == "VARCHAR"
    assert types[f"{table}.seen_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types[f"{table}.place__city"] == "VARCHAR"
    assert types[f"{table}.bonus__v_text"] == "VARCHAR"


def assert_all_declared(lab: Lab) -> None:
    """Every declared table and child table is there with its declared columns."""
    types = lab.columns()
    for endpoint in DEFAULT_ENDPOINTS:
        for column, sql_type in expected_types(shown(endpoint)).items():
            assert types[f"{endpoint.name}.{column}"] == sql_type
        for child in endpoint.record.children:
            for column, sql_type in expected_types(endpoint.child_columns(child)).items():
                assert types[f"{endpoint.name}__{child.name}.{column}"] == sql_type


@pytest.mark.rare
def test_empty_account_has_every_table(open_lab: OpenLab) -> None:
    """The first run of an account without rows makes all tables; rows that come later fit in."""
    lab = open_lab(empty=True)
    assert lab.sync().status == "ok"
    assert_all_declared(lab)
    lab.rest()
    for table in ("clients", "projects", "tasks", "time_entries", "invoices"):
        lab.server.create(table)
    invoice = lab.server.rows("invoices")[0]["id"]
    line = {"id": 1, "kind": "Service", "quantity": Decimal("1.123456789")}
    lab.server.edit("invoices", invoice, line_items=[line], payment_options=["ach"])
    before = lab.columns()
    assert lab.sync().status == "ok"
    for endpoint in DEFAULT_ENDPOINTS:
        assert_equal(lab, endpoint.name)
    assert lab.columns() == before


@pytest.mark.rare
def test_forbidden_tables_are_made_too(open_lab: OpenLab) -> None:
    """Tables that a token may not read are created too, and named as skipped."""
    lab = open_lab(entries=40)
    lab.token = lab.server.tokens["member"]
    report = lab.sync()
    assert report.exit_code == 0
    skipped = {skip.table for skip in report.run_log.skipped}
    assert "roles" in skipped
    assert "time_entries" not in skipped
    assert_all_declared(lab)
    assert not any(lab.table(name) for name in skipped)
