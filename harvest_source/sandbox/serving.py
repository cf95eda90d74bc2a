"""From an admitted request to its rows: lists, nested lists, single records and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harvest_source.sandbox import reply as replies
from harvest_source.sandbox.access import (
    NOTHING,
    Scope,
    ScopeBelow,
    Viewer,
    is_manager,
    scope_below,
    scope_of,
    scope_of_report,
    scope_test,
)
from harvest_source.sandbox.account import Account
from harvest_source.sandbox.endpoints import ENDPOINTS, REPORTS, Endpoint, Parent, Report
from harvest_source.sandbox.filters import Test, parse_query
from harvest_source.sandbox.listing import Lens, Listing, RowListing
from harvest_source.sandbox.paging import MAX_PER_PAGE, build_envelope, locate, parse_asked
from harvest_source.sandbox.reply import RefusalError, Reply
from harvest_source.sandbox.report_rows import build_report
from harvest_source.sandbox.report_values import View, parse_window
from harvest_source.sandbox.requests import Request
from harvest_source.sandbox.routes import Route
from harvest_source.sandbox.settings import Off
from harvest_source.sandbox.values import Record
from harvest_source.sandbox.work import grown


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request whose token, account and allowance are in order.

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
        The answer.

        Raises:
            RefusalError: It is an error; carries it.
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
        rows = report_rows(
            REPORTS[self.route.table],
            self.request.params,
            self.account,
            self.viewer,
            self.off,
            self.lens.now,
        )
        return self._page(RowListing(rows))

    def _is_off(self, module: str | None) -> bool:
        return is_off(module, self.off, self.account.settings.module_off)

    def _one(self, record: Record | None, seen: Test) -> Reply:
        """One record, if there is any and it is *seen*."""
        if record is None or not seen(record):
            raise RefusalError(replies.not_found())
        return Reply(200, self.lens.show(grown(record, self.lens.now)))

    def _page(self, listing: Listing, endpoint: Endpoint | None = None) -> Reply:
        """One page of *listing*; of a report's when it is of no *endpoint*."""
        settings, request = self.account.settings, self.request
        name = self.route.table
        default = settings.default_per_page.get(name, MAX_PER_PAGE)
        page = locate(listing, parse_asked(request.params, default))
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


def report_rows(
    report: Report,
    params: Mapping[str, str],
    account: Account,
    viewer: Viewer,
    off: frozenset[str],
    now: int,
) -> list[Record]:
    """
    The rows of a report as *viewer* is served them at Unix second *now*.

    Raises:
        RefusalError: The role is too low, the module is off, or the window is no good.
    """
    scope = _allowed(scope_of_report(report.name, viewer))
    nothing = is_off(report.module, off, account.settings.module_off)
    window = parse_window(report, params)
    view = View(account, scope, viewer.sees_rates, now)
    return [] if nothing else build_report(report, window, params, view)


def is_off(module: str | None, off: frozenset[str], answer: Off) -> bool:
    """
    Whether *module* is among those that are *off*, and its lists are empty.

    Raises:
        RefusalError: It is off, and *answer* is an error.
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


def _module_refusal(off: str) -> Reply:
    """Unverified against a live account: no source records the answer of a switched-off module."""
    if off == "422":
        return replies.invalid("This module is not enabled")
    return replies.forbidden() if off == "403" else replies.not_found()
