"""From a request to an answer: the checks in their order, then the rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from harvest_source.sandbox import reply as replies
from harvest_source.sandbox.access import (
    NOTHING,
    Scope,
    Viewer,
    build_viewer,
    scope_of,
    scope_test,
)
from harvest_source.sandbox.account import Account
from harvest_source.sandbox.alterations import Change
from harvest_source.sandbox.endpoints import API_PATH, ENDPOINTS, REPORT_PREFIX, Endpoint, Route
from harvest_source.sandbox.filters import parse_query
from harvest_source.sandbox.limits import Allowances
from harvest_source.sandbox.listing import Lens
from harvest_source.sandbox.paging import MAX_PER_PAGE, build_envelope, locate, parse_asked
from harvest_source.sandbox.reply import RefusalError, Reply
from harvest_source.sandbox.requests import Request
from harvest_source.sandbox.settings import Person, Settings
from harvest_source.sandbox.values import dumps, epoch
from harvest_source.sandbox.work import grown


class Api:
    """
    Answers requests about *accounts*. Not thread-safe: the owner locks.

    Attributes:
        people: Who holds which token; revoking one takes it out.
        modules_off: By account, flags of the modules that are switched off.
        changes: By table, how the shape of its records is altered.
    """

    def __init__(self, settings: Settings, accounts: Mapping[int, Account]) -> None:
        self.settings = settings
        self.accounts = accounts
        self.people: dict[str, Person] = {person.token: person for person in settings.people}
        self.modules_off = {account_id: set(settings.modules_off) for account_id in accounts}
        self.changes: dict[str, list[Change]] = {}
        self.limit = settings.limit
        self.allowances = Allowances(
            {"general": settings.general_limit, "reports": settings.reports_limit}
        )

    def answer(self, request: Request) -> Reply:
        """The answer to *request*; an error status is an answer like any other."""
        try:
            return self._answer(request)
        except RefusalError as refusal:
            return refusal.reply

    def _answer(self, request: Request) -> Reply:
        if not request.headers.get("user-agent", "").strip():
            raise RefusalError(replies.bad_request("User-Agent header is required"))
        if request.table == "accounts":
            return self._identity(self._person(request))
        found = API_PATH.match(request.path)
        if found is None:
            raise RefusalError(replies.unknown_page())
        if request.body:
            raise RefusalError(replies.bad_request("GET requests can not have a body"))
        person = self._person(request)
        account = self._account(request, person)
        self._admit(request, person, found["rest"].startswith(REPORT_PREFIX))
        # Writing is not simulated: no connector that reads has a use for it.
        if request.route is None or request.method != "GET":
            raise RefusalError(replies.unknown_page())
        return self._serve(request, request.route, account, build_viewer(person, account.tables))

    def _person(self, request: Request) -> Person:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        person = self.people.get(token.strip()) if scheme.lower() == "bearer" else None
        if person is None:
            raise RefusalError(replies.unauthorized())
        return person

    def _account(self, request: Request, person: Person) -> Account:
        if "harvest-account-id" not in request.headers:
            raise RefusalError(replies.unauthorized())
        account = self.accounts.get(request.account_id or 0)
        if account is None or not _reaches(person, account.account_id):
            wrong = self.settings.wrong_account
            raise RefusalError(replies.not_found() if wrong == 404 else replies.unauthorized())
        return account

    def _admit(self, request: Request, person: Person, report: bool) -> None:
        if not self.limit:
            return
        budget = "reports" if report else "general"
        owner = self.owner(person.token, request.account_id)
        wait_s = self.allowances.wait_s(budget, owner, request.time)
        if wait_s is not None:
            raise RefusalError(replies.throttled(wait_s))

    def owner(self, token: str, account_id: int | None) -> Hashable:
        """Whose allowance a request counts against."""
        scope = self.settings.limit_scope
        return (
            token
            if scope == "token"
            else account_id
            if scope == "account"
            else (
                token,
                account_id,
            )
        )

    def _identity(self, person: Person) -> Reply:
        """Accounts of the token; those of the other product may come first (quirk 2)."""
        first = next(iter(self.accounts.values()))
        user = list(first.tables["users"].values())[person.user]
        listed = [
            *((account_id, f"Forecast {account_id}", "forecast")
              for account_id in self.settings.forecast_accounts),
            *((account.account_id, account.company["name"], "harvest")
              for account in self.accounts.values()),
        ]  # fmt: skip
        content = {
            "user": {name: user[name] for name in ("id", "first_name", "last_name", "email")},
            "accounts": [
                {
                    "id": account_id,
                    "name": name,
                    "product": product,
                    "google_sign_in_required": False,
                }
                for account_id, name, product in listed
                if _reaches(person, account_id)
            ],
        }
        return Reply(200, dumps(content))

    def _serve(self, request: Request, route: Route, account: Account, viewer: Viewer) -> Reply:
        if route.kind == "company":
            return self._company(account, viewer)
        if route.kind == "me":
            me = account.tables["users"][viewer.user_id]
            return Reply(200, self._lens("users", viewer, request).show(me))
        endpoint = ENDPOINTS[route.table]
        scope = scope_of(route.table, viewer)
        if scope is None:
            raise RefusalError(replies.forbidden())
        off = endpoint.module in self.modules_off[account.account_id]
        if off and self.settings.module_off != "empty":
            raise RefusalError(_module_refusal(self.settings.module_off))
        scope = NOTHING if off else scope
        lens = self._lens(route.table, viewer, request)
        if route.kind == "record":
            return self._record(account, route, scope, lens)
        return self._list(request, endpoint, account, scope, lens)

    def _company(self, account: Account, viewer: Viewer) -> Reply:
        if self.settings.company_needs_admin and viewer.role != "administrator":
            raise RefusalError(replies.forbidden())
        off = self.modules_off[account.account_id]
        flags = {
            name: name.removesuffix("_feature") not in off
            for name in account.company
            if name.endswith("_feature")
        }
        shown = Lens(changes=tuple(self.changes.get("company", ())))
        return Reply(200, shown.show(account.company | flags))

    def _lens(self, table: str, viewer: Viewer, request: Request) -> Lens:
        changes = tuple(self.changes.get(table, ()))
        return Lens(viewer.hidden, changes, epoch(request.time))

    def _record(self, account: Account, route: Route, scope: Scope, lens: Lens) -> Reply:
        record = account.get(route.table, route.record_id or 0)
        if record is None or not scope_test(route.table, scope)(record):
            raise RefusalError(replies.not_found())
        return Reply(200, lens.show(grown(record, lens.now)))

    def _list(
        self, request: Request, endpoint: Endpoint, account: Account, scope: Scope, lens: Lens
    ) -> Reply:
        table = endpoint.key
        default = self.settings.default_per_page.get(table, MAX_PER_PAGE)
        asked = parse_asked(request.params, default)
        listing = account.listing(table, parse_query(endpoint, request.params), scope)
        page = locate(listing, asked)
        envelope = build_envelope(
            listing,
            page,
            f"http://{request.headers.get('host', 'localhost')}{request.path}",
            request.params,
            by_cursor=self._by_cursor(endpoint),
        )
        rows = listing.body(page.start, page.stop, lens)
        return Reply(200, b'{"%b":[%b],%b' % (table.encode(), rows, envelope))

    def _by_cursor(self, endpoint: Endpoint) -> bool:
        documented = endpoint.style == "cursor" and endpoint.key not in self.settings.page_tables
        return documented or endpoint.key in self.settings.cursor_tables


def _reaches(person: Person, account_id: int) -> bool:
    return person.accounts is None or account_id in person.accounts


def _module_refusal(off: str) -> Reply:
    """Unverified against a live account: no source records the answer of a switched-off module."""
    if off == "422":
        return replies.invalid("This module is not enabled")
    return replies.forbidden() if off == "403" else replies.not_found()
