"""Batches as dlt receives them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as pq
import pytest

from harvest_source.extract.extraction import Batch
from harvest_source.load.packages import PackageBuilder
from harvest_source.load.state import SOURCE, source_state, stored_accounts
from harvest_source.schema.endpoints import BY_NAME

ROWS = 2_000


def build_page(number: int) -> bytes:
    """One page of entries."""
    at = {"spent_date": "2026-01-02", "updated_at": "2026-01-02T03:04:05Z"}
    ids = range(number * ROWS, (number + 1) * ROWS)
    return json.dumps([{"id": each, **at} for each in ids]).encode()


@pytest.mark.parametrize(
    ("destination", "together"),
    [
        (dlt.destinations.duckdb(":memory:"), [12_000]),
        (dlt.destinations.postgres("postgresql://user:-@localhost/none"), [6_000, 6_000]),
    ],
    ids=["files", "values"],
)
def test_rows_sent_as_text_come_in_small_batches(
    destination: Any, together: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If rows travel as text, dlt makes Python values of all rows that it gets at once."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pipeline = dlt.pipeline("parts", pipelines_dir=str(tmp_path), destination=destination)
    builder = PackageBuilder([BY_NAME["time_entries"]], frozenset(), dlt.Schema(SOURCE), {})
    (feed,) = builder.build_feeds([1])
    pages = (feed.decoder.decode(build_page(number)) for number in range(6))
    pipeline.extract(builder.build_source([Batch(feed.endpoint, 1, each) for each in pages]))
    (file,) = (each for each in tmp_path.rglob("time_entries.*.parquet"))
    described = pq.ParquetFile(file).metadata
    groups = [described.row_group(each).num_rows for each in range(described.num_row_groups)]
    assert [each for each in groups if each] == together


def test_accounts_share_the_table_that_dlt_derives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt derives a table again for each Arrow table, so rows and states come all at once."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    duckdb = dlt.destinations.duckdb(":memory:")
    pipeline = dlt.pipeline("shared", pipelines_dir=str(tmp_path), destination=duckdb)
    builder = PackageBuilder([BY_NAME["time_entries"]], frozenset(), dlt.Schema(SOURCE), {})
    batches: list[Batch] = []
    for feed in builder.build_feeds([1, 2, 3]):
        page = json.loads(build_page(0))
        if feed.account_id == 2:  # A field that Harvest has for only one account.
            page[7]["mood"] = "good"
        for table in (feed.decoder.decode(json.dumps(page).encode()) for _ in range(2)):
            batches.append(Batch(feed.endpoint, feed.account_id, table))
        batches.append(Batch(feed.endpoint, feed.account_id, state={"cursor": feed.account_id}))
    source, sizes = builder.build_source(batches), list[int]()

    def note_size(item: Any) -> Any:
        sizes.append(item.num_rows)
        return item

    source.resources["time_entries"].add_map(note_size)
    pipeline.extract(source)
    assert [size for size in sizes if size] == [3 * ROWS]
    files = map(pq.ParquetFile, tmp_path.rglob("time_entries.*.parquet"))
    (described,) = (each for each in files if each.metadata.num_rows)  # One creates the table.
    rows = described.read().select(["account_id", "mood"]).to_pylist()
    assert Counter(row["account_id"] for row in rows) == {1: ROWS, 2: ROWS, 3: ROWS}
    assert [row["account_id"] for row in rows if row["mood"]] == [2]
    accounts = stored_accounts(source_state(pipeline.state), "time_entries")
    assert {name: state["cursor"] for name, state in accounts.items()} == {"1": 1, "2": 2, "3": 3}
