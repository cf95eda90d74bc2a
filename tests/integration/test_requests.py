"""The number of requests, by the sandbox's own counter: all users share the allowance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harvest_source.api.client import HarvestClient
from harvest_source.api.rate_limit import GENERAL
from tests.support.lab import HOUR, Lab
from tests.support.labs import OpenLab
from tests.support.meeting import Meeting

UNCHANGED = 18
"""The requests of a run when nothing changed: each list once."""


def count(lab: Lab) -> int:
    """Requests of any kind that reached the sandbox since the last reset."""
    return sum(lab.server.requests.counts().values())


def test_the_first_sync_of_the_sandbox_fits_one_allowance(tmp_path: Path) -> None:
    """The README's first sync never waits for Harvest's limit, and a second one asks little."""
    with Lab(tmp_path, entries=5000) as lab:
        assert lab.sync().status == "ok"
        assert 0 < count(lab) < GENERAL[0]
        assert any(row["is_running"] for row in lab.server.rows("time_entries"))
        assert ask_unchanged(lab, 0) == UNCHANGED
        # The hours of running timers have grown, and a run asks for the owner before it loads rows.
        assert ask_unchanged(lab, HOUR) == UNCHANGED + 1


def ask_unchanged(lab: Lab, seconds: float) -> int:
    """The number of requests of a run *seconds* later, without a change in Harvest."""
    lab.rest(seconds)
    lab.server.reset_requests()
    report = lab.sync()
    assert report.status == "ok"
    assert report.requests == count(lab)
    return count(lab)


@pytest.mark.rare
def test_an_unchanged_run_waits_for_two_answers(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First who is asking and which modules are on, then every list at the same time."""
    lab = open_lab.loaded(entries=20, invoices=1)
    lab.rest()
    lab.sync()
    opened, lists = Meeting(2), Meeting(UNCHANGED - 2)

    def meet(client: HarvestClient, path: str, *given: Any, **options: Any) -> Any:
        (opened if path == "company" else lists).attend()
        return fetch(client, path, *given, **options)

    def meet_owner(client: HarvestClient, path: str, **options: Any) -> Any:
        opened.attend()
        return fetch_object(client, path, **options)

    fetch, fetch_object = HarvestClient._fetch, HarvestClient.fetch_object
    monkeypatch.setattr(HarvestClient, "_fetch", meet)
    monkeypatch.setattr(HarvestClient, "fetch_object", meet_owner)
    assert lab.sync().status == "ok"
    assert (opened.has_met, lists.has_met) == (True, True)


def test_a_run_asks_for_the_owners_of_all_accounts_concurrently(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run asks at its start and before its load; in a row, twenty accounts cost forty answers."""
    accounts = (1000001, 1000002, 1000003)
    lab = open_lab(accounts=accounts, entries=0, invoices=0)
    meetings = [Meeting(len(accounts)), Meeting(len(accounts))]

    def meet(client: HarvestClient, path: str, **options: Any) -> Any:
        if path == "users/me":
            meetings[len(told) >= len(accounts)].attend()
            told.append(client.account_id)
        return fetch(client, path, **options)

    told: list[int] = []
    fetch = HarvestClient.fetch_object
    monkeypatch.setattr(HarvestClient, "fetch_object", meet)
    assert lab.sync("clients").status == "ok"
    assert sorted(told) == sorted(accounts * 2)
    assert [meeting.has_met for meeting in meetings] == [True, True]
