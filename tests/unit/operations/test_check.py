"""A check's findings: the subject of a warning, and what determines the exit code."""

from __future__ import annotations

import httpx
import pytest

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.sessions import Connection, Sessions
from harvest_source.config.parse import parse_tables
from harvest_source.errors import AuthError, DestinationError, ServerError
from harvest_source.notices import Notice, NoticeKind
from harvest_source.operations.check import CheckReport, Finding, _check_accounts, build_finding
from tests.clocks import FakeClock
from tests.support.meeting import Meeting


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_a_subject(kind: NoticeKind) -> None:
    """A new kind needs a subject; the notice's words are not examined."""
    found = build_finding(Notice(kind, "Words that may change."))
    assert found.subject
    assert (found.state, found.detail) == ("warning", "Words that may change.")


def test_notices_are_distinguished_by_their_kind() -> None:
    """The clock, the allowance and the sign-in have different lines."""
    subjects = {kind: build_finding(Notice(kind, "x")).subject for kind in NoticeKind}
    assert subjects[NoticeKind.CLOCK] == "clock"
    assert subjects[NoticeKind.ALLOWANCE] == "limit"
    assert subjects[NoticeKind.SIGN_IN] == "credentials"


def finding(error: AuthError | ServerError | DestinationError | None, state: str) -> Finding:
    return Finding("table", "users", state, "x", error)


def test_warnings_and_skipped_tables_are_no_failures() -> None:
    """A check of a member's token exits with 0."""
    report = CheckReport((finding(None, "warning"), finding(None, "skipped")))
    assert report.exit_code == 0
    assert report.as_dict()["status"] == "ok"


def test_the_gravest_error_decides() -> None:
    """The most serious error decides, as in a sync."""
    errors = (ServerError("x"), DestinationError("x"), AuthError("x"))
    report = CheckReport(tuple(finding(error, "error") for error in errors))
    assert report.exit_code == 6
    assert report.as_dict()["status"] == "error"


def test_tables_are_asked_for_at_the_same_time() -> None:
    """Testing a token takes a few sequential answers, not thirty; the lines keep their order."""
    meeting = Meeting(8)

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        if name == "me":
            return httpx.Response(200, json={"id": 1, "access_roles": ["administrator"]})
        if name == "company":
            return httpx.Response(200, json={"expense_feature": True, "invoice_feature": True})
        meeting.attend()
        return httpx.Response(200, json={name: [], "total_entries": 0, "links": {"next": None}})

    http = HttpContext(clock=FakeClock(), transport=httpx.MockTransport(answer))
    sessions = Sessions(Connection(httpx.Auth(), http, account_ids=(1,)))
    found = [each for each in _check_accounts(sessions, "") if each.subject == "table"]
    sessions.close()
    assert meeting.has_met
    assert [each.name for each in found] == [each.name for each in parse_tables(())]
    assert {each.state for each in found} == {"ok"}
