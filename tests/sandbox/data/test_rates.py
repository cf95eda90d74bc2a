"""Lists below users and projects: rates, teammates, assignments."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from harvest_source.sandbox import ManualClock, Settings, World
from tests.sandbox.reader import Reader, Start

CURRENT = {"billable_rates": "default_hourly_rate", "cost_rates": "cost_rate"}
TODAY = "2026-06-17"


@pytest.fixture(scope="module")
def world() -> World:
    """An account with many users that no test changes."""
    return World(Settings(entries=0, users=40, clock=ManualClock()))


def by_person(world: World, table: str) -> dict[int, list[dict[str, Any]]]:
    """The rates of each person, as served."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in world.rows(table):
        found[row["user_id"]].append(row)
    return found


def held_on(rates: list[dict[str, Any]], day: str) -> list[Any]:
    """The amounts whose days include *day*."""
    return [
        rate["amount"]
        for rate in rates
        if (rate["start_date"] or "") <= day <= (rate["end_date"] or "9999")
    ]


@pytest.mark.parametrize("table", CURRENT)
def test_the_rate_of_today_is_the_one_on_the_person(world: World, table: str) -> None:
    """A user shows the rate that applies today; a user without a rate has no history."""
    rates = by_person(world, table)
    for user in world.rows("users"):
        now = user[CURRENT[table]]
        assert held_on(rates[user["id"]], TODAY) == ([] if now is None else [now])
    assert {1, 2, 3, 4} <= {len(found) for found in rates.values()}
    assert any(rate["start_date"] and rate["start_date"] > TODAY for rate in world.rows(table))


@pytest.mark.parametrize("table", CURRENT)
def test_rates_follow_each_other_without_gap(world: World, table: str) -> None:
    """The first rate has no start, each ends the day before the next, the last has no end."""
    for rates in by_person(world, table).values():
        assert rates[0]["start_date"] is None
        assert rates[-1]["end_date"] is None
        for rate, following in pairwise(rates):
            end = date.fromisoformat(following["start_date"]) - timedelta(days=1)
            assert rate["end_date"] == end.isoformat()


def test_a_users_updated_at_is_not_before_the_last_rate(world: World) -> None:
    """By default a new rate moves its user's updated_at; nothing is in the future."""
    people = {row["id"]: row for row in world.rows("users")}
    for table in CURRENT:
        for rate in world.rows(table):
            assert rate["created_at"] <= people[rate["user_id"]]["updated_at"] < TODAY


def test_rates_are_served_oldest_first_with_the_null_start_first(start: Start) -> None:
    """Sorted by start_date, null first, at any page size; updated_since is ignored."""
    reader = start()
    user = reader.server.create("users")["id"]
    for day in ("2026-03-01", None, "2024-01-15"):
        reader.server.create("billable_rates", user_id=user, start_date=day)
    path = f"users/{user}/billable_rates"
    for size in (1, 2, 2000):
        rows = reader.rows(path, per_page=size, updated_since="2030-01-01T00:00:00Z")
        assert [row["start_date"] for row in rows] == [None, "2024-01-15", "2026-03-01"]
        assert [row["end_date"] for row in rows] == ["2024-01-14", "2026-02-28", None]
    last = reader.get(f"{path}/{rows[-1]['id']}").json()
    assert last == rows[-1]
    assert reader.get(f"{path}/1").status_code == 404


@pytest.mark.parametrize("touches", [True, False])
@pytest.mark.parametrize("table", CURRENT)
def test_a_new_rate_shows_on_the_person(start: Start, table: str, touches: bool) -> None:
    """The user shows a rate from its start on; a setting says whether updated_at moves."""
    clock = ManualClock()
    server = start(clock=clock, rate_touches_user=touches).server
    user = server.create("users")
    clock.advance(60)
    first = server.create(table, user_id=user["id"], amount=80)
    assert first["start_date"] is None
    clock.advance(60)
    server.create(table, user_id=user["id"], amount=90.5)
    later = server.create(table, user_id=user["id"], amount=99, start_date="2026-07-01")
    at = "2026-06-17T12:02:00Z" if touches else user["updated_at"]
    assert server.row("users", user["id"]) == user | {CURRENT[table]: 90.5, "updated_at": at}
    held = [(row["amount"], row["end_date"]) for row in by_person(server, table)[user["id"]]]
    assert held == [(80, "2026-06-16"), (90.5, "2026-06-30"), (99, None)]
    server.edit(table, later["id"], start_date="2026-06-17")
    server.delete(table, first["id"])
    changed = server.row("users", user["id"])
    assert changed is not None
    assert changed[CURRENT[table]] == 99


