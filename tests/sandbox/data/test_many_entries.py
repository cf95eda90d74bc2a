"""Time entries of any number: computed when read, yet exactly like a stored table."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from harvest_source.sandbox import ManualClock, Settings, World
from harvest_source.sandbox.data.entries.computed import ComputedEntries
from harvest_source.sandbox.data.entries.seeded import SeededEntries
from harvest_source.sandbox.data.entries.writer import EntryWriter
from harvest_source.sandbox.data.values import NOTHING_HIDDEN
from harvest_source.sandbox.serve.requests import build_request

TOKEN = "1.pt.sandbox-administrator"


def ask(world: World, query: str = "", path: str = "time_entries") -> dict[str, Any]:
    """A list answer without a socket."""
    headers = {
        "authorization": f"Bearer {TOKEN}",
        "harvest-account-id": "1000001",
        "user-agent": "tests",
    }
    request = build_request("GET", f"/v2/{path}", query, headers, b"", world.settings.clock())
    reply = world.answer(request)
    assert reply.status == 200, reply.body
    content: dict[str, Any] = json.loads(reply.body)
    return content


def build(**fields: Any) -> World:
    """A world without limit on a stopped clock."""
    settings: dict[str, Any] = {"limit": False, "clock": ManualClock(), **fields}
    return World(Settings(**settings))


def seeded_of(world: World) -> SeededEntries:
    """The computed entries of the first account."""
    source = world._account(None).entries.seeded
    assert isinstance(source, ComputedEntries)
    return source.seeded


@pytest.mark.parametrize("fields", [{}, {"clock_24h": True}, {"timestamp_timers": False}])
def test_fast_and_slow_path_write_the_same_bytes(fields: dict[str, Any]) -> None:
    """Rows joined from fragments equal rows built as records, byte for byte."""
    world = build(entries=800, **fields)
    seeded = seeded_of(world)
    fast: list[bytes] = []
    numbers = range(seeded.size - 1, -1, -1)
    EntryWriter(seeded).write(numbers, NOTHING_HIDDEN, fast)
    slow = [
        json.dumps(seeded.record(k), ensure_ascii=False, separators=(",", ":")) for k in numbers
    ]
    assert b",".join(fast).decode() == ",".join(slow)


def test_entry_numbers_and_ids_map_to_each_other() -> None:
    """Every seeded id leads back to its entry number; other ids lead to none."""
    days = seeded_of(build(entries=1000)).days
    ids = [days.id_of(k, days.day_of(k)) for k in range(days.entries)]
    assert [days.number_of(entry_id) for entry_id in ids] == list(range(days.entries))
    near = {entry_id + step for entry_id in ids for step in (-1, 1)}
    assert {days.number_of(entry_id) for entry_id in near} == {None}


QUERIES = (
    "",
    "from=2025-01-01",
    "to=2024-06-30",
    "from=2025-06-01&to=2026-05-31",
    "updated_since=2026-06-17T11:00:00Z",
    "updated_since=2025-09-15T09:00:00Z",
    "is_billed=true",
    "is_billed=false&approval_status=approved",
    "from=2024-01-01&updated_since=2025-12-31T00:00:00Z",
    "project_id={project}",
    "user_id={user}&is_billed=false",
    "client_id={client}&updated_since=2024-08-01T00:00:00Z",
)


def expected_ids(rows: list[dict[str, Any]], query: str) -> list[int]:
    """The ids that *query* has to give, found by a search through *rows*."""
    asked = dict(pair.split("=") for pair in query.split("&")) if query else {}
    flags = {"true": True, "false": False}
    return [
        row["id"]
        for row in rows
        if asked.get("from", "") <= row["spent_date"] <= asked.get("to", "9999")
        and row["updated_at"] > asked.get("updated_since", "")
        and row["is_billed"] is flags.get(asked.get("is_billed", ""), row["is_billed"])
        and row["approval_status"] == asked.get("approval_status", row["approval_status"])
        and all(
            str(row[member]["id"]) == asked.get(f"{member}_id", str(row[member]["id"]))
            for member in ("project", "user", "client")
        )
    ]


def change_at_random(world: World, chance: random.Random) -> None:
    """One random edit, move, creation or deletion of an entry."""
    rows = ask(world, f"per_page=5&page={chance.randint(1, 60)}")["time_entries"]
    row = chance.choice(rows or ask(world, "per_page=5")["time_entries"])
    day = f"{chance.randint(2023, 2027)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
    kind = chance.choice(("edit", "move", "back", "create", "create", "delete", "quiet"))
    if kind == "create":
        world.create("time_entries", spent_date=day, hours=chance.choice((1, 2.25)))
    elif kind == "delete":
        world.delete("time_entries", row["id"])
    elif kind == "move":
        world.edit("time_entries", row["id"], spent_date=day)
    elif kind == "back":
        world.edit("time_entries", row["id"], updated_at="2025-09-15T09:00:01Z")
    else:
        world.edit("time_entries", row["id"], touch=kind == "edit", notes=day)


@pytest.mark.parametrize("seed", range(2))
def test_lists_stay_exact_under_random_changes(seed: int) -> None:
    """
    After every batch of changes each query, at any page size, equals a search through the rows.
    """
    check_random_changes(seed, batches=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_lists_stay_exact_under_many_random_changes(seed: int) -> None:
    """The same rule with more seeds and more batches."""
    check_random_changes(seed, batches=10)


def check_random_changes(seed: int, batches: int) -> None:
    """Change entries batch by batch, and compare every query with a search after each."""
    world = build(entries=300, seed=seed)
    chance = random.Random(seed)
    for _ in range(batches):
        for _ in range(chance.randint(1, 12)):
            change_at_random(world, chance)
        rows = world.rows("time_entries")
        row = chance.choice(rows)
        names = {name: row[name]["id"] for name in ("project", "user", "client")}
        for template in QUERIES:
            query = template.format(**names)
            expected = expected_ids(rows, query)
            size = chance.choice((1 + len(expected) // 3, 7 + len(expected) // 9, 2000))
            assert read_ids(world, query, size) == expected, query


def read_ids(world: World, query: str, per_page: int) -> list[int]:
    """The ids of all pages; every page has to show the same total."""
    read: list[int] = []
    page = 1
    while True:
        content = ask(world, f"{query}&per_page={per_page}&page={page}")
        read += [row["id"] for row in content["time_entries"]]
        if content["links"]["next"] is None:
            assert content["total_entries"] == len(read)
            return read
        page += 1


@pytest.mark.parametrize("approvals", [True, False])
def test_updated_since_is_strict_at_every_moment(approvals: bool) -> None:
    """For each updated_at that occurs, rows of exactly that second are left out."""
    world = build(entries=150, modules_off=() if approvals else ("approval",))
    moments = sorted(row["updated_at"] for row in world.rows("time_entries"))
    for moment in set(moments):
        later = sum(1 for other in moments if other > moment)
        assert world.count("time_entries", updated_since=moment) == later, moment


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow)
                                          for n in range(2, 12))])  # fmt: skip
def test_cursors_agree_with_pages_under_changes(seed: int) -> None:
    """Cursors give the same rows as pages, also around edited, created and deleted rows."""
    world = build(entries=150, seed=seed, cursor_tables=("time_entries",))
    chance = random.Random(seed)
    for _ in range(40):
        change_at_random(world, chance)
    rows: list[dict[str, Any]] = []
    link = "?per_page=13"
    while link:
        assert len(rows) <= 300, "goes round in circles"
        content = ask(world, link.partition("?")[2])
        rows += content["time_entries"]
        link = content["links"]["next"]
    assert rows == world.rows("time_entries")


def test_windows_follow_entries_that_move_to_another_day() -> None:
    """When all entries of a day move to another, the first day has none and the other has them."""
    world = build(entries=300)
    day = world.rows("time_entries")[150]["spent_date"]
    ids = [row["id"] for row in ask(world, f"from={day}&to={day}")["time_entries"]]
    world.edit_many("time_entries", ids, spent_date="2022-02-02")
    assert ask(world, f"from={day}&to={day}")["total_entries"] == 0
    assert ask(world, "to=2022-12-31")["total_entries"] == len(ids)
    assert ask(world)["total_entries"] == 300


def test_a_million_entries_are_not_stored() -> None:
    """Ten million entries answer first, deep and last pages, counts and recent changes."""
    world = build(entries=10_000_000)
    first = ask(world, "per_page=3")
    assert (first["total_entries"], first["total_pages"]) == (10_000_000, 3_333_334)
    last = ask(world, "per_page=3&page=3333334")
    assert len(last["time_entries"]) == 1
    deep = ask(world, "per_page=2000&page=3000")["time_entries"]
    assert len({row["id"] for row in deep}) == 2000
    assert ask(world, "per_page=1&updated_since=2026-06-17T11:55:00Z")["total_entries"] <= 12
    world.edit("time_entries", deep[7]["id"], notes="Found it")
    changed = ask(world, "updated_since=2026-06-17T11:59:59Z")["time_entries"]
    assert [(row["id"], row["notes"]) for row in changed] == [(deep[7]["id"], "Found it")]


def test_yearly_windows_of_a_million_add_up() -> None:
    """Counts by window sum to the total."""
    world = build(entries=1_000_000)
    counts = [
        ask(world, f"per_page=1&from={year}-01-01&to={year}-12-31")["total_entries"]
        for year in range(2022, 2028)
    ]
    assert sum(counts) == ask(world, "per_page=1")["total_entries"] == 1_000_000
