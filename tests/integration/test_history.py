"""Every version of a row, for the requested tables, and what was valid on a day."""

from __future__ import annotations

from typing import Any

import dlt
import pytest

from harvest_source import harvest
from tests.support.children import REPOSITORY
from tests.support.lab import DAY, Lab, Row, number
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

ACCOUNTS = (1000001, 1000002)
WISH = {"history": ["projects", "users"]}
WISHED = {"settings": WISH}


def versions(lab: Lab, table: str, record_id: int, account_id: int = ACCOUNTS[0]) -> list[Row]:
    """The versions of one record, oldest first."""
    return lab.sql(
        f"SELECT * FROM {table}_history WHERE (account_id, id) = (?, ?) ORDER BY valid_from",
        account_id,
        record_id,
    )


def assert_current(lab: Lab, table: str) -> None:
    """Each row of the table has exactly one open version, which equals it."""
    names = ", ".join(name for name in lab.columns(table) if not name.startswith("_dlt"))
    query = f"SELECT {names} FROM {table}%s ORDER BY account_id, id"
    assert lab.sql(query % "") == lab.sql(query % "_history WHERE valid_to IS NULL")


def test_every_version_is_kept(open_lab: OpenLab) -> None:
    """An edit closes one version and opens the next; a row that is not read keeps its open one."""
    lab = open_lab.loaded("projects", "users", options=WISHED, accounts=ACCOUNTS)
    project = lab.server.rows("projects")[0]
    for name in ("Second", "Third", project["name"]):
        lab.rest()
        lab.server.edit("projects", project["id"], name=name)
        assert lab.sync("projects", "users", settings=WISH).status == "ok"
        assert_current(lab, "projects")
    kept = versions(lab, "projects", project["id"])
    assert [row["name"] for row in kept] == [project["name"], "Second", "Third", project["name"]]
    assert [row["valid_to"] for row in kept] == [*(row["valid_from"] for row in kept[1:]), None]
    others = lab.sql("SELECT COUNT(*) AS n FROM projects_history WHERE valid_to IS NOT NULL")
    assert others == [{"n": 3}]
    assert len(versions(lab, "projects", project["id"], ACCOUNTS[1])) == 1
    assert {row["account_id"] for row in lab.table("users_history")} == set(ACCOUNTS)


@pytest.mark.rare
def test_rereading_an_unchanged_row_adds_no_version(open_lab: OpenLab) -> None:
    """The daily overlap and a full refresh reread unchanged rows without adding versions."""
    lab = open_lab.loaded("projects", "users", options=WISHED)
    before = [lab.table("projects_history"), lab.table("users_history")]
    lab.rest(2 * DAY)
    lab.sync("projects", "users", settings=WISH)
    lab.sync("projects", "users", settings=WISH, full_refresh=True)
    assert [lab.table("projects_history"), lab.table("users_history")] == before


@pytest.mark.rare
def test_a_row_that_is_gone_has_no_open_version(open_lab: OpenLab) -> None:
    """A full refresh removes the row from the table, and ends its last version then."""
    lab = open_lab.loaded("projects", "users", options=WISHED, accounts=ACCOUNTS)
    gone = lab.server.rows("projects")[0]["id"]
    lab.server.delete("projects", gone, force=True)
    lab.rest()
    lab.sync("projects", settings=WISH, full_refresh=True)
    (last,) = versions(lab, "projects", gone)
    assert last["valid_to"] == lab.clock()
    assert_current(lab, "projects")


@pytest.mark.rare
def test_arrays_are_part_of_a_version(open_lab: OpenLab) -> None:
    """A person whose roles change gets a new version, with the roles as JSON."""
    lab = open_lab.loaded("projects", "users", options=WISHED)
    user = next(row for row in lab.server.rows("users") if row["roles"])
    lab.rest()
    lab.server.edit("users", user["id"], roles=["Night watch"])
    lab.sync("users", settings=WISH)
    old, new = versions(lab, "users", user["id"])
    assert (old["roles"] != new["roles"], new["roles"]) == (True, '["Night watch"]')


@pytest.mark.rare
def test_history_enabled_later_starts_with_a_version_of_every_row(open_lab: OpenLab) -> None:
    """The table is read from its first row, so that every row has an initial version."""
    lab = open_lab.loaded("projects")
    lab.rest()
    lab.sync("projects", settings=WISH)
    assert len(lab.table("projects_history")) == len(lab.table("projects"))
    assert_equal(lab, "projects")


