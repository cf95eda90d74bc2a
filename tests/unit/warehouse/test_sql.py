"""Our statements: how they are written, and what they do in a real DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import dlt
import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.dlt_internals import NamingDuckDB
from harvest_source.schema.columns import Type
from harvest_source.sql.conditions import (
    EVERY_ROW,
    AllOf,
    AnyOf,
    Condition,
    Equals,
    InTable,
    NoneOf,
    OneOf,
    Within,
)
from harvest_source.warehouse.arrow_reads import select_digests, select_keys
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.sql import Sql

ORDERS = [
    {
        "id": number,
        "from": date(2024, 1, number),
        "amount": Decimal("1.000000001") * number,
        "paid": number % 2 == 0,
        "at": datetime(2024, 1, number, 12, tzinfo=UTC),
        "lines": [{"n": line} for line in range(number)],
    }
    for number in range(1, 6)
]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dlt.Pipeline]:
    """A dataset with a table whose columns need quotes, and its child table."""
    folder = tmp_path_factory.mktemp("sql")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        patch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
        pipeline = dlt.pipeline(
            "sql",
            destination=NamingDuckDB(credentials=str(folder / "harvest.duckdb")),
            dataset_name="harvest",
            pipelines_dir=str(folder),
        )
        orders = dlt.resource(
            ORDERS,
            name="order",  # A reserved word.
            primary_key="id",
            write_disposition="merge",
            columns={"amount": {"data_type": "decimal", "precision": 38, "scale": 9}},
        )
        pipeline.run(orders)
        yield pipeline
        Container()[PipelineContext].deactivate()


@pytest.fixture
def sql(pipeline: dlt.Pipeline) -> Iterator[Sql]:
    """Statements in a transaction that is rolled back."""
    with pipeline.sql_client() as client:
        client.begin_transaction().__enter__()
        yield Sql(client, pipeline.default_schema)
        client.native_connection.rollback()


def ids(sql: Sql, where: Condition = EVERY_ROW) -> list[int]:
    return sorted(row["id"] for row in sql.select("order", where, ("id",)))


def test_rows_have_the_column_names_of_the_schema(sql: Sql) -> None:
    """All columns of dlt's schema come under its names; values are exact."""
    (row,) = sql.select("order", Equals("id", 3))
    assert row.keys() == set(sql.columns_of("order"))
    assert row["amount"] == Decimal("3.000000003")
    assert (row["from"], row["paid"]) == (date(2024, 1, 3), False)


def test_rows_are_ordered_when_asked(sql: Sql) -> None:
    """The order is by columns, ascending."""
    rows = sql.select("order__lines", EVERY_ROW, ("n", "_dlt_root_id"), ("n",))
    assert [row["n"] for row in rows] == sorted(row["n"] for row in rows)


def test_many_rows_are_iterated(sql: Sql) -> None:
    """The values are in the order of the named columns."""
    found = list(sql.iter_values("order", EVERY_ROW, ("paid", "id")))
    assert sorted(found) == sorted((number % 2 == 0, number) for number in range(1, 6))


DIGESTED = ("id", "from", "amount", "paid", "at")


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_a_digest_changes_with_any_value(sql: Sql, dialect: str) -> None:
    """A null differs from an empty text; columns that are not digested do not count."""
    object.__setattr__(sql, "dialect", replace(sql.dialect, name=dialect))

    def digests() -> dict[int, tuple[int, int]]:
        with PageDigests() as pages:
            found = select_digests(sql, "order", EVERY_ROW, ("id",), (DIGESTED, ("id",)), pages)
        ids, contents, same = (each.to_pylist() for each in found.columns)
        return dict(zip(ids, zip(contents, same, strict=True), strict=True))

    before = digests()
    assert len({*before.values()}) == 5
    sql.update("order", {"amount": Decimal("1.000000002")}, Equals("id", 1))
    sql.update("order", {"paid": None}, Equals("id", 2))
    sql.update("order", {"_dlt_load_id": "another"}, Equals("id", 3))
    changed = {row for row, digest in digests().items() if before[row] != digest}
    assert changed == {1, 2}


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_a_page_and_its_loaded_rows_have_the_same_digests(sql: Sql, dialect: str) -> None:
    """A column that the page lacks is null; a value of another type is another value."""
    object.__setattr__(sql, "dialect", replace(sql.dialect, name=dialect))
    sql.update("order", {"paid": None}, Equals("id", 2))
    rows = [{name: row[name] for name in DIGESTED} for row in ORDERS]
    types = [ARROW_TYPES[each] for each in (Type.BIGINT, Type.DATE, Type.DECIMAL, Type.BOOL)]
    types.append(ARROW_TYPES[Type.TIMESTAMP])
    page = pa.Table.from_pylist(rows, pa.schema(zip(DIGESTED, types, strict=True)))
    with PageDigests() as pages:
        stored = select_digests(sql, "order", EVERY_ROW, ("id",), (DIGESTED,), pages)
        here = dict(zip(*(each.to_pylist() for each in stored.columns), strict=True))
        (found,) = pages.digest(page, [DIGESTED])
        (unpaid,) = pages.digest(page.drop_columns("paid"), [DIGESTED])
        (rounded,) = pages.digest(
            page.set_column(2, "amount", page["amount"].cast(pa.float64())), [DIGESTED]
        )
    assert [here[row["id"]] == it.as_py() for row, it in zip(rows, found, strict=True)] == [
        row["id"] != 2 for row in rows
    ]
    assert here[2] == unpaid[1].as_py()
    assert not {*here.values()} & {*rounded.to_pylist()}


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_keys_come_as_numbers_and_days(sql: Sql, dialect: str) -> None:
    """This holds for drivers with Arrow and with rows, and for no rows."""
    object.__setattr__(sql, "dialect", replace(sql.dialect, name=dialect))
    keys = select_keys(sql, "order", EVERY_ROW, "from").sort_by("id").to_pylist()
    assert keys == [{"id": each["id"], "day": each["from"]} for each in ORDERS]
    (only,) = select_keys(sql, "order", Equals("id", 3), None).to_pylist()
    assert only == {"id": 3, "day": None}
    none = select_keys(sql, "order", Equals("id", 0), "from")
    assert (none.num_rows, none.schema) == (0, select_keys(sql, "order", EVERY_ROW, "from").schema)
    with PageDigests() as pages:
        empty = select_digests(sql, "order", Equals("id", 0), ("id",), (("id", "at"),), pages)
        some = select_digests(sql, "order", Equals("id", 1), ("id",), (("id", "at"),), pages)
    assert (empty.num_rows, some.num_rows, empty.schema) == (0, 1, some.schema)


