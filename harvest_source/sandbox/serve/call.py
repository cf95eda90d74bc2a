"""From an admitted request to its rows: lists, nested lists, single records and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.lens import Lens
from harvest_source.sandbox.data.listing import Listing, RowListing
from harvest_source.sandbox.data.nested import is_manager
from harvest_source.sandbox.data.query import Test
from harvest_source.sandbox.data.records.time_entries import with_running_hours
from harvest_source.sandbox.data.scope import NOTHING, Scope, scope_test
from harvest_source.sandbox.data.values import Record
from harvest_source.sandbox.endpoints import ENDPOINTS, REPORTS, Endpoint, Parent, Report
from harvest_source.sandbox.serve import reply as replies
from harvest_source.sandbox.serve.access import (
    ScopeBelow,
    Viewer,
    scope_below,
    scope_of,
    scope_of_report,
)
from harvest_source.sandbox.serve.filters import parse_query
from harvest_source.sandbox.serve.paging import build_envelope, locate, parse_asked
from harvest_source.sandbox.serve.reply import RefusalError, Reply
from harvest_source.sandbox.serve.reports.rows import build_report
from harvest_source.sandbox.serve.reports.sums import View, parse_window
from harvest_source.sandbox.serve.requests import Request
from harvest_source.sandbox.serve.routes import Route
from harvest_source.sandbox.settings import Off


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request that passed the checks of token, account and rate limit.

    Attributes:
        off: Modules of the account that are switched off.
    """

    request: Request
    route: Route
    account: Account
    viewer: Viewer
    lens: Lens
    off: frozenset[str]

    def answer(self) -> Reply:
        """
        The answer to the request.

        Raises:
            RefusalError: The answer is an error, which the exception carries.
        """
        if self.route.kind == "company":
            return self._company()
        if self.route.kind == "me":
            return self._one(self.account.tables["users"][self.viewer.user_id], lambda _: True)
        if self.route.kind == "report":
            return self._report()
        endpoint = ENDPOINTS[self.route.table]
        if endpoint.parent is not None:
            return self._below(endpoint, endpoint.parent)
        return self._top(endpoint)

    def _company(self) -> Reply:
        if self.account.settings.company_needs_admin and self.viewer.role != "administrator":
            raise RefusalError(replies.forbidden())
        flags = {
            name: name.removesuffix("_feature") not in self.off
            for name in self.account.company
            if name.endswith("_feature")
        }
        shown = Lens(changes=self.lens.changes)
        return Reply(200, shown.show(self.account.company | flags))

    def _top(self, endpoint: Endpoint) -> Reply:
        scope = _allowed(scope_of(endpoint.name, self.viewer))
        scope = NOTHING if self._is_off(endpoint.module) else scope
        if self.route.kind == "record":
            record = self.account.get(endpoint.name, self.route.record_id or 0)
            return self._one(record, scope_test(endpoint.name, scope))
        query = parse_query(endpoint, self.request.params)
        return self._page(self.account.listing(endpoint.name, query, scope), endpoint)

    def _below(self, endpoint: Endpoint, parent: Parent) -> Reply:
        given = self.route.parent_id
        parent_id = self.viewer.user_id if given is None else given
        found = scope_below(endpoint.name, parent_id, self.viewer)
        if found is None:
            raise RefusalError(replies.forbidden())
        if self._is_off(endpoint.module):
            found = ScopeBelow(rows=NOTHING)
        else:
            self._check_parent(endpoint.name, parent, parent_id, found.parents)
        if self.route.kind == "record":
            rows = self.account.below(endpoint.name, parent_id)
            record = next((row for row in rows if row["id"] == self.route.record_id), None)
            return self._one(record, scope_test(endpoint.name, found.rows))
        query = parse_query(endpoint, self.request.params)
        listing = self.account.listing_below(endpoint.name, parent_id, query, found.rows)
        return self._page(listing, endpoint)

    def _check_parent(self, name: str, parent: Parent, parent_id: int, scope: Scope) -> None:
        record = self.account.get(parent.table, parent_id)
        if record is None or not scope_test(parent.table, scope)(record):
            raise RefusalError(replies.not_found())
        if name == "teammates" and not is_manager(record):
            # Unverified against a live account: the wording.
            raise RefusalError(replies.invalid("User is not a Manager"))

    def _report(self) -> Reply:
        report = REPORTS[self.route.table]
        call = ReportCall(report, self.account, self.viewer, self.off, self.lens.now)
        return self._page(RowListing(call.rows(self.request.params)))

    def _is_off(self, module: str | None) -> bool:
        return is_off(module, self.off, self.account.settings.module_off)

    def _one(self, record: Record | None, seen: Test) -> Reply:
        """One record, if it exists and is *seen*."""
        if record is None or not seen(record):
            raise RefusalError(replies.not_found())
        return Reply(200, self.lens.show(with_running_hours(record, self.lens.now)))

    def _page(self, listing: Listing, endpoint: Endpoint | None = None) -> Reply:
        """One page of *listing*; *endpoint* is ``None`` for reports."""
        settings, request = self.account.settings, self.request
        name = self.route.table
        most = settings.max_per_page
        default = min(settings.default_per_page.get(name, most), most)
        asked = parse_asked(request.params, default, most)
        page = locate(listing, replace(asked, per_page=min(asked.per_page, settings.page_rows)))
        documented = endpoint is not None and endpoint.style == "cursor"
        envelope = build_envelope(
            listing,
            page,
            f"http://{request.headers.get('host', 'localhost')}{request.path}",
            request.params,
            by_cursor=name in settings.cursor_tables
            or (documented and name not in settings.page_tables),
        )
        rows = listing.body(page.start, page.stop, self.lens)
        key = self.route.rows_key or ""
        return Reply(200, b'{"%b":[%b],%b' % (key.encode(), rows, envelope))


@dataclass(frozen=True, slots=True)
class ReportCall:
    """A report about one account, as the API serves it to *viewer* at Unix second *now*."""

    report: Report
    account: Account
    viewer: Viewer
    off: frozenset[str]
    now: int

    def rows(self, params: Mapping[str, str]) -> list[Record]:
        """
        The rows, in served order.

        Raises:
            RefusalError: The role is too low, the module is off, or the window is invalid.
        """
        scope = _allowed(scope_of_report(self.report.name, self.viewer))
        nothing = is_off(self.report.module, self.off, self.account.settings.module_off)
        window = parse_window(self.report, params)
        view = View(self.account, scope, self.viewer.sees_rates, self.now)
        return [] if nothing else build_report(self.report, window, params, view)


def is_off(module: str | None, off: frozenset[str], answer: Off) -> bool:
    """
    Whether *module* is among those that are *off*, so that its lists are empty.

    Raises:
        RefusalError: The module is off, and *answer* is an error.
    """
    if module not in off:
        return False
    if answer != "empty":
        raise RefusalError(_module_refusal(answer))
    return True


def _allowed(scope: Scope | None) -> Scope:
    if scope is None:
        raise RefusalError(replies.forbidden())
    return scope


def _module_refusal(answer: Off) -> Reply:
    """Unverified against a live account: no source shows the answer for a switched-off module."""
    if answer == "422":
        return replies.invalid("This module is not enabled")
    return replies.forbidden() if answer == "403" else replies.not_found()
