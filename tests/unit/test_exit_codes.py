"""The exit codes of the command line."""

from __future__ import annotations

import pytest

from harvest_source import errors
from harvest_source.exit_codes import ExitCode, choose_exit_code


def test_exit_codes_are_fixed() -> None:
    """Schedulers depend on them."""
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 5, 6, 7, 130, 143]
    assert {kind.exit_code for kind in find_kinds()} == set(ExitCode) - {0, 130, 143}


def find_kinds() -> list[type[errors.HarvestError]]:
    kinds = [errors.HarvestError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (set(), 0),
        ({5}, 5),
        ({4, 5}, 4),
        ({3, 4, 5}, 3),
        ({6, 3, 4, 5}, 6),
        ({7, 6, 3}, 7),
        ({2, 7, 6}, 2),
        ({1, 2, 7, 6, 3, 4, 5}, 1),
    ],
)
def test_the_most_serious_exit_code_wins(codes: set[int], expected: int) -> None:
    """If several apply, the order is 1, 2, 7, 6, 3, 4, 5."""
    assert choose_exit_code(codes) == expected
