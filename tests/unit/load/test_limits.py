"""Values that a destination would store as others: refused by name."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from harvest_source.errors import ConfigError
from harvest_source.load.limits import LIMITS, Limits

CLICKHOUSE = LIMITS["clickhouse"]
REDSHIFT = LIMITS["redshift"]


@pytest.mark.parametrize(
    ("limits", "value", "what"),
    [
        (CLICKHOUSE, date(1969, 12, 31), "the day 1969-12-31"),
        (CLICKHOUSE, date(2149, 6, 7), "the day 2149-06-07"),
        (REDSHIFT, "é" * 32_768, "a text of 65,536 bytes"),
    ],
)
def test_a_value_beyond_the_limit_is_refused(limits: Limits, value: object, what: str) -> None:
    """With its column, what the destination keeps, and how to go on."""
    with pytest.raises(ConfigError) as refused:
        limits.check("time_entries", pa.table({"id": [1, 2], "it": [None, value]}))
    assert f"time_entries.it has {what}" in str(refused.value)
    assert "exclude = ['time_entries.it']" in str(refused.value)


def test_values_within_the_limits_pass() -> None:
    """The first and the last that fit, nulls, empty tables, and everything elsewhere."""
    days = pa.table({"it": [date(1970, 1, 1), date(2149, 6, 6), None]})
    texts = pa.table({"it": ["x" * 65_535, "", None]})
    CLICKHOUSE.check("t", days)
    REDSHIFT.check("t", texts)
    CLICKHOUSE.check("t", days.slice(0, 0))
    CLICKHOUSE.check("t", pa.table({"it": pa.array([None], pa.date32())}))
    Limits().check("t", pa.table({"it": [date(1, 1, 1)]}))