@pytest.mark.rare
def test_a_new_field_adds_versions_only_to_rows_with_a_value(open_lab: OpenLab) -> None:
    """Only rows to which Harvest gives a new value get a version; the new column is there."""
    lab = open_lab.loaded("projects", "users", options=WISHED)
    edited = lab.server.rows("projects")[0]["id"]

    def appear(record: Row) -> Row:
        return record | {"brand_new": "yes" if record["id"] == edited else None}

    lab.server.alter("projects", appear)
    lab.rest()
    lab.server.edit("projects", edited, notes="Edited")
    lab.sync("projects", settings=WISH, full_refresh=True)
    closed = [row for row in lab.table("projects_history") if row["valid_to"]]
    assert [row["id"] for row in closed] == [edited]


def test_history_with_plain_dlt(open_lab: OpenLab) -> None:
    """``harvest(history=...)`` keeps the same versions."""
    lab = open_lab()
    lab.database = lab.folder / "plain.duckdb"
    project = lab.server.rows("projects")[0]
    for name in (project["name"], "Second"):
        lab.server.edit("projects", project["id"], name=name)
        lab.rest()
        with lab.working():
            pipeline = dlt.pipeline(
                "plain",
                destination=dlt.destinations.duckdb(str(lab.database)),
                dataset_name="harvest",
            )
            wish: Any = {**lab.settings, "history": "projects"}
            source = harvest(account_id=lab.server.account_id, **wish)
            pipeline.run(source.with_resources("projects"))
    assert [row["name"] for row in versions(lab, "projects", project["id"])] == [
        project["name"],
        "Second",
    ]
    assert_current(lab, "projects")


@pytest.mark.rare
def test_the_documented_query_gives_the_rate_of_each_day(open_lab: OpenLab) -> None:
    """The query to copy gives the rates of every entry, before and after a rate changes."""
    lab = open_lab()
    entries = sorted(lab.server.rows("time_entries"), key=lambda row: str(row["spent_date"]))
    user, day = entries[-1]["user"]["id"], entries[-1]["spent_date"]
    changed = {"billable_rates": 321, "cost_rates": 123.456}
    for table, amount in changed.items():
        lab.server.create(table, user_id=user, amount=amount, start_date=day)
    lab.sync("time_entries", "billable_rates", "cost_rates")
    query = (REPOSITORY / "pipelines" / "rates_by_day.sql").read_text()
    landed = {row["id"]: row for row in lab.sql(query)}
    assert len(landed) == len(entries)
    for entry in entries:
        for table, column in (("billable_rates", "billable_rate"), ("cost_rates", "cost_rate")):
            rates = [
                row
                for row in lab.server.rows(table)
                if row["user_id"] == entry["user"]["id"]
                and (row["start_date"] or "") <= entry["spent_date"]
                and (row["end_date"] is None or entry["spent_date"] <= row["end_date"])
            ]
            held = number(rates[0]["amount"]) if rates else None
            assert (len(rates) <= 1, landed[entry["id"]][column]) == (True, held)
    mine = [landed[e["id"]] for e in entries if e["user"]["id"] == user]
    assert {str(row["spent_date"]) >= day for row in mine} == {True, False}
    for row in mine:
        assert (row["cost_rate"] == number(123.456)) is (str(row["spent_date"]) >= day)


def test_a_lower_role_begins_no_history(open_lab: OpenLab) -> None:
    """Reading every row for its first version would overwrite the rates that it may not see."""
    lab = open_lab.loaded("users")
    lab.rest(3 * DAY)
    before = {row["id"]: row["cost_rate"] for row in lab.table("users")}
    lab.server.set_role(lab.token, "manager")
    owner = {row["id"] for row in lab.server.rows("users") if row["access_roles"] == ["manager"]}
    report = lab.sync("users", settings={"history": ["users"]})
    assert "sees less than the one that loaded it before" in " ".join(report.run_log.warnings)
    after = {row["id"]: row["cost_rate"] for row in lab.table("users")}
    assert {row for row in before if after[row] != before[row]} <= owner
    lab.rest()
    again = lab.sync("users", settings={"history": ["users"]})
    assert again.tables["users"].rows <= len(owner), "not every row in every run"
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    lab.sync("users", settings={"history": ["users"]})
    assert_current(lab, "users")
    assert_equal(lab, "users")


def test_deletions_are_found_between_runs_with_and_without_history(open_lab: OpenLab) -> None:
    """A history that begins again and again does not put off the daily comparison of counts."""
    lab = open_lab.loaded("contacts")
    gone, edited, *_ = lab.ids("contacts")
    lab.server.delete("contacts", gone)
    for history in (["contacts"], [], ["contacts"], []):
        lab.rest(DAY / 2)
        lab.server.edit("contacts", edited, title=lab.clock().isoformat())
        lab.sync("contacts", settings={"history": history})
    assert gone not in lab.ids("contacts")
