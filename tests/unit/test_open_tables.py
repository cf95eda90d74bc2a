"""Delta and Iceberg tables, written by dlt's loads and by our commits, in the test's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest

from harvest_source.dlt_internals import OpenTables, find_open_table
from harvest_source.dlt_internals.open_table import OpenTable, find_present_keys
from harvest_source.load.history import VALID_FROM, VALID_TO
from harvest_source.sql.conditions import AllOf, Equals, InTable, OneOf
from harvest_source.warehouse.sql import Row, Sql
from harvest_source.warehouse.writers import open_sql

pytestmark = pytest.mark.rare

FORMATS = ("delta", "iceberg")
WORK: list[Row] = [
    {"id": 1, "name": "a", "tags": [{"tag": "x"}, {"tag": "y"}]},
    {"id": 2, "name": "b", "tags": [{"tag": "z"}]},
]


class Lake:
    """
    A pipeline into tables of one format.

    Attributes:
        pipeline: The dlt pipeline.
    """

    def __init__(self, folder: Path, table_format: str) -> None:
        self.table_format: Any = table_format
        self.pipeline = dlt.pipeline(
            "lake",
            destination=OpenTables((folder / "lake").as_uri()),
            dataset_name="harvest",
            pipelines_dir=str(folder / "pipelines"),
        )

    def load(self, rows: Any, **hints: Any) -> None:
        """Load *rows* once into the table ``work``."""
        hints = {"name": "work", "primary_key": "id", "write_disposition": "merge"} | hints
        resource = dlt.resource(
            rows, table_format=self.table_format, file_format="parquet", **hints
        )
        self.pipeline.run(resource)

    def read(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Every row, sorted, as our own reader returns it."""
        with self.pipeline.sql_client() as client:
            return sorted(
                open_sql(client, self.pipeline.default_schema).iter_values(table, AllOf(), columns),
                key=repr,
            )


@pytest.fixture(params=FORMATS)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake in each installed format."""
    pytest.importorskip({"delta": "deltalake", "iceberg": "pyiceberg"}[request.param])
    return Lake(tmp_path, request.param)


@pytest.fixture
def sql(lake: Lake) -> Iterator[Sql]:
    """Our statements on a lake in which WORK is loaded."""
    lake.load(WORK)
    with lake.pipeline.sql_client() as client:
        yield open_sql(client, lake.pipeline.default_schema)


def test_a_load_replaces_rows_with_their_elements(lake: Lake) -> None:
    """An array that became empty or shorter leaves no element; other rows keep theirs."""
    lake.load(WORK)
    lake.load([{"id": 1, "name": "c", "tags": []}, {"id": 3, "name": "d", "tags": [{"tag": "w"}]}])
    assert lake.read("work", "id", "name") == [(1, "c"), (2, "b"), (3, "d")]
    assert lake.read("work__tags", "tag") == [("w",), ("z",)]
    lake.load([{"id": 2, "name": "b", "tags": [{"tag": "q"}, {"tag": "z"}]}])
    roots = dict(lake.read("work", "_dlt_id", "id"))
    found = [(roots[root], tag) for root, tag in lake.read("work__tags", "_dlt_root_id", "tag")]
    assert sorted(found) == [(2, "q"), (2, "z"), (3, "w")]


def test_added_columns_are_null_in_earlier_rows(lake: Lake) -> None:
    """New columns may have any type; every digit and instant is kept."""
    lake.load(WORK)
    at = datetime(2024, 2, 29, 23, 59, 59, 123456, UTC)
    amount = Decimal("12345678901234567890123456789.123456789")
    columns: Any = {"amount": {"data_type": "decimal", "precision": 38, "scale": 9}}
    lake.load([{"id": 2, "amount": amount, "at": at, "flag": True}], columns=columns)
    assert lake.read("work", "id", "amount", "at", "flag") == [
        (1, None, None, None),
        (2, amount, at, True),
    ]


def test_a_table_without_rows_exists(lake: Lake) -> None:
    """It has its declared columns."""
    columns: Any = {"id": {"data_type": "bigint"}, "name": {"data_type": "text"}}
    lake.load(lambda: iter([dlt.mark.materialize_table_schema()]), columns=columns)
    assert lake.read("work", "id", "name") == []
    lake.load(WORK)
    assert lake.read("work", "id", "name") == [(1, "a"), (2, "b")]


def test_plain_dlt_reads_what_was_written(lake: Lake) -> None:
    """dlt itself learns their format from the schema and the tables."""
    lake.load(WORK)
    plain = dlt.pipeline(
        "lake",
        destination=dlt.destinations.filesystem(
            lake.pipeline.destination.config_params["bucket_url"]
        ),
        dataset_name="harvest",
        pipelines_dir=lake.pipeline.pipelines_dir,
    )
    with plain.destination_client() as client:
        assert client.is_open_table(lake.table_format, "work__tags")  # type: ignore[attr-defined]


VERSIONS: Any = {
    "id": {"data_type": "bigint", "merge_key": True},
    "_dlt_id": {"data_type": "text", "x-row-version": True},
    VALID_FROM: {"data_type": "timestamp", "x-valid-from": True},
    VALID_TO: {"data_type": "timestamp", "x-valid-to": True},
}


def test_versions_are_opened_and_closed(lake: Lake) -> None:
    """A row's versions follow each other; loading the open version again changes nothing."""

    def load(*rows: tuple[int, str]) -> None:
        table = pa.table({"id": [row for row, _ in rows], "_dlt_id": [each for _, each in rows]})
        lake.load(table, columns=VERSIONS, primary_key=())

    def versions(row: int) -> list[tuple[str, bool]]:
        found = lake.read("work", "id", VALID_FROM, "_dlt_id", VALID_TO)
        in_time = sorted((start, digest, end) for at, start, digest, end in found if at == row)
        return [(digest, end is None) for _, digest, end in in_time]

    load((1, "1a"), (2, "2a"))
    load((1, "1b"))
    load((1, "1b"))
    assert versions(1) == [("1a", False), ("1b", True)]
    assert versions(2) == [("2a", True)]
    load((1, "1a"), (3, "3a"))
    assert versions(1) == [("1a", False), ("1b", False), ("1a", True)]
    load((1, "1c"))
    assert versions(1) == [("1a", False), ("1b", False), ("1a", False), ("1c", True)]
    assert versions(3) == [("3a", True)]


