"""Randomly drawn scopes and calls, some of them for what a scope hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from harvest_source.ask.filters import OPERATORS
from harvest_source.ask.sum_time import GROUPS, PERIODS
from tests.support.limited import ADDED, COLUMNS, MARTS, find_columns

WIDE: Final = tuple(f"{table}.*" for table in COLUMNS)
OF_PEOPLE: Final = tuple(each for each in WIDE if each != "invoices.*")
WITH_RATES: Final = (*OF_PEOPLE, "time_entries.billable_rate", "users.cost_rate")
NARROW: Final = (
    *("time_entries.account_id", "time_entries.id", "time_entries.hours", "time_entries.notes"),
    *("time_entries.rounded_hours", "time_entries.billable"),
    *("time_entries.client__id", "time_entries.client__name"),
    *("clients.account_id", "clients.id", "clients.name", "projects.name"),
)
OF_MARTS: Final = (
    *("harvest__time_entries.account_id", "harvest__time_entries.time_entry_id"),
    *("harvest__time_entries.user_id", "harvest__time_entries.hours"),
    *("harvest__people.account_id", "harvest__people.user_id", "harvest__people.person_name"),
    *("harvest__hours_daily.account_id", "harvest__hours_daily.hours"),
    *("harvest__missing_time.day", "harvest__utilization_daily.capacity_hours"),
    *("users.account_id", "users.id", "users.first_name"),
)


@dataclass(frozen=True)
class DrawnScope:
    """
    A scope as the configuration has it.

    Attributes:
        columns: The columns that it shows, by table, computed independently.
    """

    keys: Mapping[str, Any]
    columns: Mapping[str, Sequence[str]]


MONEY: Final = {"billable_rate", "cost_rate", "fee"}
"""The columns that ``TABLE.*`` leaves out if rows depend on people."""


def find_shown(keys: Mapping[str, Any]) -> dict[str, list[str]]:
    """The columns that a scope shows, by table."""
    withheld = set() if keys.get("rows", "all") == "all" else MONEY
    listed = keys.get("columns")
    if listed is None:
        shown = {table: declare(table) for table in keys.get("tables", COLUMNS)}
    else:
        shown = {}
        for each in listed:
            table, _, column = each.partition(".")
            named = declare(table) if column == "*" else [column]
            shown.setdefault(table, []).extend(
                each for each in named if column != "*" or each not in withheld
            )
    wanted = keys.get("tables", shown)
    return {table: names for table, names in shown.items() if table in wanted}


def declare(table: str) -> list[str]:
    """The declared columns of a table."""
    return [name for name in find_columns(table) if name != ADDED]


@st.composite
def scopes(draw: st.DrawFn, kind: str) -> DrawnScope:
    """A scope whose rows are *kind*: ``all``, ``own`` or ``managed``."""
    keys: dict[str, Any] = {"rows": kind, "sql": draw(st.sampled_from([True, True, False]))}
    wide = WIDE if kind == "all" else OF_PEOPLE
    # Rows by person need columns; a scope of all rows needs another limit.
    choices = [wide, NARROW, OF_MARTS, *([None] if kind == "all" else [WITH_RATES])]
    if (columns := draw(st.sampled_from(choices))) is not None:
        keys["columns"] = list(columns)
        tables = sorted({each.partition(".")[0] for each in columns})
    else:
        tables = sorted([*COLUMNS, "harvest__people"])
    if draw(st.booleans()):
        keys["tables"] = draw(st.lists(st.sampled_from(tables), min_size=1, unique=True))
    if draw(st.booleans()) or not {"columns", "tables"} & set(keys):
        keys["accounts"] = [draw(st.integers(1, 2))]
    return DrawnScope(keys, find_shown(keys))


NAMES: Final = (
    *COLUMNS,
    *MARTS,
    *("harvest.clients", "HARVEST.Time_Entries", "harvest_models.harvest__people", "main.clients"),
    *("everything", "main.everything", "nothing", "sync_runs", "harvest.deleted_records"),
    *("harvest__sync_health", "stg_harvest__clients", "information_schema.tables", "time_entrie"),
    *(
        "other.harvest.clients",
        "warehouse.harvest.clients",
        "duckdb_tables",
        "pragma_database_list",
    ),
)
"""Names of tables: shown, hidden, unknown, and DuckDB's own."""

FIELDS: Final = (
    *dict.fromkeys(name for table in COLUMNS for name in find_columns(table)),
    *("user_id", "person_name", "cost", "billable_amount", "time_entry_id", "capacity_hours"),
    *("Hours", "nothing", "cost_rat"),
)
VALUES: Final = (
    "1",
    "2",
    "51",
    "51.5",
    "true",
    "null",
    "note",
    "note 1 of",
    "2026-01-03",
    "%",
    "x",
)

tables = st.sampled_from(NAMES)
fields = st.sampled_from(FIELDS)
filters = st.builds(
    "{}{}{}".format, fields, st.sampled_from(sorted(OPERATORS)), st.sampled_from(VALUES)
)
days = st.sampled_from(["", "2026-01-03", "2026-01-05"])


@st.composite
def lists(draw: st.DrawFn) -> Mapping[str, Any]:
    """Arguments of a record list, mostly with columns that its table may have."""
    table = draw(tables)
    own = st.sampled_from(list(find_columns(table))) if table in (*COLUMNS, *MARTS) else fields
    orders = st.builds("{}{}".format, st.sampled_from(["", "-"]), own)
    of_own = st.builds(
        "{}{}{}".format, own, st.sampled_from(sorted(OPERATORS)), st.sampled_from(VALUES)
    )
    return {
        "table": table,
        "where": draw(st.lists(of_own, max_size=1)),
        "columns": draw(st.lists(own, max_size=3, unique=True)),
        "order": draw(st.lists(orders, max_size=2)),
        "limit": draw(st.sampled_from([1, 2, 500])),
    }


