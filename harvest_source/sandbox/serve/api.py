"""From a request to an answer: the checks, in order, and then `call`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.lens import Change, Lens, apply_changes
from harvest_source.sandbox.data.values import HiddenKeys, Record, clone, dumps, epoch
from harvest_source.sandbox.endpoints import REPORTS
from harvest_source.sandbox.oauth.identity import Identity
from harvest_source.sandbox.oauth.logins import Logins
from harvest_source.sandbox.serve import reply as replies
from harvest_source.sandbox.serve.access import build_viewer
from harvest_source.sandbox.serve.call import Call, ReportCall
from harvest_source.sandbox.serve.identity_host import answer_identity
from harvest_source.sandbox.serve.limits import RateLimits
from harvest_source.sandbox.serve.reply import RefusalError, Reply
from harvest_source.sandbox.serve.requests import Request
from harvest_source.sandbox.serve.routes import API_PATH, REPORT_PREFIX
from harvest_source.sandbox.settings import Person, Settings


class Api:
    """
    Answers requests about *accounts*. Not thread-safe: the owner locks.

    Attributes:
        people: The holders of personal access tokens, by token; a revoked token is removed.
        modules_off: By account, the modules that are switched off.
        changes: By table, how the shape of its records is altered.
        logins: Logins through the consent page.
        limit: Whether rate limits apply.
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
        self.rate_limits = RateLimits(
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
        if request.table in ("oauth_authorize", "oauth_token", "oauth_revoke"):
            return answer_identity(self.identity, request)
        if request.table == "accounts":
            return Reply(200, dumps(self.identity.account_list(self._person(request))))
        found = API_PATH.match(request.path)
        if found is None:
            raise RefusalError(replies.unknown_page())
        if request.body:
            raise RefusalError(replies.bad_request("GET requests can not have a body"))
        person = self._person(request)
        account = self._account(request, person)
        self._admit(request, person, found["rest"].startswith(REPORT_PREFIX))
        # Writes to the API are not simulated: the connector only reads.
        if request.route is None or request.method != "GET":
            raise RefusalError(replies.unknown_page())
        route, viewer = request.route, build_viewer(person, account.tables)
        changes = tuple(self.changes.get("users" if route.kind == "me" else route.table, ()))
        hidden = HiddenKeys(viewer.hidden, self.settings.hidden_values == "null")
        lens = Lens(hidden, changes, epoch(request.time))
        off = frozenset(self.modules_off[account.account_id])
        return Call(request, route, account, viewer, lens, off).answer()

    def report(
        self, name: str, account: Account, token: str, params: Mapping[str, str]
    ) -> list[Record]:
        """
        The rows of a report as the API serves them to *token*.

        Raises:
            ValueError: There is no such report or parameter, the token is not valid or does not
                reach *account*, or the API would refuse the request for another reason.
        """
        known = REPORTS[name].known_params if name in REPORTS else frozenset()
        if name not in REPORTS or not known.issuperset(params):
            msg = f"No report named {name} with {', '.join(params)}; there are {', '.join(REPORTS)}"
            raise ValueError(msg)
        person = self._find_person(token)
        if person is None:
            msg = "That token is not in force"
            raise ValueError(msg)
        self._check_reach(person, account.account_id)
        viewer, now = build_viewer(person, account.tables), epoch(self.settings.clock())
        off = frozenset(self.modules_off[account.account_id])
        rows = ReportCall(REPORTS[name], account, viewer, off, now).rows(params)
        changes = tuple(self.changes.get(name, ()))
        return [clone(apply_changes(row, changes)) for row in rows]

    def rate_limit_owner(self, token: str, account_id: int | None) -> Hashable:
        """The key of the rate limit that a request counts against."""
        match self.settings.limit_scope:
            case "token":
                return token
            case "account":
                return account_id
            case _:
                return token, account_id

    def _find_person(self, token: str) -> Person | None:
        return self.people.get(token) or self.logins.person(token, self.settings.clock())

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
        account_id = request.account_id or 0
        self._check_reach(person, account_id)
        return self.accounts[account_id]

    def _check_reach(self, person: Person, account_id: int) -> None:
        if account_id not in self.accounts or not person.reaches(account_id):
            wrong = self.settings.wrong_account
            raise RefusalError(replies.not_found() if wrong == 404 else replies.unauthorized())

    def _admit(self, request: Request, person: Person, report: bool) -> None:
        if not self.limit:
            return
        budget = "reports" if report else "general"
        owner = self.rate_limit_owner(person.token, request.account_id)
        wait_s = self.rate_limits.wait_s(budget, owner, request.time)
        if wait_s is not None:
            raise RefusalError(replies.throttled(wait_s))
