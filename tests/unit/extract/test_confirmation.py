"""What is asked again before rows are replaced: of all accounts at the same time."""

from __future__ import annotations

import httpx

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.sessions import Connection, Sessions
from harvest_source.extract.confirmation import Confirmation
from harvest_source.extract.run_log import RunLog
from harvest_source.schema.endpoints import BY_NAME
from tests.clocks import FakeClock
from tests.support.meeting import Meeting


def test_accounts_are_asked_at_the_same_time_and_doubted_each_by_itself() -> None:
    """Each load of a run of twenty accounts waited for twenty answers, one after the other."""
    meeting, roles = Meeting(3), ["administrator"]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        account = request.headers["Harvest-Account-Id"]
        asked.append(account)
        if asked.count(account) > 1:
            meeting.attend()
        is_lost = account == "2" and asked.count(account) > 1
        return httpx.Response(200, json={"id": 1, "access_roles": ["member"] if is_lost else roles})

    http = HttpContext(clock=FakeClock(), transport=httpx.MockTransport(answer))
    sessions = Sessions(Connection(httpx.Auth(), http, account_ids=(1, 2, 3)))
    for account_id in (1, 2, 3):
        sessions.open(account_id)
    clients = BY_NAME["clients"]
    doubtful = Confirmation(sessions, RunLog()).find_doubtful(
        (clients, account_id) for account_id in (1, 2, 3)
    )
    sessions.close()
    assert meeting.has_met
    assert doubtful == {("clients", 2)}
    assert sorted(asked) == ["1", "1", "2", "2", "3", "3"]
