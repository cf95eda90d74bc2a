"""What is asked again before anything is removed, for several accounts at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any, cast

import pytest

from harvest_source.api.client import HarvestClient
from harvest_source.api.evidence import ServerClock
from harvest_source.auth.company import Company
from harvest_source.auth.sessions import Owner, Session, Sessions
from harvest_source.errors import ServerError
from harvest_source.extract.confirmation import Confirmation
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slice_reader import ListPage
from harvest_source.schema.endpoints import BY_NAME
from tests.clocks import FakeClock
from tests.support.model import ModelPage
from tests.support.scripted_lists import NOON

ADMINISTRATOR = ("administrator",)


class Account:
    """Answers who the token's owner is, once all accounts of *together* have been asked."""

    def __init__(self, account_id: int, roles: tuple[str, ...], together: threading.Barrier):
        self.account_id = account_id
        self.server_clock = ServerClock(FakeClock(), "/v2")
        self._roles, self._together = roles, together

    def fetch_object(self, path: str) -> dict[str, Any]:
        assert path == "users/me"
        self._together.wait()
        if not self._roles:
            raise ServerError("Harvest answered 503.")
        return {"id": 1, "access_roles": list(self._roles)}

    def fetch_page(self, path: str, *, key: str | None) -> ListPage:
        """``company`` does not say of any module whether it is on."""
        return ModelPage(b"[{}]", None, NOON)


class OpenSessions:
    """Sessions of accounts that an administrator has opened, by their current roles."""

    def __init__(self, *roles: tuple[str, ...]) -> None:
        together = threading.Barrier(len(roles), timeout=20)
        clients = [
            cast(HarvestClient, Account(number, each, together))
            for number, each in enumerate(roles, 1)
        ]
        owner = Owner(1, "", "", ADMINISTRATOR)
        self._sessions = {c.account_id: Session(c, owner, Company(c)) for c in clients}

    def open(self, account_id: int) -> Session:
        return self._sessions[account_id]


def test_accounts_are_asked_at_once_and_doubted_separately() -> None:
    """No account waits for another's answer, and an answer affects only its own account."""
    sessions = OpenSessions(ADMINISTRATOR, ("manager",), ADMINISTRATOR, ())
    clients, run_log = BY_NAME["clients"], RunLog()
    places = [(clients, account_id) for account_id in (1, 2, 3, 4)]
    doubtful = Confirmation(cast(Sessions, sessions), run_log).find_doubtful(places)
    assert doubtful == {("clients", 2), ("clients", 4)}
    assert [each.account_id for each in run_log.unproven] == [2, 4]
    assert ["other roles" in str(each.error) for each in run_log.unproven] == [True, False]


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("invoices", "invoices"),
        ("invoice_payments", "invoices/7/payments"),
        ("invoice_payments", "invoices"),
        ("report_time_projects", "reports/time/projects"),
        ("report_time_projects", "time_entries"),
    ],
)
def test_a_table_is_in_doubt_if_a_cache_served_a_list_that_it_is_read_from(
    table: str, path: str
) -> None:
    """Also the list of its parents, and the lists that say which years a report has."""
    sessions, run_log = OpenSessions(ADMINISTRATOR), RunLog()
    clock = sessions.open(1).server_clock
    for date, answered in ((NOON - timedelta(hours=1), path), (NOON, "users/me")):
        clock.date(date, sent_at=NOON, elapsed_s=0, path=f"/v2/{answered}")
    places = [(BY_NAME[each], 1) for each in (table, "clients")]
    doubtful = Confirmation(cast(Sessions, sessions), run_log).find_doubtful(places)
    assert doubtful == {(table, 1)}
