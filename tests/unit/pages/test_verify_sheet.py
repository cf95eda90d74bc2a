"""The sheet of a verification, for finance to sign."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from harvest_source.errors import ConfigError, ServerError
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.comparisons import Comparison, Subject
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.pages.html import check_place
from harvest_source.pages.verify_sheet import build_sheet, write_sheet

AS_OF = datetime(2026, 11, 30, 12, tzinfo=UTC)


def compare(here: str, there: str, name: str, client: str, year: int, **fields: Any) -> Comparison:
    given = {
        "account_id": 7,
        "table": "time_entries",
        "check": "amount",
        "scope": f"project 17, {year}",
        "currency": "EUR",
        "subject": Subject("project", 17, name, client),
        "year": year,
    }
    return Comparison(**{**given, **fields}, here=Decimal(here), there=Decimal(there))


def build(*comparisons: Comparison, **fields: Any) -> str:
    return build_sheet(VerifyReport((7,), comparisons, RunLog(), 9, as_of=AS_OF, **fields))


def read_table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    text = page.split(f">{heading}</h", 1)[1].split("</table>", 1)[0]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text)
    return [[unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows][
        1:
    ]


FIGURES = (
    compare("10.10", "10.10", "Website", "Acme", 2024),
    compare("20.20", "20.20", "Website", "Acme", 2025),
    compare("5", "7.5", "Relaunch", "Bolt", 2025),
    compare("0", "99", "Fixed", "Bolt", 2025, excuse="fixed fee"),
    compare("1000", "1000", "Tokyo", "Zen", 2025, currency="JPY"),
)


def test_sums_by_year_client_and_project_in_each_currency() -> None:
    """Undecided figures are in no sum, but named beside it; currencies are never added."""
    euros = build(*FIGURES).split("Billable amounts, EUR</h2>")[1]
    assert read_table(euros, "By year") == [
        ["2024", "10.10", "10.10", "0.00", ""],
        ["2025", "25.20", "27.70", "-2.50", "2 of 3 figures compared"],
    ]
    assert read_table(euros, "By client") == [
        ["Acme", "30.30", "30.30", "0.00", ""],
        ["Bolt", "5.00", "7.50", "-2.50", "1 of 2 figures compared"],
    ]
    assert read_table(euros, "By client and project")[0] == [
        *("Acme", "Website"),
        *("30.30", "30.30", "0.00", ""),
    ]
    last = read_table(euros, "Every project and year")[-1]
    assert last == ["Sum", "", "", "35.30", "37.80", "-2.50", "compared: 3 of 4, 27.6 %"]


def test_exceptions_are_named_before_the_place_to_sign() -> None:
    """Differences and undecided figures are named, so the signer has seen both."""
    page = build(*FIGURES)
    first, rest = page.split("Compared by")
    assert "1 of 4 figures differ" in first
    assert read_table(first, "What differs") == [
        ["Billable amounts, EUR", "project 17 Relaunch, Bolt, 2025", "5.00", "7.50", "-2.50", ""]
    ]
    assert read_table(first, "What is undecided")[0][-1] == "fixed fee"
    assert "Approved by" in rest


def test_an_invoice_is_of_the_year_it_was_issued_in() -> None:
    """The date is its own, by which the comparison rereads it."""
    day = date(2023, 12, 31)
    invoice = compare(
        *("3", "3", "INV-1", "Acme", 0),
        check="payments",
        subject=Subject("invoice", 1, "INV-1", "Acme"),
        slices=(Slice(DateWindow(day, date(2024, 1, 1))),),
    )
    object.__setattr__(invoice, "year", None)
    assert read_table(build(invoice), "By year")[0][0] == "2023"


def test_names_are_text() -> None:
    """A client may have any name; a browser executes none of it, and fetches nothing."""
    page = build(compare("1", "2", "<script>alert(1)</script>", "<img src=http://x.example>", 2024))
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src 'none'" in page


def test_tables_that_were_not_compared_are_named() -> None:
    """A sheet never says that all is well if a table failed."""
    log = RunLog()
    log.fail("invoices", 7, ServerError("Gave up on invoices."))
    page = build_sheet(VerifyReport((7,), FIGURES[:2], log, 9))
    assert "Not compared: invoices." in page
    assert "Gave up on invoices." in page
    assert 'class="result warn"' in page


def test_a_file_is_replaced_atomically(tmp_path: Path) -> None:
    """It is replaced at once; a folder, or a path in a missing folder, is refused first."""
    path = tmp_path / "sheet.html"
    path.write_text("earlier")
    write_sheet(path, VerifyReport((7,), FIGURES, RunLog(), 9))
    assert path.read_text().startswith("<!doctype html>")
    assert [each.name for each in tmp_path.iterdir()] == ["sheet.html"]
    for place in (tmp_path, tmp_path / "none" / "sheet.html"):
        with pytest.raises(ConfigError, match="folder"):
            check_place(place)
