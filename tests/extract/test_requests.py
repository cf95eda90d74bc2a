"""The number of requests, by the sandbox's own counter: all users share the allowance."""

from __future__ import annotations

import json
from functools import partial

import pytest

from harvest_source.decode.decoder import Decoder
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.parent_lists import ParentList
from harvest_source.sandbox import Settings, World, agency_settings
from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS
from tests.support.read_lab import OpenReadLab, assert_read
from tests.support.simulation import DAY

UNCHANGED = 18
"""Requests of a run when nothing changed: the owner, each list once, and the running timers."""
LARGE = {"invoices": 520, "users": 20}
BELOW = [endpoint.name for endpoint in DEFAULT_ENDPOINTS if endpoint.parent is not None]


def test_a_first_read_asks_a_tenth_of_the_parents(open_lab: OpenReadLab) -> None:
    """Beside its pages: two requests a person, and for messages and payments 50 or a tenth each."""
    lab = open_lab(**LARGE)
    tables = [endpoint.name for endpoint in DEFAULT_ENDPOINTS]
    first = lab.read(*tables)
    assert first.run_log.failures == []
    asked = lab.server.requests.counts()
    assert sum(asked.get(name, 0) for name in BELOW) <= 2 * 20 + 2 * 52 + 50
    assert first.run_log.unasked.keys() == {
        (name, lab.server.account_id) for name in ("invoice_messages", "invoice_payments")
    }


@pytest.mark.rare
def test_a_refresh_asks_no_more_parents_than_a_first_read(open_lab: OpenReadLab) -> None:
    """The sweep that the refresh begins asks for the rest, as after a first read."""
    lab = open_lab(**LARGE)
    lab.read(*BELOW, all_children=True)
    lab.rest()
    lab.server.reset_requests()
    lab.read(*BELOW, full_refresh=True)
    asked = lab.server.requests.counts()
    # An empty list is requested twice if rows may have been loaded.
    assert sum(asked.get(name, 0) for name in BELOW) <= 2 * (2 * 20 + 2 * 52 + 50)


def test_a_payment_that_leaves_during_the_first_sweep_is_not_kept(open_lab: OpenReadLab) -> None:
    """The invoice was asked for after a change, but is unpaid when the sweep reaches it."""
    lab = open_lab(invoices=160)
    lab.read("invoices", "invoice_payments")
    paid = {row["invoice_id"] for row in lab.server.rows("invoice_payments")}
    old = min(paid - {row["invoice_id"] for row in lab.table("invoice_payments")})
    lab.rest()
    edited = lab.server.edit("invoices", old, notes="Edited")
    lab.rest()
    lab.read("invoices", "invoice_payments")
    assert old in {row["invoice_id"] for row in lab.table("invoice_payments")}
    for payment in lab.server.rows("invoice_payments"):
        if payment["invoice_id"] == old:
            lab.server.delete("invoice_payments", payment["id"])
    unpaid = {"due_amount": edited["amount"], "paid_at": None, "paid_date": None}
    lab.server.edit("invoices", old, **unpaid, updated_at=edited["updated_at"])
    while lab.read("invoices", "invoice_payments").run_log.unasked:
        lab.rest()
    assert old not in {row["invoice_id"] for row in lab.table("invoice_payments")}


def test_a_sweep_that_ends_late_begins_the_next_one(open_lab: OpenReadLab) -> None:
    """The parents that it asked first are due again, so what they lost since then leaves now."""
    lab = open_lab(invoices=160)
    lab.read("invoices", "invoice_payments")
    payment = lab.table("invoice_payments")[0]["id"]
    lab.server.delete("invoice_payments", payment)
    lab.rest(8 * DAY)
    lab.read("invoices", "invoice_payments")
    assert payment not in lab.ids("invoice_payments")
    assert_read(lab, "invoice_payments")


@pytest.mark.slow
def test_an_unchanged_large_account_costs_few_requests(open_lab: OpenReadLab) -> None:
    """With any number of invoices and people, each list is asked once, for changes."""
    lab = open_lab(**LARGE)
    lab.stop_timers()
    lab.rest()
    tables = [endpoint.name for endpoint in DEFAULT_ENDPOINTS]
    for _ in range(2):  # The second run is the first to ask for running timers separately.
        lab.read(*tables, all_children=True)
        lab.rest()
    lab.server.reset_requests()
    assert lab.read(*tables).run_log.failures == []
    assert 0 < sum(lab.server.requests.counts().values()) <= UNCHANGED


@pytest.mark.parametrize("data", ["varied", "agency"])
def test_no_rule_leaves_out_a_parent_with_children(data: str) -> None:
    """The endpoint table's rule for parents without children holds for all records served."""
    build = agency_settings if data == "agency" else partial(Settings, invoices=120)
    world = World(build(entries=2000))
    left_out = 0
    for below in (each for each in DEFAULT_ENDPOINTS if each.parent is not None):
        assert below.parent is not None
        listed = BY_NAME[below.parent.endpoint]
        decoder = Decoder(listed.record, account_id=1)
        rows = decoder.decode(json.dumps(world.rows(listed.name)).encode())
        without = ParentList((), rows, ReadResult()).without_children(below.parent.none_if)
        having = {row[below.parent.key] for row in world.rows(below.name)}
        assert not without & having
        left_out += len(without)
    assert left_out > 0


@pytest.mark.thorough
def test_time_entries_are_read_before_lists_below_parents(open_lab: OpenReadLab) -> None:
    """
    No list below a parent is requested before the last page of entries has arrived.

    So the entries are read as soon as the limiter lets their own requests through.
    """
    lab = open_lab(entries=3000, page_rows=20, invoices=60, users=10)
    tables = [endpoint.name for endpoint in DEFAULT_ENDPOINTS]
    lab.server.reset_requests()
    assert lab.read(*tables).run_log.failures == []
    asked = [request.table for request in lab.server.requests if request.table]
    last = max(place for place, table in enumerate(asked) if table == "time_entries")
    assert {*BELOW} <= {*asked[last:]}
    assert not {*BELOW} & {*asked[:last]}
    others = sum(table != "time_entries" for table in asked[:last])
    assert others < 60, "what else is read first is one or a few pages a table"
