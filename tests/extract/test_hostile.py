"""Answers and values that no client expects: every value is kept, and no answer loses a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvest_source.errors import ResponseError
from tests.support.read_lab import OpenReadLab, ReadLab, assert_read
from tests.support.simulation import Row, by_id
from tests.support.values import leaves, spell

TABLES = ("clients", "invoices")


def touch(lab: ReadLab, table: str) -> None:
    """Touch every record of *table*, so that it is read again."""
    lab.server.edit_many(table, [row["id"] for row in lab.server.rows(table)])
    lab.rest()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("fault", ["endless", "next_cycle", "list_body", "wrong_total"])
def test_bad_answers_lose_nothing(open_lab: OpenReadLab, table: str, fault: str) -> None:
    """Endless lists and wrong shapes are an error of ours, and all rows stay."""
    lab = open_lab(invoices=6, clients=4)
    lab.read(*TABLES)
    assert_nothing_lost(lab, table, fault)


@pytest.mark.thorough
def test_a_small_body_that_unpacks_to_a_large_one_loses_nothing(open_lab: OpenReadLab) -> None:
    """Reading stops at 256 MB."""
    lab = open_lab(invoices=6, clients=4)
    lab.read(*TABLES)
    assert_nothing_lost(lab, "clients", "gzip_bomb", mb=260)


def assert_nothing_lost(lab: ReadLab, table: str, fault: str, **options: Any) -> None:
    """A read that meets *fault* keeps all rows, and the next one reads every row."""
    before = lab.ids(table)
    lab.server.fault(fault, table=table, **options)
    touch(lab, table)
    for failure in lab.read(*TABLES).run_log.failures:
        assert failure.table == table
        assert isinstance(failure.error, ResponseError)
    assert lab.ids(table) == before
    lab.server.clear_faults()
    lab.rest()
    assert lab.read(*TABLES).run_log.failures == []
    for each in TABLES:
        assert_read(lab, each)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False, places=12).map(
        lambda number: Decimal(format(number, "f"))
    )
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z", "1.50", "007", "true", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("abcXY_ ", max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
fields = st.sampled_from(["name", "is_active", "currency", "bonus", "Bonus", "extra_field", "at"])


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[ReadLab]:
    """One account for all examples: the type that one gives a field binds the next."""
    naming = NamingConvention()
    with ReadLab(entries=5, clients=4, rename=naming.normalize_path) as lab:
        lab.read("clients")
        yield lab


@settings(
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.dictionaries(fields, values, max_size=4), min_size=4, max_size=4))
def test_any_value_in_any_field_is_kept(fuzzed: ReadLab, changes: list[Row]) -> None:
    """No page stops a run, and every scalar that was sent is in its row."""
    records = fuzzed.server.rows("clients")
    by_record = dict(zip((r["id"] for r in records), changes, strict=False))
    fuzzed.server.clear_alterations()
    fuzzed.server.alter("clients", lambda r: {**r, **by_record.get(r["id"], {})})
    touch(fuzzed, "clients")
    assert fuzzed.read("clients").run_log.failures == []
    landed = by_id(fuzzed.table("clients"))
    for record_id, change in by_record.items():
        found = set(map(spell, landed[record_id].values()))
        for value in change.values():
            for leaf in leaves(value):
                text = json.dumps(leaf, default=str) if isinstance(leaf, bool | list) else leaf
                kept = leaf is None or spell(leaf) in found or spell(text) in found
                assert kept or isinstance(leaf, list), (leaf, found)
