"""Where our source's state is stored."""

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