def test_rows_are_deleted_by_any_condition(sql: Sql, lake: Lake) -> None:
    """A condition may have a subquery; elements are deleted by their row."""
    sql.delete("work__tags", InTable("_dlt_root_id", "work", "_dlt_id", Equals("id", 1)))
    assert lake.read("work__tags", "tag") == [("z",)]
    sql.delete("work", Equals("name", "a"))
    assert lake.read("work", "id") == [(2,)]
    sql.delete("work", AllOf())
    assert lake.read("work", "id") == []


def test_rows_are_changed_by_any_condition(sql: Sql, lake: Lake) -> None:
    """Only named columns change, to null too, or by the values of another column."""
    sql.update("work", {"name": None}, OneOf("id", [2, 3]))
    assert lake.read("work", "id", "name") == [(1, "a"), (2, None)]
    sql.assign("work", "name", "id", {1: "p", 2: "q", 9: "r"})
    assert lake.read("work", "id", "name") == [(1, "p"), (2, "q")]
    assert len(lake.read("work__tags", "tag")) == 3


def test_rows_are_inserted(sql: Sql, lake: Lake) -> None:
    """Columns that are not named are null; objects become JSON text."""
    row = {"id": 3, "name": {"a": [1]}, "_dlt_id": "x", "_dlt_load_id": "y"}
    with sql.transaction():
        sql.insert("work", [row])
    assert (3, '{"a": [1]}') in lake.read("work", "id", "name")


def test_one_change_is_one_commit(sql: Sql) -> None:
    """No reader sees deletions without the insertions."""
    table = find_open_table(sql.client, "work")
    before = count_commits(table)
    keys = pa.table({"id": [1, 9]})
    table.replace(keys, pa.table({"id": [1], "name": ["new"]}))
    assert count_commits(table) == before + 1
    assert sorted(table.read(["id", "name"]).to_pylist(), key=repr) == [
        {"id": 1, "name": "new"},
        {"id": 2, "name": "b"},
    ]


def count_commits(table: OpenTable) -> int:
    inner: Any = table._table  # type: ignore[attr-defined]
    versions: Sequence[Any] = (
        inner.history() if hasattr(inner, "file_uris") else inner.metadata.snapshot_log
    )
    if hasattr(inner, "file_uris"):
        return len(versions)
    # A commit may have several snapshots, but writes one metadata file.
    return len(inner.metadata.metadata_log)


def test_present_keys_are_found_by_all_their_columns(sql: Sql) -> None:
    """Each key is found once; a row that matches only one of its columns does not count."""
    table = find_open_table(sql.client, "work")
    keys = pa.table({"id": [1, 1, 2, 7], "name": ["a", "a", "a", "a"]})
    assert find_present_keys(table, keys).to_pylist() == [{"id": 1, "name": "a"}]
    table.replace(keys, None)
    assert table.read(["id"]).to_pylist() == [{"id": 2}]
