"""The queries of ``docs/questions.md``, on the models and on the tables: ``pytest -m dbt``."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.docs.blocks import iter_blocks
from tests.docs.pages import FOLDER
from tests.support.models_lab import is_near

if TYPE_CHECKING:
    from tests.support.models_lab import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]

_BLOCKS = list(iter_blocks((FOLDER / "questions.md").read_text()))
PAIRS = list(pairwise(_BLOCKS))[::2]


def test_there_are_ten_pairs() -> None:
    """There are ten pairs: one query on the models and one on the tables."""
    assert len(PAIRS) == 10
    for of_models, of_tables in PAIRS:
        assert "harvest_models." in of_models.text
        assert "harvest_models." not in of_tables.text


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"line {pair[0].line}")
def test_both_queries_give_the_same(built: Built, pair: Any) -> None:
    """Both queries give the same rows in order, and at least one; numbers may be rounded."""
    today = built.lab.clock().date()
    with duckdb.connect(str(built.lab.database), read_only=True) as connection:
        ours, theirs = (
            connection.execute(block.text.replace("current_date", f"DATE '{today}'")).fetchall()
            for block in pair
        )
    assert ours
    assert len(ours) == len(theirs)
    for left, right in zip(ours, theirs, strict=True):
        assert all(map(is_same, left, right)), (left, right)


def is_same(left: Any, right: Any) -> bool:
    """Whether two values are equal; numbers may differ by a rounding."""
    if isinstance(left, datetime) or isinstance(right, datetime):
        return str(left)[:10] == str(right)[:10]
    if left == right:
        return True
    return not isinstance(left, str) and is_near(left, right)
