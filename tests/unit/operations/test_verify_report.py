"""The report of a verification."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harvest_source.errors import AuthError, HarvestError, ServerError
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.comparisons import Comparison
from harvest_source.operations.verify_report import VerifyReport


def compare(here: int, there: int, excuse: str = "") -> Comparison:
    return Comparison(
        account_id=7,
        table="clients",
        check="rows",
        scope="all",
        here=Decimal(here),
        there=Decimal(there),
        excuse=excuse,
    )


EQUAL, DIFFERENT, EXCUSED = compare(1, 1), compare(1, 2), compare(1, 2, "fixed fee")


def report(*comparisons: Comparison, error: HarvestError | None = None) -> VerifyReport:
    log = RunLog()
    if error is not None:
        log.fail("invoices", 7, error)
    return VerifyReport((7,), comparisons, log, 3)


@pytest.mark.parametrize(
    ("comparisons", "error", "code"),
    [
        ((EQUAL,), None, 0),
        ((EQUAL, EXCUSED), None, 0),
        ((EQUAL, DIFFERENT), None, 5),
        ((EQUAL,), ServerError("x"), 4),
        ((DIFFERENT,), ServerError("x"), 4),
        ((DIFFERENT,), AuthError("x"), 3),
    ],
)
def test_a_difference_exits_with_5_unless_a_table_failed(
    comparisons: tuple[Comparison, ...], error: HarvestError | None, code: int
) -> None:
    """A difference gives 5; a table that could not be compared is more serious."""
    found = report(*comparisons, error=error)
    assert found.exit_code == code
    assert found.as_dict()["status"] == ("ok" if code == 0 else "error")


def test_comparisons_are_counted_by_state() -> None:
    """Every state is listed, with zero too."""
    assert report(EQUAL, EQUAL, EXCUSED).count_states() == {
        "ok": 2,
        "differs": 0,
        "information": 1,
    }


def test_only_figures_without_an_excuse_are_differences() -> None:
    """These are the differences that ``--fix`` reads again."""
    assert report(EQUAL, DIFFERENT, EXCUSED).differences == [DIFFERENT]