def test_rows_are_counted_by_condition_and_by_value(sql: Sql) -> None:
    """All rows are counted, by condition, and by the values of a column."""
    assert sql.count("order") == 5
    assert sql.count("order", Equals("paid", True)) == 2
    assert sql.count_by("order", EVERY_ROW, "paid") == {True: 2, False: 3}
    assert set(sql.select_distinct("order", EVERY_ROW, ("paid",))) == {(True,), (False,)}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Within("from", date(2024, 1, 2), date(2024, 1, 4)), [2, 3]),
        (Within("at", None, datetime(2024, 1, 2, 12, tzinfo=UTC)), [1]),
        (OneOf("id", [1, 5, 9]), [1, 5]),
        (NoneOf("id", [1, 5, 9]), [2, 3, 4]),
        (InTable("_dlt_id", "order__lines", "_dlt_root_id", Equals("n", 3)), [4, 5]),
        (
            InTable("_dlt_id", "order__lines", "_dlt_root_id", Equals("n", 3), negated=True),
            [1, 2, 3],
        ),
        (AnyOf(Equals("id", 1), AllOf(Equals("paid", True), Equals("id", 2))), [1, 2]),
    ],
    ids=str,
)
def test_conditions_match_the_rows_that_duckdb_finds(
    sql: Sql, where: Condition, found: list[int]
) -> None:
    """The rows are those that DuckDB finds."""
    assert ids(sql, where) == found


def test_updates_and_deletions_keep_to_their_rows(sql: Sql) -> None:
    """The other rows are unchanged."""
    sql.update("order", {"from": None, "paid": None}, Equals("id", 1))
    assert ids(sql, Equals("from", None)) == [1]
    sql.assign("order", "from", "id", {1: date(2001, 1, 1), 2: date(2002, 2, 2)})
    assert ids(sql, Equals("from", date(2002, 2, 2))) == [2]
    sql.delete("order", OneOf("id", [2, 3]))
    assert ids(sql) == [1, 4, 5]
    sql.delete("order", EVERY_ROW)
    assert ids(sql) == []


def test_an_insert_takes_objects_as_json(sql: Sql) -> None:
    """Columns that are not named are null."""
    row = {"id": 9, "_dlt_load_id": "x", "_dlt_id": "9", "paid": None}
    sql.insert("order", [row, row | {"id": 10, "_dlt_id": "10"}])
    assert ids(sql, Equals("paid", None)) == [9, 10]
    sql.insert("order", [])


def test_a_failed_transaction_changes_nothing(pipeline: dlt.Pipeline) -> None:
    """Statements before the error are undone."""

    def fail(sql: Sql) -> None:
        with sql.transaction():
            sql.delete("order", EVERY_ROW)
            raise ZeroDivisionError

    with pipeline.sql_client() as client:
        made = Sql(client, pipeline.default_schema)
        with pytest.raises(ZeroDivisionError):
            fail(made)
        assert made.count("order") == 5


def test_comments_are_taken_word_for_word(sql: Sql) -> None:
    """They may contain quotes, placeholders, backslashes and braces."""
    text = 'It\'s 100 % "quoted", {braced}; \\n and é'
    sql.set_comments("order", {"": text, "from": text})
    for view, name in (("columns", "column_name = 'from'"), ("tables", "table_name = 'order'")):
        found = sql.client.execute_sql(
            f"SELECT comment FROM duckdb_{view}() WHERE schema_name = 'harvest' AND {name}"
        )
        assert found == [(text,)]
