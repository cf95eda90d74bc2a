"""
Data that no client sends on purpose: names like SQL, ours or each other's, values out of range.

The whole path, sandbox to DuckDB and back, in both lanes: tables without arrays travel as Arrow
tables, those with arrays as dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.support.lab import Lab, by_id
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal
from tests.support.values import leaves, spell

ARROW, DICTS = "clients", "invoices"
LANES = (ARROW, DICTS)
TEXT = {ARROW: "address", DICTS: "notes"}

TEXTS = {
    "quotes": "O'Brien \"the\" `one` \\ \\' $$ %s {} ;",
    "sql": "'; DROP TABLE clients; --",
    "lines": "one\ntwo\r\nthree\u2028four\ttab",
    "nul": "before\x00after",
    "emoji": "\U0001f41d\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 \u202eright\u202c",
    "surrogate": "lone \ud800 half",
    "a megabyte": "x\U0001f41d" * 210_000,
    "only blanks": "  \t ",
    "like a null": "NULL",
    "like json": '{"a": [1, "b"]}',
}

FIELDS: Mapping[str, Any] = {
    "account_id": 77,
    "_dlt_load_id": "mine",
    "_dlt_id": "mine, too",
    "id__v_text": "a code",
    "name__v_text": 5,
    "newField": "camel",
    "new_field": "snake",
    "New Field": "spaced",
    'quo"ted': "quoted",
    "'; DROP TABLE clients; --": "dropped",
    "line\nbreak": 1,
    "nul\x00name": 2,
    "\U0001f41d": "bee",
    "select": "word",
    "x" * 200: "long",
    "": "nameless",
    "deep": {"a": {"b": {"c": {"d": {"e": {"f": "down"}}}}}},
    "fine": Decimal("0.12345678901234567890"),
    "huge": 2**80,
    "tiny": Decimal("1e-30"),
    "first_day": "0001-01-01",
    "last_day": "9999-12-31",
    "first_instant": "0001-01-01T00:00:00Z",
    "last_instant": "9999-12-31T23:59:59Z",
}


def without_misfits(warnings: list[str]) -> list[str]:
    """The warnings other than those that count misfit values, which are intended here."""
    return [each for each in warnings if "Sums of the column leave them out" not in each]


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A small account, loaded."""
    lab = open_lab.loaded(*LANES, invoices=6, clients=4)
    lab.rest()
    return lab


def touch(lab: Lab, table: str) -> None:
    """Touch every record of *table*, so that it is read again."""
    lab.server.edit_many(table, [row["id"] for row in lab.server.rows(table)])
    lab.rest()


@pytest.mark.rare
@pytest.mark.parametrize("table", LANES)
def test_texts_arrive_unchanged(lab: Lab, table: str) -> None:
    """Every text arrives unchanged; a lone surrogate, which no database holds, as its escape."""
    records = [lab.server.create(table) for _ in TEXTS]
    for record, text in zip(records, TEXTS.values(), strict=True):
        change: dict[str, Any] = {TEXT[table]: text}
        lab.server.edit(table, record["id"], **change)
    lab.rest()
    assert lab.sync(*LANES).status == "ok"
    landed = by_id(lab.table(table))
    for record, text in zip(records, TEXTS.values(), strict=True):
        kept = text.encode("utf-8", "backslashreplace").decode()
        assert landed[record["id"]][TEXT[table]] == kept


@pytest.mark.rare
@pytest.mark.parametrize("table", LANES)
def test_fields_of_any_name_arrive(lab: Lab, table: str) -> None:
    """Fields may be named like ours, SQL or each other: every value is kept exactly in its row."""
    lab.server.alter(table, lambda record: {**record, **FIELDS})
    touch(lab, table)
    report = lab.sync(*LANES)
    assert (report.status, without_misfits(report.run_log.warnings)) == ("ok", [])
    for row in lab.table(table):
        assert row["account_id"] == lab.server.account_id
        assert row["_dlt_load_id"] != "mine"
        found = set(map(spell, row.values()))
        lost = [leaf for leaf in leaves(FIELDS) if spell(leaf) not in found]
        assert lost == []
    touch(lab, table)
    assert lab.sync(*LANES).status == "ok"


@pytest.mark.rare
def test_extreme_dates_are_loaded(open_lab: OpenLab) -> None:
    """People type such years; windows, cursors and audits work around them."""
    lab = open_lab(entries=60, invoices=6)
    lab.stop_timers()
    for place, day in enumerate(["0001-01-01", "9999-12-31"]):
        for record in lab.server.rows("time_entries")[place::20]:
            lab.server.edit("time_entries", record["id"], spent_date=day)
        lab.server.edit("invoices", lab.server.rows("invoices")[place]["id"], issue_date=day)
    lab.rest()
    for options in ({}, {"full_refresh": True}, {"deletes": True}):
        report = lab.sync("time_entries", "invoices", **options)
        assert (report.status, report.run_log.failures) == ("ok", [])
        lab.rest()
        assert_equal(lab, "time_entries")
        assert_equal(lab, "invoices")


@pytest.mark.rare
@pytest.mark.parametrize("table", LANES)
def test_a_row_repeated_on_a_page_is_loaded_once(lab: Lab, table: str) -> None:
    """
    An id that is duplicated on one page is in the table once.

    Other bad answers: ``tests/extract/test_hostile.py``.
    """
    lab.server.fault("repeated_rows", table=table)
    touch(lab, table)
    lab.sync(*LANES)
    assert len(lab.ids(table)) == len(set(lab.ids(table))) == len(lab.server.rows(table))
    lab.server.clear_faults()
    lab.rest()
    assert lab.sync(*LANES).status == "ok"
    for each in LANES:
        assert_equal(lab, each)


@pytest.mark.parametrize("table", LANES)
def test_excessive_nesting_raises_our_own_error(lab: Lab, table: str) -> None:
    """Excessive nesting is our error, not the interpreter's, and the other tables land."""
    deep: Any = 1
    for _ in range(400):
        deep = {"a": deep}
    lab.server.alter(table, lambda record: {**record, "deep": deep})
    touch(lab, table)
    report = lab.sync(*LANES)
    assert report.exit_code in (0, 4), report.errors
    assert {failure.table for failure in report.run_log.failures} <= {table}
