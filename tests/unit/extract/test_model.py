"""
Reading a list that changes meanwhile, against the model in ``tests/support/model.py``.

The suite runs a few hundred trials and every short script. The long form, which found the seeds
below, is ``python -m pytest -m slow tests/unit/extract``.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.model_figures import (
    CLAUSES,
    RULE_2,
    Script,
    count_false,
    every_script,
    find_objections,
    read_script,
    run_many,
)

BRANCHES = {
    "planned",
    "planned again: far too long",
    "read again",
    "halved by date",
    "a day cut by id",
    "a day not cut: ids do not add up",
    "given up as unproven",
    "caught up",
    "one proven by the last catch-up",
    "several proven by the last catch-up",
    "unproven by the last catch-up",
    "catch-up not exact",
    "pages disagree",
    "news on a page",
    "news in the catch-up",
    "another count afterwards",
}

ONLY: dict[str, Script] = {
    "totals": ("", "D", "", ""),
    "ids": ("", "M", "D", "B"),
    "catch-up": ("", "DB", "", ""),
    "count": ("", "DB", "U", ""),
}
"""Scripts that lose a row, and that only one clause of rule 2 detects."""

MOVED_OUT = (7641, 9008, 11932)
"""Trials in which a row leaves the slice that is read after one catch-up, before the next read."""

LEFT_BETWEEN_ATTEMPTS = (2633, 4874, 7132, 8118, 14774, 15411, 16750)
"""Trials in which a row leaves the slice after an attempt whose pages disagree."""

ENDED_TOGETHER = (57209, 66825, 106386, 136435)
"""Trials in which a window whose proof is deferred to the last catch-up loses a row."""

UNPROVEN_AT_LAST = (563, 653, 1312)
"""Trials in which the last catch-up does not prove a window deferred to it."""

FEW = (
    *range(300),
    *MOVED_OUT,
    *LEFT_BETWEEN_ATTEMPTS,
    *ENDED_TOGETHER,
    *UNPROVEN_AT_LAST,
)
MANY = (*range(20_000), *MOVED_OUT, *ENDED_TOGETHER)

FOUR_ARE_FOOLED: Script = ("", "DB", "U", "B")
"""One row is deleted; one is created behind it and deleted again; one appears before the count."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW, id="few"),
        pytest.param(MANY, id="many", marks=pytest.mark.slow),
    ],
)
def trials(request: pytest.FixtureRequest) -> tuple[Counter[str], Counter[str]]:
    return run_many(request.param)


def test_a_proven_read_and_one_more_lose_no_row(
    trials: tuple[Counter[str], Counter[str]],
) -> None:
    """After a proven read and one more, no row is missing, and none is outdated."""
    verdicts, _ = trials
    assert verdicts["false"] == 0
    assert verdicts["proven"] > 0.85 * verdicts["trials"]


def test_rows_edited_on_pages_already_read_are_right_at_once(
    trials: tuple[Counter[str], Counter[str]],
) -> None:
    """A change before the last catch-up of a proven read is correct without a later read."""
    verdicts, _ = trials
    assert verdicts["late"] == 0


def test_the_trials_cover_every_path_through_the_reader(
    trials: tuple[Counter[str], Counter[str]],
) -> None:
    """Planning, rereads, halves, days split by id, and repeated catch-ups all occurred."""
    _, branches = trials
    assert branches.keys() == BRANCHES
    assert min(branches.values()) > 0, branches


@pytest.mark.parametrize(
    "seeds",
    [range(100), pytest.param(range(100, 6000), marks=pytest.mark.slow)],
    ids=["few", "many"],
)
def test_odd_dates_and_a_clock_behind_give_no_false_proof(seeds: range) -> None:
    """Rows dated years ahead look new in every read; two reads prove them, and lose nothing."""
    verdicts, _ = run_many(seeds, odd_dates=True)
    assert (verdicts["false"], verdicts["late"]) == (0, 0)
    assert verdicts["proven"] > 0.85 * verdicts["trials"]


@pytest.mark.parametrize("most", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("odd", [101, 106])
def test_no_short_script_fools_a_list_with_a_row_dated_years_ahead(odd: int, most: int) -> None:
    """Some scripts move or delete that row, but none changes its date."""
    verdicts = [read_script(script, odd=odd) for script in every_script(most)]
    assert not any(verdict.is_false for verdict in verdicts)
    assert verdicts[0].proven, "nothing changed"


@pytest.mark.parametrize(
    "most", [2, pytest.param(3, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_no_short_script_of_changes_goes_unnoticed(most: int) -> None:
    """Every script of up to *most* changes that loses a row is detected."""
    played, losing, passed = count_false(most)
    assert losing > played / 10
    assert passed[frozenset(CLAUSES)] == 0
    assert passed[frozenset({"totals", "news"})] == 0
    assert passed[frozenset({"ids", "news", "catch-up", "count"})] > 0


@pytest.mark.parametrize("clause", ONLY)
def test_each_clause_of_rule_2_is_needed(clause: str) -> None:
    """Without the clause, and without the pages' own dates, a script loses a row permanently."""
    script = ONLY[clause]
    objections, lost = find_objections(script)
    assert lost
    assert objections & RULE_2 == {clause}
    assert read_script(script, without=frozenset({clause, "news"})).is_false
    assert not read_script(script, without=frozenset({"news"})).is_false


def test_the_four_clauses_of_rule_2_are_not_enough() -> None:
    """Rows that come and go between requests fool all four; the pages' own dates do not."""
    assert find_objections(FOUR_ARE_FOOLED) == (frozenset({"news"}), True)
    assert read_script(FOUR_ARE_FOOLED, without=frozenset({"news"})).is_false


@pytest.mark.parametrize("script", [*ONLY.values(), FOUR_ARE_FOOLED], ids="|".join)
def test_all_clauses_together_are_not_fooled(script: Script) -> None:
    """The reader rereads or reports no proof; it never claims a false one."""
    assert not read_script(script).is_false
