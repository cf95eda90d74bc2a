"""The simulated installation, and everything that can be done to it while it serves."""

from __future__ import annotations

from typing import Any, Self

from harvest_source.sandbox.checks import check_number
from harvest_source.sandbox.control.access_control import AccessControl
from harvest_source.sandbox.control.alterations import build_change
from harvest_source.sandbox.control.installation import check_name
from harvest_source.sandbox.control.login_control import LoginControl
from harvest_source.sandbox.control.record_control import RecordEditing, RecordReading
from harvest_source.sandbox.data.lens import Change
from harvest_source.sandbox.endpoints import ENDPOINTS, REPORTS, STORED
from harvest_source.sandbox.serve.app import Hook
from harvest_source.sandbox.serve.fault_arguments import MATCHING
from harvest_source.sandbox.serve.faults import Fault, Faults, apply_faults, prevents
from harvest_source.sandbox.serve.reply import Reply
from harvest_source.sandbox.serve.request_log import RequestLog
from harvest_source.sandbox.serve.requests import Request
from harvest_source.sandbox.serve.routes import IDENTITY_PATHS
from harvest_source.sandbox.settings import Settings

SHAPED = (*ENDPOINTS, *REPORTS, "company")
"""Names of everything that has records whose shape can be changed."""
LOGGED = (*SHAPED, "users_me", *dict.fromkeys(IDENTITY_PATHS.values()))
"""Names in the request log, except the paths that Harvest does not have."""


class World(LoginControl, AccessControl, RecordReading, RecordEditing):
    """
    Accounts, tokens, faults and hooks behind the API; thread-safe.

    Methods that take ``account_id`` mean the first account when it is ``None``.

    Attributes:
        requests: Requests answered so far.
        latency_ms: Delay before every answer; may be changed at any time.
        before_hooks: See `before_request`. ``after_hooks``: see `after_request`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._faults = Faults(settings.seed)
        self.requests = RequestLog()
        self.latency_ms = settings.latency_ms
        self.before_hooks: list[Hook] = []
        self.after_hooks: list[Hook] = []

    def answer(self, request: Request) -> Reply:
        """The answer to one request, faults included. Raises only for bugs of the sandbox."""
        with self._lock:
            found = self._faults.hitting(request)
            reply = Reply(200, b"{}") if prevents(found, request) else self._api.answer(request)
            return apply_faults(found, reply, request)

    # -- what goes wrong ---------------------------------------------------------------------

    def fault(self, name: str, **arguments: Any) -> Fault:
        """
        Put a fault in force (see `FAULTS`).

        Args:
            arguments: ``table``, ``path``, ``method``, ``account_id``, ``nth``, ``times`` and
                ``probability`` say which requests it hits; the rest are the fault's own.

        Raises:
            ValueError: No fault has that name, or not this argument, or the request log has no such
                table.
        """
        matched = {key: value for key, value in arguments.items() if key in MATCHING}
        own = {key: value for key, value in arguments.items() if key not in MATCHING}
        found = Fault(name, **matched, arguments=own)
        if found.table is not None:
            check_name(found.table, LOGGED)
        with self._lock:
            return self._faults.add(found)

    def clear_faults(self) -> None:
        """End every fault."""
        with self._lock:
            self._faults.clear()

    def alter(self, table: str, change: str | Change, **arguments: Any) -> None:
        """
        Change the shape of the table's records as served, by name (see `CHANGES`) or by function.

        A function gets a copy of the record and returns it, or ``None`` after an in-place change.

        Args:
            table: A list, a report (``report_uninvoiced`` and the like) or ``company``. What
                changes ``users`` also changes ``users/me``.

        Raises:
            ValueError: There is no such table, or no change has that name.
        """
        made = build_change(change, arguments)
        with self._lock:
            self._api.changes.setdefault(check_name(table, SHAPED), []).append(made)

    def clear_alterations(self) -> None:
        """End every alteration: serve records as they are stored again."""
        with self._lock:
            self._api.changes.clear()

    def set_latency(self, ms: float) -> None:
        """
        Set the delay before every answer.

        Raises:
            ValueError: It is no time; with one, no request would be answered.
        """
        check_number("ms", ms)
        self.latency_ms = float(ms)

    # -- watching ----------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """Rows per account and table, requests by table, faults in force."""
        with self._lock:
            return {
                "accounts": {
                    str(account_id): {table: self.count(table, account_id) for table in STORED}
                    for account_id in self._accounts
                },
                "requests": self.requests.counts(),
                "faults": [
                    {"name": fault.name, "met": fault.met, "done": fault.done}
                    for fault in self._faults.active
                ],
            }

    def reset_requests(self) -> None:
        """Clear the request log; rate limits still count the earlier requests."""
        self.requests.clear()

    def before_request(self, hook: Hook) -> Self:
        """
        Call *hook* before each API request is answered; it may change anything.

        Hooks run on threads of their own: a hook that waits does not block other requests.
        """
        self.before_hooks.append(hook)
        return self

    def after_request(self, hook: Hook) -> Self:
        """Call *hook* after an answer is computed and before any of it is sent."""
        self.after_hooks.append(hook)
        return self

    def clear_hooks(self) -> None:
        """Remove every hook."""
        self.before_hooks.clear()
        self.after_hooks.clear()
