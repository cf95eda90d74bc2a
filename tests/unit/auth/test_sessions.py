"""Accounts are opened once, and leaving does not wait for one that is being opened."""

from __future__ import annotations

import threading

import httpx
import pytest

from harvest_source.api.http_context import HttpContext
from harvest_source.api.rate_limit import Cancelled
from harvest_source.auth.sessions import Connection, Sessions
from tests.clocks import FakeClock


def test_leaving_does_not_wait_for_an_account_that_is_being_opened() -> None:
    """Ctrl-C, or a warehouse that cannot be opened, while Harvest is silent; then it is dropped."""
    asked, answer, dropped, ended = (threading.Event() for _ in range(4))

    def handler(_: httpx.Request) -> httpx.Response:
        asked.set()
        assert answer.wait(60)
        return httpx.Response(503, headers={"Retry-After": "6"})

    def open_account() -> None:
        with pytest.raises(Cancelled):
            sessions.open(1, cancelled=dropped.is_set)
        ended.set()

    http = HttpContext(clock=FakeClock(), transport=httpx.MockTransport(handler))
    sessions = Sessions(Connection(httpx.Auth(), http))
    with sessions.in_use():
        threading.Thread(target=open_account, daemon=True).start()
        assert asked.wait(60)
    assert not ended.is_set(), "it is still being opened"
    dropped.set()
    answer.set()
    assert ended.wait(60)
    assert sessions.requests == 0
