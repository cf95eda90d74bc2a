"""What the app shows of a warehouse, and what it says if it cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harvest_source.pages import live
from harvest_source.pages.filters import Choices
from harvest_source.warehouse.target import build_target
from tests.support.marts import MadeMarts

DAYS = date(2026, 11, 1), date(2026, 11, 30)


def show(path: Path, account: int = 7) -> None:
    live.show(live.Shown(build_target("duckdb", path, "harvest", "p"), (account,)))


def test_shared_names_are_chosen_together() -> None:
    """One without a name is shown by its id."""
    known = (((7, 1), "Acme"), ((8, 1), "Acme"), ((7, 2), ""))
    assert live.group_by_name(known) == {
        "Acme": ((7, 1), (8, 1)),
        "without a name, 2": ((7, 2),),
    }


def test_a_half_typed_year_is_not_asked() -> None:
    """A year that is typed digit by digit is asked with its fourth digit, at either end."""
    asked = [year for year in (2, 20, 202, 2026) if live.is_typed((date(year, 6, 15), DAYS[1]))]
    assert asked == [2026]
    assert not live.is_typed((DAYS[0], date(202, 6, 15)))


def test_what_was_chosen_is_kept() -> None:
    """A chosen key keeps its name or gets its new one; the end of the data stays the end."""
    first = Choices(date(2026, 11, 30), date(2026, 1, 1), (), (), (), (), ())
    chosen = live.Chosen((7,), clients=[((7, 1),), ((7, 3),)])
    groups = {"Acme & Sons": ((7, 1), (8, 1)), "Birch": ((7, 2),)}
    assert live.find_names(groups, chosen.clients) == ["Acme & Sons"]
    assert live.find_names(groups, chosen.people) == []
    assert chosen.find_period(first) == first.default_period()
    chosen.keep_period(DAYS, first)
    later, earlier = (replace(first, as_of=date(2026, month, 1)) for month in (12, 3))
    assert chosen.find_period(later) == (DAYS[0], date(2026, 12, 1))
    assert chosen.find_period(earlier) == (DAYS[0], DAYS[0])
    chosen.keep_period((date(1998, 1, 1), date(2026, 11, 29)), first)
    chosen.keep_period((DAYS[1], DAYS[0]), first)
    assert chosen.find_period(later) == (date(1998, 1, 1), date(2026, 11, 29))


def test_a_filter_whose_choices_are_all_gone_is_said() -> None:
    """The page then shows all, which must not pass for what was chosen; a part of it still does."""
    known = (((7, 1), "Acme"), ((7, 2), "Birch"))
    now = Choices(date(2026, 11, 30), None, ((7, "Acme"),), known, known, ("EUR",), ())
    kept = live.Chosen((7,), clients=[((7, 1),), ((7, 9),)], people=[((7, 2),)], currency="EUR")
    assert live.describe_lost(kept, now) == live.describe_lost(live.Chosen(()), now) == ""
    lost = live.Chosen((8,), clients=[((7, 9),), ((8, 1),)], people=[((7, 9),)], currency="JPY")
    said = live.describe_lost(lost, now)
    for each in ("clients", "people", "currencies", "accounts"):
        assert f"The {each} that were chosen are no longer in the models: all {each} are" in said


def test_the_page_shows_the_chosen_filters(made: MadeMarts) -> None:
    """The page is the report's, with the chosen clients and currency."""
    made.add("clients", {"client_id": 1, "client_name": "Alder", "currency": "EUR"})
    show(made.path)
    choices = live.find_choices()
    assert isinstance(choices, Choices)
    assert live.preset_accounts() == (7,)
    text = live.build_view(
        choices, days=DAYS, accounts=(7,), clients=[((7, 1),)], people=[], currency="EUR"
    )
    assert "only Alder" in text
    assert "only EUR" in text
    assert text.count("<section") == 10


def test_the_reason_for_an_empty_page_is_shown(made: MadeMarts, tmp_path: Path) -> None:
    """The reason is text with the command, even if the models vanish while the page is open."""
    show(tmp_path / "<none>.duckdb")
    said = live.find_choices()
    assert isinstance(said, str)
    assert "harvest-source sync" in said
    assert "&lt;none&gt;" in said
    show(made.path)
    choices = live.find_choices()
    assert isinstance(choices, Choices)
    said = live.build_view(
        choices, days=DAYS[::-1], accounts=(), clients=[], people=[], currency=None
    )
    assert "ends on 2026-11-01, before it begins on 2026-11-30. Correct one of the days" in said
    assert "<section" not in said
    made.run("DROP SCHEMA harvest_models CASCADE")
    said = live.build_view(choices, days=DAYS, accounts=(), clients=[], people=[], currency=None)
    assert "harvest-source transform" in said


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE harvest_models.harvest__clients",
        "DROP TABLE harvest_models.harvest__budget_months",
        "ALTER TABLE harvest_models.harvest__budgets DROP COLUMN weekly_use",
    ],
)
def test_models_of_another_version_are_said(made: MadeMarts, change: str) -> None:
    """The page names the command that builds what is missing, not the database's error."""
    show(made.path)
    choices = live.find_choices()
    assert isinstance(choices, Choices)
    made.run(change)
    said = live.build_view(choices, days=DAYS, accounts=(), clients=[], people=[], currency=None)
    assert f"harvest-source transform --database {made.path}" in said
    assert "Error" not in said


def test_an_account_missing_from_the_models_is_reported(made: MadeMarts) -> None:
    """Such a filter would be empty, and the page would show every account."""
    show(made.path, 5)
    said = live.find_choices()
    assert isinstance(said, str)
    assert "no account 5. They have: 7" in said
