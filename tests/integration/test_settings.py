"""How a run's settings change what it reads."""

from __future__ import annotations

import pytest

from tests.support.labs import OpenLab


@pytest.mark.rare
def test_document_keys_are_loaded_when_included(open_lab: OpenLab) -> None:
    """``include`` brings only the named columns; if it is set later, a refresh fills them."""
    lab = open_lab.loaded("invoices", "clients")
    asked = {"include": ["invoices.client_key"]}
    lab.rest()
    lab.sync("invoices", "clients", full_refresh=True, settings=asked)
    truth = {row["id"]: row["client_key"] for row in lab.server.rows("invoices")}
    assert all(truth.values())
    assert {row["id"]: row["client_key"] for row in lab.table("invoices")} == truth
    assert "statement_key" not in lab.columns("clients")


def test_a_column_both_included_and_excluded_is_not_loaded(open_lab: OpenLab) -> None:
    """A column both included and excluded is left out: the exclusion wins."""
    lab = open_lab()
    both = {"include": "clients.statement_key", "exclude": "clients.statement_key"}
    lab.sync("clients", settings=both)
    assert "statement_key" not in lab.columns("clients")


@pytest.mark.rare
def test_a_full_refresh_asks_every_parent(open_lab: OpenLab) -> None:
    """Children deleted without a trace, and those of deleted parents, leave at once."""
    lab = open_lab.loaded("invoices", "invoice_payments", "invoice_messages")
    payment = lab.server.rows("invoice_payments")[0]
    lab.server.delete("invoice_payments", payment["id"])
    message = next(
        row
        for row in lab.server.rows("invoice_messages")
        if row["invoice_id"] != payment["invoice_id"]
    )
    lab.server.delete("invoices", message["invoice_id"], force=True)
    lab.rest()
    report = lab.sync("invoices", "invoice_payments", "invoice_messages", full_refresh=True)
    assert report.status == "ok"
    for table in ("invoice_payments", "invoice_messages"):
        assert lab.ids(table) == sorted(row["id"] for row in lab.server.rows(table))
    assert message["id"] not in lab.ids("invoice_messages")
