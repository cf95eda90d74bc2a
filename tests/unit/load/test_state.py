"""Where our source's state is stored, and which modules may change it."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from harvest_source.load.state import forget_tables, source_state, stored_accounts
from tests.structure import DEFAULT_FOLDER, Source, read_package

STATE: dict[str, Any] = {
    "sources": {
        "harvest": {
            "resources": {
                "clients": {"accounts": {"1": {"cursor": "2024"}}, "place": "x"},
                "roles": {"accounts": {}},
            }
        },
        "another": {"resources": {"clients": {}}},
    }
}


def test_the_state_of_a_table_is_keyed_by_account_id() -> None:
    """The state is by account id, as text."""
    assert stored_accounts(source_state(STATE), "clients") == {"1": {"cursor": "2024"}}


@pytest.mark.parametrize("state", [{}, {"sources": {}}, {"sources": {"other": {}}}])
def test_a_source_that_never_ran_has_no_state(state: dict[str, Any]) -> None:
    """A source that never ran has no state."""
    assert source_state(state) == {}
    assert stored_accounts(source_state(state), "clients") == {}
    forget_tables(source_state(state), ["clients"])


def test_forgetting_tables_keeps_the_others() -> None:
    """Only the named tables are forgotten, and only of our source."""
    state = {
        "sources": {
            name: {"resources": dict(each["resources"])} for name, each in STATE["sources"].items()
        }
    }
    forget_tables(source_state(state), ["clients", "nowhere"])
    assert source_state(state)["resources"] == {"roles": {"accounts": {}}}
    assert state["sources"]["another"]["resources"] == {"clients": {}}


STATES = {
    # dlt gives access to these while it extracts.
    "resource_state": {"load.state"},
    "source_state": {"load.state"},
    # We change this one, and load it at once.
    "managed_state": {"warehouse.pipeline"},
}
"""Ways to change dlt's state, and the modules that may use each."""


@pytest.mark.parametrize(
    "source",
    [source for source in read_package(DEFAULT_FOLDER) if source.room != "sandbox"],
    ids=lambda source: source.module,
)
def test_state_is_written_only_through_load_state(source: Source) -> None:
    """State is reached through ``load.state``, and written with rows or by ``write_state``."""
    called = [node.func for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    for name, allowed in STATES.items():
        found = any(
            isinstance(each, ast.Attribute) and each.attr == name and name in ast.unparse(each)
            for each in called
        )
        assert not found or source.module in allowed, name
    writers = {"load.packages", "load.resources", "load.state"}
    is_writer = any(isinstance(each, ast.Name) and each.id == "current_accounts" for each in called)
    assert not is_writer or source.module in writers
