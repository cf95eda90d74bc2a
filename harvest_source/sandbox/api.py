"""From a request to an answer: the checks in their order, then `serving`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from harvest_source.sandbox import reply as replies
from harvest_source.sandbox.access import build_viewer
from harvest_source.sandbox.account import Account
from harvest_source.sandbox.alterations import Change, apply_changes
from harvest_source.sandbox.endpoints import REPORTS
from harvest_source.sandbox.identity import Identity
from harvest_source.sandbox.limits import Allowances
from harvest_source.sandbox.listing import Lens
from harvest_source.sandbox.logins import Logins
from harvest_source.sandbox.reply import RefusalError, Reply
from harvest_source.sandbox.requests import Request
from harvest_source.sandbox.routes import API_PATH, REPORT_PREFIX
from harvest_source.sandbox.serving import Call, report_rows
from harvest_source.sandbox.settings import Person, Settings
from harvest_source.sandbox.values import Record, clone, epoch


class Api:
    """
    Answers requests about *accounts*. Not thread-safe: the owner locks.

    Attributes:
        people: Who holds which token; revoking one takes it out.
        modules_off: By account, flags of the modules that are switched off.
        changes: By table, how the shape of its records is altered.
        logins: Who came through the consent page.
    """

    def __init__(self, settings: Settings, accounts: Mapping[int, Account]) -> None:
        self.settings = settings
        self.accounts = accounts
        self.people: dict[str, Person] = {person.token: person for person in settings.people}
        self.modules_off = {account_id: set(settings.modules_off) for account_id in accounts}
        self.changes: dict[str, list[Change]] = {}
        self.logins = Logins(settings.oauth, settings.seed)
        self.identity = Identity(settings, accounts, self.logins)
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
        if request.table in ("oauth_authorize", "oauth_token"):
            return self.identity.answer(request)
        if request.table == "accounts":
            return self.identity.account_list(self._person(request))
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
        route, viewer = request.route, build_viewer(person, account.tables)
        changes = tuple(self.changes.get("users" if route.kind == "me" else route.table, ()))
        lens = Lens(viewer.hidden, changes, epoch(request.time))
        off = frozenset(self.modules_off[account.account_id])
        return Call(request, route, account, viewer, lens, off).answer()

    def report(
        self, name: str, account: Account, token: str, params: Mapping[str, str]
    ) -> list[Record]:
        """
        The rows of a report as the holder of *token* gets them.

        Raises:
            ValueError: Nobody would be served that.
        """
        known = REPORTS[name].known_params if name in REPORTS else frozenset()
        if not known.issuperset(params):
            msg = f"No report named {name} with {', '.join(params)}; there are {', '.join(REPORTS)}"
            raise ValueError(msg)
        person = self.people.get(token) or self.logins.person(token, self.settings.clock())
        if person is None:
            msg = "That token reaches nothing"
            raise ValueError(msg)
        viewer, now = build_viewer(person, account.tables), epoch(self.settings.clock())
        off = frozenset(self.modules_off[account.account_id])
        rows = report_rows(REPORTS[name], params, account, viewer, off, now)
        changes = tuple(self.changes.get(name, ()))
        return [clone(apply_changes(row, changes)) for row in rows]

    def _person(self, request: Request) -> Person:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        person = self.people.get(token) or self.logins.person(token, request.time)
        if person is None:
            raise RefusalError(replies.unauthorized())
        return person

    def _account(self, request: Request, person: Person) -> Account:
        if "harvest-account-id" not in request.headers:
            raise RefusalError(replies.unauthorized())
        account = self.accounts.get(request.account_id or 0)
        if account is None or not person.reaches(account.account_id):
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
