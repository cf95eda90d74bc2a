"""
The eighteen entities that agents ask Harvest for, each answered from the copy.

The functions, the tools and the command each list, page, filter and get by id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harvest_source import ask
from harvest_source.ask import Runner
from harvest_source.ask.mcp.tools import TOOLS, parse_arguments
from harvest_source.cli import main as cli
from tests.support.lab import Lab

ENTITIES = {
    "users": "users",
    "clients": "clients",
    "contacts": "contacts",
    "company": "company",
    "projects": "projects",
    "tasks": "tasks",
    "time entries": "time_entries",
    "invoices": "invoices",
    "invoice item categories": "invoice_item_categories",
    "estimates": "estimates",
    "estimate item categories": "estimate_item_categories",
    "expenses": "expenses",
    "expense categories": "expense_categories",
    "roles": "roles",
    "user assignments": "user_assignments",
    "task assignments": "task_assignments",
    "time by project": "report_time_projects",
    "time by task": "report_time_tasks",
}
"""Each entity and the table that answers for it."""
WITHOUT_ID = {"company": "account_id", "report_time_projects": "", "report_time_tasks": ""}
"""Tables whose rows have no ``id``, and what the tests ask for instead."""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner on a warehouse that contains all entities."""
    with Lab(tmp_path_factory.mktemp("entities"), entries=60) as lab:
        assert lab.sync(*ENTITIES.values()).exit_code == 0
        runner = Runner(lab.database, keeps_one_ready=True)
        yield runner
        runner.close()


@pytest.mark.rare
@pytest.mark.parametrize("entity", ENTITIES)
def test_every_entity_can_be_listed_filtered_and_read(
    runner: Runner, entity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each entity gives a page, the next page, a filter and one record; tool and command agree."""
    table = ENTITIES[entity]
    first = ask.list_records(table, limit=1, warehouse=runner)
    assert len(first.rows) == 1
    if first.cursor is not None:
        second = ask.list_records(table, limit=1, after=first.cursor, warehouse=runner)
        assert second.rows[0] != first.rows[0]
    else:
        assert table == "company"
    record = first.records()[0]
    key = WITHOUT_ID.get(table, "id")
    if key:
        filtered = ask.list_records(table, where={key: record[key]}, warehouse=runner)
        assert filtered.rows == first.rows
    if key == "id":
        tool = TOOLS["get_record"]
        given = parse_arguments(tool, {"table": table, "id": record["id"]})
        assert tool.answer(runner, given).rows == first.rows
        command = ["get", table, str(record["id"]), "--database", str(runner.path), "--json"]
        assert cli.run(command) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == [list(first.rows[0])]


def test_time_by_project_and_task_equals_both_reports(runner: Runner) -> None:
    """The time entries alone give what the two reports say, for any period."""
    for by in ("project", "task"):
        answer = ask.sum_time([by], warehouse=runner)
        assert sum(each["entries"] for each in answer.records()) == 60
