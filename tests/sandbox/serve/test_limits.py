"""Rate limits and 429 (behaviour.md 3), on a clock that the test moves."""

from __future__ import annotations

from harvest_source.sandbox import Limit, ManualClock
from tests.sandbox.reader import Start


def test_the_101st_request_in_15_s_is_refused(start: Start) -> None:
    """100 requests pass, the next is a 429 with Retry-After in seconds and an empty body."""
    reader = start(limit=True, entries=5)
    reader.server.use_allowance(96)
    assert [reader.get("users/me").status_code for _ in range(4)] == [200] * 4
    answer = reader.get("users/me")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "15"
    assert (answer.headers["Content-Type"], answer.content) == ("text/html", b"")


def test_the_window_slides(start: Start) -> None:
    """A slot is free again exactly 15 s after the request that took it."""
    clock = ManualClock()
    reader = start(limit=True, clock=clock, general_limit=Limit(3, 15), entries=5)
    for _ in range(3):
        assert reader.get("users/me").status_code == 200
        clock.advance(4)
    answer = reader.get("users/me")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    clock.advance(2.9)
    assert reader.get("users/me").status_code == 429
    clock.advance(0.1)
    assert reader.get("users/me").status_code == 200
    assert reader.get("users/me").status_code == 429


def test_tokens_and_accounts_have_windows_of_their_own(start: Start) -> None:
    """By default each pair of token and account has its own limit."""
    reader = start(limit=True, accounts=(1000001, 1000002), general_limit=Limit(1, 15), entries=5)
    member = reader.server.tokens["member"]
    assert reader.get("users/me").status_code == 200
    assert reader.get("users/me").status_code == 429
    assert reader.get("users/me", account_id=1000002).status_code == 200
    assert reader.get("users/me", token=member).status_code == 200


def test_the_account_can_share_one_window(start: Start) -> None:
    """With limit_scope=account all tokens of an account share one limit."""
    reader = start(limit=True, limit_scope="account", general_limit=Limit(1, 15), entries=5)
    assert reader.get("users/me").status_code == 200
    assert reader.get("users/me", token=reader.server.tokens["member"]).status_code == 429


def test_reports_have_a_budget_of_their_own(start: Start) -> None:
    """Paths under /reports/ count against their own limit, 100 per 15 minutes."""
    reader = start(limit=True, general_limit=Limit(1, 15), reports_limit=Limit(1, 900), entries=5)
    assert reader.get("reports/uninvoiced").status_code == 422  # It has no dates, but counts.
    answer = reader.get("reports/uninvoiced")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert reader.get("users/me").status_code == 200


def test_refused_requests_and_other_hosts_do_not_count(start: Start) -> None:
    """A 401, the identity endpoint and the control paths do not count."""
    reader = start(limit=True, general_limit=Limit(1, 15), entries=5)
    for _ in range(3):
        reader.get("users/me", token="9.pt.unknown")
        assert reader.get(f"{reader.server.id_url}/api/v2/accounts").status_code == 200
        assert reader.get(f"{reader.server.id_url}/_sandbox/stats").status_code == 200
    assert reader.get("users/me").status_code == 200


def test_another_integration_can_use_up_the_limit(start: Start) -> None:
    """use_allowance counts requests that were not sent here."""
    reader = start(limit=True, entries=5)
    reader.server.use_allowance(100)
    assert reader.get("users/me").status_code == 429


def test_the_limit_can_be_switched_off(start: Start) -> None:
    """Without limit nothing is counted."""
    reader = start(limit=True, general_limit=Limit(0, 15), entries=5)
    assert reader.get("users/me").status_code == 429
    reader.server.set_limit(False)
    assert reader.get("users/me").status_code == 200
