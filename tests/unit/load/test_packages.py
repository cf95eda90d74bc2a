"""Batches as dlt gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as pq
import pytest

from harvest_source.extract.extraction import Batch
from harvest_source.load.packages import PackageBuilder
from harvest_source.load.state import SOURCE
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
def test_rows_that_become_values_come_in_small_parts(
    destination: Any, together: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt makes Python values of all rows that it gets at once, where they travel as text."""
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
