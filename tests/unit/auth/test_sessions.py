"""Accounts are opened once, and leaving does not wait for one that is still opening."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harvest_source.api.http_context import HttpContext
from harvest_source.api.rate_limit import Cancelled
from harvest_source.auth.sessions import Connection, Sessions, parse_owner
from harvest_source.errors import AuthError
from tests.clocks import FakeClock
from tests.support.meeting import Meeting


def test_leaving_does_not_wait_for_an_account_that_is_being_opened() -> None:
    """Leaving while Harvest is silent (Ctrl-C, an unopenable warehouse) drops the request."""
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


def test_an_account_that_opens_after_the_last_reader_left_is_closed() -> None:
    """A thread that Ctrl-C left behind keeps no connection; a later reader opens the account."""
    asked, answer = threading.Event(), threading.Event()
    sessions = open_sessions(hold_back(asked, answer))
    with ThreadPoolExecutor(1) as left_behind:
        with sessions.in_use():
            opening = left_behind.submit(sessions.open, 1)
            assert asked.wait(60)
        answer.set()
        late = opening.result()
    assert sessions.requests == 0
    with pytest.raises(RuntimeError, match="closed"):
        late.fetch_owner()
    with sessions.in_use():
        assert sessions.open(1).fetch_owner().is_administrator


class SilentTransport(httpx.BaseTransport):
    """A transport that answers nothing until it is closed."""

    def __init__(self) -> None:
        self.asked, self.closed = threading.Event(), threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        assert self.closed.wait(60)
        raise httpx.ReadError("The transport was closed.", request=request)

    def close(self) -> None:
        self.closed.set()


def test_leaving_ends_a_request_that_opens_an_account() -> None:
    """The interpreter waits for a pool's threads: a script hung for a minute after Ctrl-C."""
    transport = SilentTransport()
    http = HttpContext(clock=FakeClock(), transport=transport)
    sessions = Sessions(Connection(httpx.Auth(), http))
    with ThreadPoolExecutor(1) as left_behind:
        with sessions.in_use():
            opening = left_behind.submit(sessions.open, 1)
            assert transport.asked.wait(60)
        assert transport.closed.is_set()
        assert opening.exception() is not None


def user(request: httpx.Request) -> httpx.Response:
    """Answer ``users/me`` for any account."""
    return httpx.Response(200, json={"id": 1, "access_roles": ["administrator"]})


def hold_back(
    asked: threading.Event, answer: threading.Event
) -> Callable[[httpx.Request], httpx.Response]:
    """A server that signals each request, and answers when *answer* is set."""

    def wait(request: httpx.Request) -> httpx.Response:
        asked.set()
        assert answer.wait(60)
        return user(request)

    return wait


def open_sessions(handler: Callable[[httpx.Request], httpx.Response]) -> Sessions:
    http = HttpContext(clock=FakeClock(), transport=httpx.MockTransport(handler))
    return Sessions(Connection(httpx.Auth(), http, account_ids=(1, 2), token_source="the test"))


def test_requests_are_counted_while_accounts_are_opened() -> None:
    """Progress reads the number in another thread than the one that opens accounts."""
    sessions, over = open_sessions(user), threading.Event()
    failures: list[BaseException] = []

    def count() -> None:
        while not over.is_set():
            try:
                assert sessions.requests >= 0
            except BaseException as error:
                failures.append(error)
                return

    counting = threading.Thread(target=count)
    counting.start()
    for account_id in range(300):
        sessions.open(account_id)
    over.set()
    counting.join()
    assert failures == []
    assert sessions.requests == 300
    sessions.close()


def test_counting_requests_does_not_wait_for_an_answer() -> None:
    """Progress continues while Harvest is silent."""
    asked, answer = threading.Event(), threading.Event()
    sessions = open_sessions(hold_back(asked, answer))
    opening = threading.Thread(target=sessions.open, args=(1,))
    opening.start()
    assert asked.wait(60)
    assert sessions.requests == 0
    answer.set()
    opening.join()
    assert sessions.requests == 1


def test_accounts_are_opened_concurrently_and_once_each() -> None:
    """A run of twenty accounts waited for twenty answers before it read the first row."""
    meeting = Meeting(2)

    def answer(request: httpx.Request) -> httpx.Response:
        meeting.attend()
        return user(request)

    sessions = open_sessions(answer)
    with ThreadPoolExecutor(4) as readers:
        opened = list(readers.map(sessions.open, (1, 2, 1, 2)))
    assert meeting.has_met
    assert opened[0] is opened[2]
    assert opened[1] is opened[3]
    assert sessions.requests == 2
    sessions.close()


