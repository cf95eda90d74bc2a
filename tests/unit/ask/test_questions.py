"""The questions without SQL."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.ask.exchange import Request
from harvest_source.ask.questions import KINDS
from harvest_source.ask.worker import run
from tests.support.questions import SCHEMAS, make_warehouse


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_question_reads_each_of_its_fields(kind: type[Any]) -> None:
    """A field that no SELECT depends on promises callers what does not happen."""
    code = inspect.getsource(kind)
    assert [each.name for each in fields(kind) if f"self.{each.name}" not in code] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [("solo", ["Solo"]), ("her", ["Cher"]), ("ada abb", ["Ada Abbott"]), ("solo ", [])],
)
def test_people_who_lack_a_name_are_found_by_the_other(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    """A null first or last name does not hide the other, neither from the search nor in it."""
    with duckdb.connect(str(make_warehouse(tmp_path / "warehouse.duckdb"))) as connection:
        connection.execute(
            "CREATE TABLE harvest.users AS SELECT 1000001 AS account_id, * FROM (VALUES "
            "(1, 'Solo', NULL), (2, NULL, 'Cher'), (3, 'Ada', 'Abbott')) "
            "AS t(id, first_name, last_name)"
        )
        value = {"kind": "FindNames", "text": text}
        reply = run(connection, Request("", "harvest", SCHEMAS, question=value))
    assert [row[3] for row in reply.rows] == names
