"""One line per check and currency: how its sums and its share are computed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from harvest_source.operations.comparisons import Comparison, State
from harvest_source.operations.verify_summary import find_open_questions, summarise_checks


def compare(here: str, there: str, **fields: Any) -> Comparison:
    given = {"account_id": 7, "table": "time_entries", "check": "amount", "scope": "project 1"}
    return Comparison(**{**given, **fields}, here=Decimal(here), there=Decimal(there))


def test_currencies_are_never_added() -> None:
    """Each currency has its own line."""
    euros, yen = compare("1", "1", currency="EUR"), compare("2", "2", currency="JPY")
    found = summarise_checks((euros, yen, compare("3", "3", currency="EUR")))
    assert [(each.currency, each.here) for each in found] == [
        ("EUR", Decimal(4)),
        ("JPY", Decimal(2)),
    ]


def test_years_of_a_table_are_not_added_to_the_whole() -> None:
    """A row is counted once; a year that differs still makes the check differ."""
    whole = compare("10", "10", check="rows", scope="all")
    parts = (compare("4", "5", check="rows", scope="2024"), compare("6", "5", check="rows"))
    (found,) = summarise_checks((whole, *parts))
    assert (int(found.here), found.figures, found.differing) == (10, 1, 2)
    assert found.state is State.DIFFERS


def test_the_share_is_of_the_sum_in_harvest() -> None:
    """One figure of two may be nearly all of the money."""
    told, untold = compare("990", "990"), compare("0", "10", excuse="fixed fee")
    (found,) = summarise_checks((told, untold))
    assert (found.compared, found.figures, found.share) == (1, 2, Decimal("0.99"))
    assert [int(each) for each in (found.here, found.there, found.difference)] == [990, 990, 0]


def test_a_check_without_any_result_is_not_ok() -> None:
    """Its sums contain nothing."""
    (found,) = summarise_checks((compare("0", "10", excuse="fixed fee"),))
    assert (found.state, found.share) == (State.INFORMATION, Decimal(0))


def test_sums_are_exact() -> None:
    """Figures of forty digits are added without rounding."""
    large, small = "1" + "0" * 39, "0.000000001"
    (found,) = summarise_checks((compare(large, large), compare(small, "0", tolerance=Decimal(1))))
    assert found.difference == Decimal(small)


def test_undecided_figures_are_grouped_by_reason() -> None:
    """Seventy projects with a fixed fee are one line."""
    fixed = [compare("0", str(n + 1), excuse="fixed fee", scope=f"project {n}") for n in range(70)]
    (found,) = find_open_questions((*fixed, compare("1", "1")))
    assert (found.check, found.reason, len(found.comparisons)) == ("amount", "fixed fee", 70)