def test_company_is_asked_while_the_owner_is() -> None:
    """Expenses, invoices and estimates waited for two answers, one after the other."""
    meeting = Meeting(2)

    def answer(request: httpx.Request) -> httpx.Response:
        meeting.attend()
        if request.url.path.endswith("/company"):
            return httpx.Response(200, json={"expense_feature": True})
        return user(request)

    sessions = open_sessions(answer)
    opened = sessions.open(1, with_company=True)
    assert opened.company.flag("expense_feature")
    assert meeting.has_met
    assert sessions.requests == 2
    sessions.close()


def test_an_owner_does_not_wait_for_company() -> None:
    """A list that needs no module is read while Harvest is slow to say which are on."""
    answer = threading.Event()

    def answer_late(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/company"):
            assert answer.wait(60)
            return httpx.Response(200, json={"expense_feature": False})
        return user(request)

    sessions = open_sessions(answer_late)
    opened = sessions.open(1, with_company=True)
    assert not answer.is_set()
    answer.set()
    assert opened.company.flag("expense_feature") is False
    sessions.close()


def test_sessions_tell_when_every_allowance_has_room() -> None:
    """An account that used up its allowance is a pause, even if another is read meanwhile."""
    sessions = open_sessions(user)
    assert sessions.until_free_s() == 0, "no account is open"
    busy, _ = sessions.open(1), sessions.open(2)
    for _ in range(97 - busy.client.requests):
        assert sessions.until_free_s() == 0
        busy.fetch_owner()
    assert sessions.until_free_s() == pytest.approx(15.4, abs=0.1)
    sessions.close()


def test_an_account_that_refuses_its_owner_does_not_stop_the_others() -> None:
    """A 403 on what every role may read is about person and account, not about modules."""

    def refuse_one(request: httpx.Request) -> httpx.Response:
        if request.headers["Harvest-Account-Id"] == "1":
            return httpx.Response(403, json={"message": "Not authorized!"})
        return user(request)

    sessions = open_sessions(refuse_one)
    with pytest.raises(AuthError) as caught:
        sessions.open(1)
    for words in ("account 1 ", "403 on users/me", "the test", "archived", "account_id"):
        assert words in str(caught.value)
    assert "module" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert sessions.open(2).owner.is_administrator


@pytest.mark.parametrize(("path", "is_named"), [("/v2", False), ("/v2/", False), ("", True)])
def test_an_unknown_account_is_refused_with_what_to_check(path: str, is_named: bool) -> None:
    """Harvest answers 404 to a wrong account, and to an address without its version."""
    http = HttpContext(
        clock=FakeClock(), transport=httpx.MockTransport(lambda _: httpx.Response(404))
    )
    api_url = f"https://api.harvestapp.com{path}"
    sessions = Sessions(Connection(httpx.Auth(), http, (7,), api_url=api_url, profile="work"))
    with pytest.raises(AuthError, match=r"account_id.*auth accounts --profile work$") as caught:
        sessions.open(7)
    assert ("Check api_url" in str(caught.value)) == is_named


@pytest.mark.parametrize(
    ("me", "roles"),
    [
        ({"access_roles": ["manager", "people_manager"]}, ("manager", "people_manager")),
        ({"is_admin": True}, ("administrator",)),
        ({"is_admin": True, "access_roles": None}, ("administrator",)),
        ({"is_admin": True, "access_roles": ["member"]}, ("member",)),
        ({"is_admin": False}, ()),
        ({"access_roles": "administrator"}, ()),
        ({"access_roles": ["mem\x1b[2Jber"]}, ("mem [2Jber",)),
    ],
)
def test_an_owner_without_roles_may_be_an_administrator(
    me: dict[str, object], roles: tuple[str, ...]
) -> None:
    """``is_admin`` is the form used before 2022 (quirk 16); roles take precedence over it."""
    assert parse_owner({"id": 7, **me}).access_roles == roles


def test_a_name_shows_no_control_characters() -> None:
    """The owner chooses the name, and terminals print it."""
    owner = parse_owner({"id": 7, "first_name": "Ada\x1b[2J\n", "last_name": None})
    assert owner.name == "Ada [2J"
