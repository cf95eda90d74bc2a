"""The table of destinations agrees with the contract's results and with dlt's capabilities."""

from __future__ import annotations

import pytest

from tests.docs.destinations import find_strategy
from tests.support.contract_results import OK, parse, read
from tests.support.destination_story import STEPS, name_of
from tests.support.destinations import SERVERS, Server

each_server = pytest.mark.parametrize("server", SERVERS, ids=lambda each: each.name)

IN_CI = ("duckdb", "postgres", "sqlite", "delta")


def test_every_step_succeeded_for_every_destination() -> None:
    """Every step succeeded for every destination and version in the file, added steps included."""
    found: dict[str, dict[str, str]] = {}
    for each in read():
        found.setdefault(each.destination, {})[each.step] = each.result
    assert set(IN_CI) <= found.keys()
    for ended in found.values():
        assert ended == dict.fromkeys(map(name_of, STEPS), OK)


@each_server
def test_rows_are_deleted_and_inserted(server: Server) -> None:
    """Each destination that a sync loads into deletes and inserts rows, so array elements leave."""
    assert find_strategy(server) == "delete-insert"


def test_a_written_line_is_read_back_unchanged() -> None:
    """A written line is read back unchanged, and no other text is a line."""
    for each in read():
        assert parse(str(each)) == each
    assert parse("| a | b |") is None
