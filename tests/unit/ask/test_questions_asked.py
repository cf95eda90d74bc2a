"""The guard on callers' own SQL refuses attacks, and lets ordinary questions pass."""

from __future__ import annotations

import pytest

from tests.support.questions import ORDINARY, REACHING_OUT, Faults, find_faults

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """The faults that the lists of statements revealed."""
    return find_faults(tmp_path_factory.mktemp("asked"))


def test_statements_that_reach_out_are_refused(faults: Faults) -> None:
    """Files, settings, writes and other databases are refused, and the disk is unchanged."""
    assert faults.not_refused == {}
    assert not faults.is_changed
    assert len(REACHING_OUT) >= 80


def test_ordinary_questions_pass(faults: Faults) -> None:
    """The guard lets pass what analysts ask of a warehouse."""
    assert faults.not_answered == {}
    assert len(ORDINARY) >= 100
