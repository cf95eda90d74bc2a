"""A limited caller sees, through every tool, what a file without the rest would show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from harvest_source.ask.access import Access, Caller
from harvest_source.ask.audit_log import AuditLog
from harvest_source.ask.callers import People
from harvest_source.ask.mcp.server import AskServer
from harvest_source.ask.row_rules import Person
from harvest_source.ask.scopes import parse_scope
from harvest_source.clock import SystemClock
from tests.support.in_process import RunnerHere
from tests.support.limited import (
    Viewer,
    World,
    filter_world,
    refuse_to_ask,
    viewers,
    worlds,
)
from tests.support.limited_calls import DrawnScope, calls, scopes
from tests.support.sides import Side

KINDS = ("all", "own", "managed")
Called = tuple[str, Mapping[str, Any]]
Drawn = Sequence[tuple[str, DrawnScope, Viewer]]


CORE: Sequence[Called] = (
    ("list_records", {"table": "time_entries", "limit": 2}),
    ("list_records", {"table": "harvest__people", "limit": 4}),
    ("get_status", {}),
    ("sum_time", {"by": ["person"]}),
    ("describe_table", {"table": "time_entries"}),
    ("query", {"sql": "SELECT COUNT(*), MAX(cost_rate) FROM time_entries"}),
)
"""These calls are always made; the others are drawn."""


def build_people(viewer: Viewer, is_managing: bool) -> tuple[Person, ...]:
    """What Harvest would say about a viewer."""
    return tuple(
        Person(
            account,
            user,
            tuple(viewer.people[account]) if is_managing else (),
            tuple(viewer.projects[account]) if is_managing else (),
        )
        for account, user in viewer.ids.items()
    )


def compare(place: Path, world: World, drawn: Drawn, asked: Sequence[Called], era: str) -> None:
    """Ask the whole file with each caller's scope, and a file of that caller's part; compare."""
    whole = RunnerHere(world.write(place / "warehouse.duckdb"))
    clock = SystemClock()

    def fetch(profile: str, is_managing: bool) -> tuple[Person, ...]:
        return build_people(drawn[int(profile)][2], is_managing)

    access = Access(whole, People(fetch, clock)).for_server()
    audit_log = place / "audit.log"

    async def run(audit: AuditLog) -> None:
        cursors: list[dict[str, Any]] = []
        for at, (kind, scope, viewer) in enumerate(drawn):
            part = filter_world(world, viewer, kind, scope.keys.get("accounts", ()))
            folder = place / str(at)
            folder.mkdir()
            file = part.write_part(folder / "part.duckdb", scope.columns)
            caller = Caller("limited", parse_scope("limited", scope.keys), str(at))
            same = Caller("same", parse_scope("same", {"sql": scope.keys["sql"]}))
            copied = Access(RunnerHere(file), People(refuse_to_ask, clock))
            servers = [
                AskServer(used, lambda _, who=who: who, audit, clock).build()  # type: ignore[misc]
                for used, who in ((access, caller), (copied, same))
            ]
            async with (
                Client(servers[0], mode=era) as limited,
                Client(servers[1], mode=era) as alike,
            ):
                side = Side(limited)
                await compare_sides(side, Side(alike), [*CORE, *asked])
                for arguments in cursors:
                    (refused,) = await side.ask("list_records", arguments)
                    assert isinstance(refused, str), "another caller's cursor"
                cursors = side.cursors or cursors

    anyio.run(run, AuditLog(audit_log, clock.now))
    assert "hidden" not in audit_log.read_text()


async def compare_sides(limited: Side, alike: Side, asked: Sequence[Called]) -> None:
    """Check that all answers and errors are the same, and that none contains a hidden value."""
    assert await limited.list_everything() == await alike.list_everything()
    for name, arguments in asked:
        if name == "get_status":
            (found,) = await limited.ask(name, arguments)
            assert found["columns"] == ["started_at", "ended_at", "status"]
            assert len(found["rows"]) == 1
            continue
        assert await limited.ask(name, arguments) == await alike.ask(name, arguments), (
            name,
            arguments,
        )
    for canary in ("hidden", "of account 2", "7777"):
        assert not any(canary in each for each in limited.said)


def draw(least: int, most: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Draw a warehouse, a scope and a person for each kind of rows, and some calls."""
    callers = (st.tuples(st.just(kind), scopes(kind), viewers()) for kind in KINDS)
    return given(
        world=worlds(),
        drawn=st.tuples(*callers),
        asked=st.lists(calls, min_size=least, max_size=most),
        era=st.sampled_from(["auto", "legacy"]),
    )


@pytest.mark.thorough
@draw(2, 5)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
def test_callers_see_filtered_copies(
    tmp_path_factory: pytest.TempPathFactory,
    world: World,
    drawn: Drawn,
    asked: Sequence[Called],
    era: str,
) -> None:
    """Three callers of one server, with all, own and managed rows, see filtered copies."""
    compare(tmp_path_factory.mktemp("world"), world, drawn, asked, era)


@pytest.mark.slow
@draw(20, 30)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_callers_see_filtered_copies_in_thousands_of_calls(
    tmp_path_factory: pytest.TempPathFactory,
    world: World,
    drawn: Drawn,
    asked: Sequence[Called],
    era: str,
) -> None:
    """The same holds for thousands of calls."""
    compare(tmp_path_factory.mktemp("world"), world, drawn, asked, era)
