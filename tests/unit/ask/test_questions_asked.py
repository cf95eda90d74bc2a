"""The guard of callers' own SQL: attacks are refused, ordinary questions pass."""

from __future__ import annotations

import pytest

from tests.support.questions import ORDINARY, REACHING_OUT, Faults, find_faults


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """What the lists of statements showed."""
    return find_faults(tmp_path_factory.mktemp("asked"))


def test_statements_that_reach_out_are_refused(faults: Faults) -> None:
    """Files, settings, writing, other databases: refused, and nothing changes on the disk."""
    assert faults.not_refused == {}
    assert not faults.is_changed
    assert len(REACHING_OUT) >= 80


def test_ordinary_questions_pass(faults: Faults) -> None:
    """What analysts ask of a warehouse is not in the way of the guard."""
    assert faults.not_answered == {}
    assert len(ORDINARY) >= 100
