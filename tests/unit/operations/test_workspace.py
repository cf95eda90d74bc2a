"""What the steps of a run share: warnings of columns that cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from harvest_source.operations.workspace import Lacking
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.made_up import build_workspace


@pytest.mark.parametrize(
    ("columns", "verb"),
    [(["users.cost_rate"], "was"), (["users.cost_rate", "users.roles"], "were")],
)
def test_columns_that_one_account_lacks_are_warned_of_with_the_account(
    columns: list[str], verb: str
) -> None:
    """An earlier run excluded them, not this one: the warning says how to have them read."""
    workspace = build_workspace(cast(Warehouse, SimpleNamespace(target=Target(pipeline="mine"))))
    lacking = Lacking(7, frozenset(columns))
    replace(workspace, lacking=lacking).warn_of_lacking("hours", columns)
    assert workspace.run_log.warnings == [
        f"Hours of account 7 cannot be compared: its rows lack {', '.join(columns)}, which {verb} "
        "excluded when they were read. A sync without the exclusion reads them again: "
        "harvest-source sync --pipeline mine"
    ]


def test_columns_that_the_run_excludes_are_warned_of_once() -> None:
    """The setting holds for all accounts, so the warning names none."""
    workspace = build_workspace(cast(Warehouse, None))
    for account_id in (7, 8):
        of_account = replace(workspace, lacking=Lacking(account_id, frozenset({"users.roles"})))
        of_account.warn_of_lacking("hours", ["users.cost_rate"])
    assert workspace.run_log.warnings == ["Hours cannot be compared: users.cost_rate is excluded."]
