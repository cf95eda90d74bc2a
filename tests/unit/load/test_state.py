"""Where the state of our source lies."""

from __future__ import annotations

from typing import Any

import pytest

from harvest_source.load.state import forget_tables, source_state, stored_accounts

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


def test_accounts_of_one_table() -> None:
    """By account id, as text."""
    assert stored_accounts(source_state(STATE), "clients") == {"1": {"cursor": "2024"}}


@pytest.mark.parametrize("state", [{}, {"sources": {}}, {"sources": {"other": {}}}])
def test_a_state_without_ours(state: dict[str, Any]) -> None:
    """Nothing is stored of a source that never ran."""
    assert source_state(state) == {}
    assert stored_accounts(source_state(state), "clients") == {}
    forget_tables(source_state(state), ["clients"])


def test_forgotten_tables_leave_the_others() -> None:
    """Only the named tables, only of our source."""
    state = {
        "sources": {
            name: {"resources": dict(each["resources"])} for name, each in STATE["sources"].items()
        }
    }
    forget_tables(source_state(state), ["clients", "nowhere"])
    assert source_state(state)["resources"] == {"roles": {"accounts": {}}}
    assert state["sources"]["another"]["resources"] == {"clients": {}}
