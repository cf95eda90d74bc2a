"""The questions without SQL."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from harvest_source.ask.questions import KINDS


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_question_reads_each_of_its_fields(kind: type[Any]) -> None:
    """A field that no SELECT depends on promises callers what does not happen."""
    code = inspect.getsource(kind)
    assert [each.name for each in fields(kind) if f"self.{each.name}" not in code] == []
