"""Which invoices Harvest is asked about, when more differ than a run asks about."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from harvest_source.operations.compare_invoices import Figure, choose_questions
from harvest_source.operations.comparisons import Comparison

TODAY = date(2026, 11, 22)


def build_figure(*, check: str = "payments", is_usual: bool = True) -> Figure:
    comparison = Comparison(
        account_id=1,
        table="invoices",
        check=check,
        scope="invoice 1",
        here=Decimal(1),
        there=Decimal(2),
    )
    return Figure(comparison, lambda: "", is_usual=is_usual)


def test_what_no_write_off_explains_is_asked_about_first_and_the_rest_in_turn() -> None:
    """Each check has its own questions; within as many days as it takes, all are asked."""
    figures = [build_figure() for _ in range(60)]
    figures[50] = build_figure(is_usual=False)
    figures += [Figure(build_figure().comparison), build_figure(check="invoice total")]
    days = [choose_questions(figures, 20, TODAY + timedelta(days=each)) for each in range(4)]
    assert all({50, 61} <= {*asked} and len(asked) == 21 for asked in days)
    assert set[int]().union(*days) == {*range(60), 61}
