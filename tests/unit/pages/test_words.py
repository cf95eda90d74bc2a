"""How figures are written: rounded, and never rounded to what they are not."""

from __future__ import annotations

import math

import pytest

from harvest_source.pages.words import format_hours, format_money, format_share


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (-0.0, "0 %"),
        (0.003, "1 %"),
        (0.874, "87 %"),
        (0.996, "99 %"),
        (1, "100 %"),
        (1.004, "101 %"),
        (1.0000001, "101 %"),
        (1.006, "101 %"),
        (1.01, "101 %"),
        (12.344, "1,234 %"),
        (-0.003, "-1 %"),
        (-0.874, "-87 %"),
        (-0.996, "-99 %"),
        (-1, "-100 %"),
        (-1.004, "-101 %"),
    ],
)
def test_only_nothing_is_0_and_only_the_whole_is_100_percent(share: float, text: str) -> None:
    """A budget that is overrun by 0.4 % does not read as exactly full, nor a small loss as none."""
    assert format_share(share) == text


@pytest.mark.parametrize("toward", [0, 2])
def test_the_last_bits_of_a_share_do_not_count(toward: int) -> None:
    """Sums of floats err in them, so a budget that is exactly full may be off by one."""
    assert format_share(math.nextafter(1, toward)) == "100 %"


def test_nothing_has_no_minus() -> None:
    """A small negative amount or time that is rounded to 0 is not written as -0."""
    assert format_hours(-0.04) == "0 h"
    assert format_money(-0.4) == "0"
    assert format_money(-0.004, cents=True) == "0.00"
