"""Runs with an OAuth login: tokens that expire during a run, revoked logins, plain dlt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import pytest

from harvest_source import harvest
from harvest_source.errors import SignInError
from harvest_source.sandbox import Request
from tests.support.lab import Lab
from tests.support.labs import OpenLab

TABLES = (
    "time_entries",
    "expenses",
    "clients",
    "contacts",
    "projects",
    "tasks",
    "users",
    "roles",
)
"""Tables that are read at once."""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[[Lab], dict[str, Any]]:
    """An app with a new refresh token, and a vault in the lab's folder."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")

    def build(lab: Lab) -> dict[str, Any]:
        app = lab.server.app
        return {
            "credentials": {
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "refresh_token": lab.server.issue_tokens()["refresh_token"],
            },
            "vault_path": str(lab.folder / "vault"),
        }

    return build


Settings = Callable[[Lab], dict[str, Any]]


def expire(lab: Lab) -> None:
    for item in lab.server.issued:
        if item.kind == "access_token":
            lab.server.expire_access_token(item.value)


def refreshes(lab: Lab) -> int:
    return lab.server.requests.counts().get("oauth_token", 0)


@pytest.mark.rare
def test_a_token_that_expires_during_a_run_is_refreshed_once(
    open_lab: OpenLab, settings: Settings
) -> None:
    """All tables meet the 401; one refresh suffices, every row lands, and nothing fails."""
    lab = open_lab()
    given = settings(lab)

    def strike(request: Request) -> None:
        if request.table == "time_entries":
            lab.server.clear_hooks()
            lab.clock.advance(120)
            expire(lab)

    lab.server.before_request(strike)
    report = lab.sync(*TABLES, settings=given)
    assert (report.status, report.run_log.failures) == ("ok", [])
    assert lab.ids("time_entries") == sorted(row["id"] for row in lab.server.rows("time_entries"))
    assert refreshes(lab) == 2, "one to begin with, one for the 401"


@pytest.mark.rare
def test_a_login_revoked_during_a_run_fails_the_unread_tables(
    open_lab: OpenLab, settings: Settings
) -> None:
    """Unread tables fail by name and keep their rows; the report and sync_runs say so."""
    lab = open_lab()
    given = settings(lab)
    tables = ("time_entries", "clients", "roles")
    assert lab.sync(*tables, settings=given).status == "ok"
    before = lab.ids("time_entries")
    lab.rest()

    def strike(request: Request) -> None:
        if request.table == "time_entries":
            lab.server.clear_hooks()
            lab.server.revoke(given["credentials"]["refresh_token"])

    lab.server.before_request(strike)
    report = lab.sync(*tables, settings=given)
    assert report.exit_code == 3
    assert "time_entries" in {failure.table for failure in report.run_log.failures}
    assert all(isinstance(failure.error, SignInError) for failure in report.run_log.failures)
    assert lab.ids("time_entries") == before
    [row] = lab.sql("SELECT errors FROM sync_runs ORDER BY started_at DESC LIMIT 1")
    assert "SignInError" in str(row["errors"])


@pytest.mark.rare
def test_a_stored_error_names_no_folder_of_the_machine(
    open_lab: OpenLab, settings: Settings
) -> None:
    """Callers of the agents' server and readers of a published copy can read sync_runs."""
    lab = open_lab()
    given = settings(lab)
    vault = lab.folder / "vault"

    def strike(request: Request) -> None:
        if request.table == "time_entries":
            lab.server.clear_hooks()
            vault.rename(lab.folder / "elsewhere")
            vault.write_text("")
            lab.clock.advance(120)
            expire(lab)

    lab.server.before_request(strike)
    report = lab.sync("time_entries", "clients", "roles", settings=given)
    assert str(vault) in str(report.as_dict()["errors"])
    [row] = lab.sql("SELECT errors FROM sync_runs")
    assert "vault" in str(row["errors"])
    assert str(lab.folder.parent) not in str(row["errors"])


def test_only_the_account_that_the_login_lost_fails(open_lab: OpenLab, settings: Settings) -> None:
    """If access to one account is lost, the other account's run continues."""
    lab = open_lab(accounts=(1000001, 1000002))
    given = settings(lab)
    given["credentials"]["refresh_token"] = lab.server.issue_tokens(accounts=[1000002])[
        "refresh_token"
    ]
    report = lab.sync("tasks", settings=given)
    assert (report.status, report.exit_code) == ("partial", 3)
    assert [failure.account_id for failure in report.run_log.failures] == [1000001]
    assert lab.ids("tasks", account_id=1000002)


@pytest.mark.rare
def test_plain_dlt(open_lab: OpenLab, settings: Settings) -> None:
    """harvest() renews as the command does, keeps the new token, and says nothing about it."""
    lab = open_lab()
    lab.server.set_oauth(rotate=True)
    given = settings(lab)
    urls: dict[str, Any] = {"api_url": lab.server.api_url, "id_url": lab.server.id_url}

    def run() -> None:
        source = harvest(**given, **urls, account_id=lab.server.account_id)
        pipeline = dlt.pipeline(
            "oauth", destination=dlt.destinations.duckdb(str(lab.database)), dataset_name="harvest"
        )
        pipeline.run(source.with_resources("tasks"))

    with lab.working():
        run()
        assert lab.ids("tasks")
        expire(lab)
        run()
        assert refreshes(lab) == 2
        lab.server.revoke(lab.server.issued[-1].value)
        lab.server.revoke(
            [item.value for item in lab.server.issued if item.kind == "refresh_token"][-1]
        )
        with pytest.raises(Exception, match="put a new refresh token there"):
            run()