def test_only_managers_have_teammates(shared: Reader) -> None:
    """A manager's list shows id and name of the team; for other users the answer is a 422."""
    for user in shared.server.rows("users"):
        answer = shared.get(f"users/{user['id']}/teammates")
        if "manager" in user["access_roles"]:
            listed = [row for row in shared.server.rows("teammates")
                      if row.pop("user_id") == user["id"]]  # fmt: skip
            assert answer.json()["teammates"] == listed != []
        else:
            assert answer.status_code == 422
            assert answer.headers["Hint"] == answer.json()["message"]


def test_teammates_are_who_the_manager_sees(shared: Reader) -> None:
    """The users list of a manager holds the manager and the teammates."""
    token = shared.server.tokens["manager"]
    me = shared.get("users/me", token=token).json()["id"]
    mates = shared.get(f"users/{me}/teammates").json()["teammates"]
    seen = {row["id"] for row in shared.rows("users", token=token)}
    assert seen == {me, *(row["id"] for row in mates)}


def test_project_assignments_repeat_the_active_user_assignments(shared: Reader) -> None:
    """The ids of the active user assignments (S4), with the project's tasks inside (quirk 61)."""
    server = shared.server
    projects = {row["id"]: row for row in server.rows("projects")}
    tasked = server.rows("task_assignments")
    rows = server.rows("project_assignments")
    active = {row["id"]: row for row in server.rows("user_assignments") if row["is_active"]}
    assert {row["id"] for row in rows} == set(active)
    assert len(rows) == len(active) < server.count("user_assignments")
    for row in rows:
        original, project = active[row["id"]], projects[row["project"]["id"]]
        assert row["user_id"] == original["user"]["id"]
        for name in ("hourly_rate", "budget", "is_project_manager", "created_at", "updated_at"):
            assert row[name] == original[name]
        quoted = original["project"] | {"is_billable": project["is_billable"]}
        assert (row["project"], row["client"]) == (quoted, project["client"])
        expected = {item["id"] for item in tasked if item["project"]["id"] == project["id"]}
        assert {item["id"] for item in row["task_assignments"]} == expected
        assert not any("project" in item for item in row["task_assignments"])


def test_my_project_assignments_are_the_callers_own(shared: Reader) -> None:
    """Every role may read its own assignments; hidden rates are absent at any depth."""
    for role in ("administrator", "manager", "member"):
        token = shared.server.tokens[role]
        me = shared.get("users/me", token=token).json()["id"]
        rows = shared.rows("users/me/project_assignments", token=token)
        expected = [row for row in shared.server.rows("project_assignments")
                    if row.pop("user_id") == me]  # fmt: skip
        assert [row["id"] for row in rows] == [row["id"] for row in expected] != []
        by_id = shared.rows(f"users/{me}/project_assignments", token=token)
        assert rows == by_id
        assert ("hourly_rate" in str(rows)) == (role == "administrator")
    assert shared.server.rows("my_project_assignments") == shared.rows(
        "users/me/project_assignments"
    )


@pytest.mark.parametrize("kind", ["user_assignments", "task_assignments"])
def test_assignments_of_a_project_are_those_of_the_global_list(shared: Reader, kind: str) -> None:
    """The list has that project's rows; filters and single records work as on the global list."""
    project = shared.server.rows("projects")[0]["id"]
    expected = [row for row in shared.server.rows(kind) if row["project"]["id"] == project]
    path = f"projects/{project}/{kind}"
    assert shared.rows(path) == expected != []
    assert shared.get(f"{path}/{expected[0]['id']}").json() == expected[0]
    assert shared.rows(path, is_active="true") == [row for row in expected if row["is_active"]]
    newest = max(row["updated_at"] for row in expected)
    assert shared.rows(path, updated_since=newest) == []
    if kind == "user_assignments":
        person = expected[-1]["user"]["id"]
        assert shared.rows(path, user_id=person) == [expected[-1]]


def test_nested_lists_follow_edits(start: Start) -> None:
    """A rename, an archived assignment and a new task show at the next request."""
    reader = start()
    server = reader.server
    row = server.rows("project_assignments")[0]
    path = f"users/{row['user_id']}/project_assignments"
    server.edit("projects", row["project"]["id"], name="Renamed", is_billable=None)
    served = next(item for item in reader.rows(path) if item["id"] == row["id"])
    assert (served["project"]["name"], served["project"]["is_billable"]) == ("Renamed", None)
    assert served["updated_at"] == row["updated_at"]
    server.create("task_assignments", project_id=row["project"]["id"])
    served = next(item for item in reader.rows(path) if item["id"] == row["id"])
    assert len(served["task_assignments"]) == len(row["task_assignments"]) + 1
    server.edit("user_assignments", row["id"], is_active=False)
    assert row["id"] not in [item["id"] for item in reader.rows(path)]
