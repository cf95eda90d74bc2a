"""Values that a destination would change are stored as text beside their column, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest

from harvest_source.decode.decoder import Decoder
from harvest_source.errors import ConfigError
from harvest_source.load.encoder import DltEncoder, build_decoder
from harvest_source.load.history import TableHistory
from harvest_source.load.limits import LIMITS, DestinationLimits
from harvest_source.schema.endpoints import BY_NAME
from tests.support.warehouses import BY_NAME as WAREHOUSES

CLICKHOUSE = LIMITS["clickhouse"]
REDSHIFT = LIMITS["redshift"]
ATHENA = LIMITS["athena"]


@pytest.mark.parametrize(
    ("limits", "value", "text"),
    [
        (CLICKHOUSE, date(1969, 12, 31), "1969-12-31"),
        (CLICKHOUSE, date(2149, 6, 7), "2149-06-07"),
        (ATHENA, datetime(2024, 2, 29, 23, 59, 59, 123456, UTC), "2024-02-29 23:59:59.123456Z"),
    ],
)
def test_a_value_that_does_not_fit_is_stored_beside_its_column(
    limits: DestinationLimits, value: object, text: str
) -> None:
    """The text is exact; other rows and columns are unchanged."""
    rows = pa.table({"id": [1, 2], "it": pa.array([None, value])})
    placed = limits.place("time_entries", rows)
    assert placed.to_pylist() == [
        {"id": 1, "it": None, "it__v_text": None},
        {"id": 2, "it": None, "it__v_text": text},
    ]
    assert placed.schema.field("it") == rows.schema.field("it")


def test_a_value_already_beside_the_column_is_kept() -> None:
    """A value of another type, in another row, stays too."""
    rows = pa.table({"it": [None, date(1, 1, 1)], "it__v_text": ["about 3", None]})
    assert CLICKHOUSE.place("t", rows).column("it__v_text").to_pylist() == ["about 3", "0001-01-01"]


@pytest.mark.parametrize(
    ("limits", "value", "what"),
    [
        (REDSHIFT, "é" * 32_768, "a text of 65,536 bytes"),
        (CLICKHOUSE, date(1969, 12, 31), "1969-12-31 in its key"),
    ],
)
def test_a_value_that_fits_nowhere_is_refused(
    limits: DestinationLimits, value: object, what: str
) -> None:
    """The error has column, limit and remedy. A key is refused because it is never null."""
    with pytest.raises(ConfigError) as refused:
        limits.place("time_entries", pa.table({"id": [1, 2], "it": [None, value]}), ("it",))
    assert f"time_entries.it has {what}" in str(refused.value)
    assert "exclude = ['time_entries.it']" in str(refused.value)


def test_values_within_the_limits_are_left_alone() -> None:
    """The first and the last values that fit, nulls and empty tables are unchanged."""
    days = pa.table({"it": [date(1970, 1, 1), date(2149, 6, 6), None]})
    texts = pa.table({"it": ["x" * 65_535, "", None]})
    instants = pa.table({"it": [datetime(2024, 1, 1, 1, 1, 1, 999000, UTC), None]})
    for limits, table in (
        (CLICKHOUSE, days),
        (REDSHIFT, texts),
        (ATHENA, instants),
        (CLICKHOUSE, days.slice(0, 0)),
        (CLICKHOUSE, pa.table({"it": pa.array([None], pa.date32())})),
        (DestinationLimits(), pa.table({"it": [date(1, 1, 1)]})),
    ):
        assert limits.place("t", table) is table


@pytest.mark.parametrize("name", WAREHOUSES)
def test_limits_equal_dlts_capabilities(name: str) -> None:
    """The limits on instants and texts equal dlt's capabilities of the destination."""
    capabilities = WAREHOUSES[name].build().capabilities()
    limits = LIMITS.get(name, DestinationLimits())
    assert limits.in_milliseconds == (capabilities.timestamp_precision == 3)
    if limits.text_bytes is not None:
        assert limits.text_bytes == capabilities.max_text_data_type_length
    else:  # Harvest's longest texts, notes, are far shorter.
        assert capabilities.max_text_data_type_length > 250_000


@pytest.fixture
def decoder(tmp_path: Path) -> Iterator[Decoder]:
    """A decoder for time entries on their way to ClickHouse, which is not connected."""
    pipeline = dlt.pipeline(
        "limits",
        destination=dlt.destinations.clickhouse(credentials="clickhouse://a:-@host:9440/wh"),
        pipelines_dir=str(tmp_path),
    )
    pipeline.activate()
    yield build_decoder(BY_NAME["time_entries"], 1, frozenset(), dlt.Schema("harvest"), {})
    pipeline.deactivate()


def test_the_column_beside_is_created_in_table_and_history(decoder: Decoder) -> None:
    """It has a hint for dlt, both in the table and in its history."""
    endpoint = BY_NAME["time_entries"]
    page = decoder.decode(b'[{"id": 1, "spent_date": "1969-12-31"}]')
    encoder = DltEncoder(endpoint, decoder, 1, dlt.Schema("harvest"))
    [version] = TableHistory(endpoint).encode([page], decoder)
    for item in (encoder.encode(page), version):
        columns: Any = item.meta.hints["columns"]
        assert columns["spent_date__v_text"]["data_type"] == "text"
        [row] = item.data.to_pylist()
        assert (row["spent_date"], row["spent_date__v_text"]) == (None, "1969-12-31")