STATEMENTS: Final = (
    "SELECT COUNT(*) FROM {a}",
    "SELECT * FROM {a} ORDER BY ALL",
    "SELECT t FROM {a} AS t ORDER BY ALL",
    "SELECT {x}, COUNT(*) FROM {a} GROUP BY ALL ORDER BY ALL",
    "SELECT MIN({x}), MAX({x}), approx_count_distinct({x}) FROM {a}",
    "SELECT a.{x}, b.{y} FROM {a} AS a JOIN {b} AS b ON a.account_id = b.account_id ORDER BY ALL",
    "SELECT {x} FROM {a} WHERE {x} IN (SELECT {y} FROM {b}) ORDER BY ALL",
    "SELECT {x}, (SELECT COUNT(*) FROM {b} AS b WHERE b.account_id = a.account_id) FROM {a} AS a "
    "ORDER BY ALL",
    "SELECT COUNT(*) FROM {a} AS a WHERE NOT EXISTS (SELECT 1 FROM {b} AS b WHERE b.{y} = a.{x})",
    "SELECT * FROM {a} AS a, LATERAL (SELECT MAX(b.{y}) FROM {b} AS b WHERE b.{y} >= a.{x}) "
    "ORDER BY ALL",
    "WITH {b} AS (SELECT 1 AS {y}) SELECT {y} FROM {b}",
    "WITH c AS (SELECT * FROM {a}), {a} AS (SELECT 5 AS {x}) SELECT COUNT(*) FROM c, {a}",
    "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c, {a} WHERE n < 2) "
    "SELECT MAX(n) FROM c",
    "SELECT {x} FROM {a} UNION ALL SELECT {y} FROM {b} ORDER BY ALL",
    "SELECT SUM({x}) OVER (PARTITION BY {y}) FROM {a} ORDER BY ALL",
    "SELECT COLUMNS('.*rate|.*new|.*notes') FROM {a} ORDER BY ALL",
    "SELECT * EXCLUDE ({x}) FROM {a} ORDER BY ALL",
    "SELECT * REPLACE (1 AS {x}) FROM {a} ORDER BY ALL",
    "SELECT {x} FROM {a} NATURAL JOIN {b} ORDER BY ALL",
    "SELECT #1 FROM {a} ORDER BY ALL",
    "FROM {a} SELECT {x} ORDER BY ALL",
    "DESCRIBE {a}",
    "SUMMARIZE {a}",
    "SUMMARIZE SELECT {x} FROM {a}",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SELECT * FROM duckdb_columns()",
    "SELECT * FROM pragma_table_info('{a}')",
    "SELECT table_name FROM information_schema.columns WHERE column_name = '{x}'",
    "SELECT 1 FROM sqlite_master",
    "SELECT stats({x}) FROM {a}",
    "PIVOT {a} ON {x} IN (1, 2) USING COUNT(*)",
    "UNPIVOT {a} ON {x}",
    # An error, or its absence, would reveal a row that is not shown.
    "SELECT COUNT(*) FROM {a} WHERE 1 / (CAST({x} AS TEXT) <> '51')::INT > 0",
    "SELECT SUM(CAST(left(CAST({x} AS TEXT), 4) AS INTEGER)) FROM {a} WHERE {y} = 3",
    "SELECT COUNT(*) FROM {a} WHERE CAST({x} AS TEXT) LIKE '%n%' OR {y}::DATE > '2026-01-01'",
    "SELECT {x}::invoices FROM {a}",
    "SELECT {x} COLLATE users FROM {a}",
    "SELECT {x} FROM {a} AS a WHERE a.account_id = (SELECT account_id FROM {b})",
)


@st.composite
def statements(draw: st.DrawFn) -> str:
    """SQL about one or two tables."""
    a, b = draw(tables), draw(tables)

    def column(table: str) -> str:
        own = list(find_columns(table)) if table in (*COLUMNS, *MARTS) else FIELDS
        return draw(st.sampled_from(own))

    text = draw(st.sampled_from(STATEMENTS))
    return text.format(a=a, b=b, x=column(a), y=column(b))


calls = st.one_of(
    st.tuples(st.just("list_tables"), st.just({})),
    st.tuples(st.just("get_status"), st.just({})),
    st.tuples(st.just("describe_table"), st.fixed_dictionaries({"table": tables})),
    st.tuples(st.just("list_records"), lists()),
    st.tuples(
        st.just("get_record"),
        st.fixed_dictionaries({"table": tables, "id": st.sampled_from([1, 2, 3, "x"])}),
    ),
    st.tuples(
        st.just("find"),
        st.fixed_dictionaries({"text": st.sampled_from(["1", "Last", "First2", "@", "note"])}),
    ),
    st.tuples(
        st.just("sum_time"),
        st.fixed_dictionaries(
            {
                "by": st.lists(st.sampled_from([*GROUPS, *PERIODS]), max_size=2, unique=True),
                "start": days,
                "end": days,
                "where": st.lists(filters, max_size=1),
            }
        ),
    ),
    st.tuples(st.just("query"), st.fixed_dictionaries({"sql": statements()})),
    st.tuples(st.just("resources/read"), st.fixed_dictionaries({"table": tables})),
)
"""A tool, or a request of the protocol, and its arguments."""
