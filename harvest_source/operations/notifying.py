"""Choose which event a run is, and notify the recipient. A notification never fails a run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from harvest_source.api.notification import SECONDS, Event, Notification, Recipient, Style
from harvest_source.dlt_internals import find_pipelines_folder
from harvest_source.errors import (
    BusyError,
    HarvestError,
    counted,
    error_dict,
    find_cause,
    printable,
)
from harvest_source.termination import Terminated
from harvest_source.warehouse.target import Target

if TYPE_CHECKING:
    from harvest_source.operations.run_report import SyncReport
    from harvest_source.operations.verify_report import VerifyReport

_LONGEST: Final = 500
_INTERRUPTED_S: Final = 2.0
"""
How long a notification may take after SIGTERM, which SIGKILL follows, after ten seconds in Docker;
and after Ctrl-C, because a person waits.
"""

_SPARE_S: Final = 0.5
"""How much longer to wait for the sending thread, so that it can say why it failed."""


class RunNotifier(AbstractContextManager["RunNotifier"]):
    """
    Notifies *recipient* of one run: of its beginning, and of its end with a report or an error.

    A run that ends because another one is running is not reported. A run that the destination
    refused has no row in ``sync_runs``, so each failed run leaves a file in dlt's folder of
    pipelines. The next run without an error deletes it, and is a recovery if it is ``ok``.

    Args:
        recipient: None: nothing is sent.
    """

    def __init__(self, recipient: Recipient | None, target: Target) -> None:
        self._recipient = recipient
        self._target = target
        name = f"{target.pipeline}-{target.short_name}.failed"
        self._failed = find_pipelines_folder() / name
        self._beginning: threading.Thread | None = None
        self._has_reported = False

    def begin(self) -> None:
        """Tell a dead man's switch that the run begins; the run does not wait for that."""
        recipient = self._recipient
        if recipient is not None and recipient.wants(Event.START):
            notification = Notification(Event.START, f"{self._target}: started", {})
            self._beginning = threading.Thread(
                target=recipient.send, args=(notification,), name="harvest-notify", daemon=True
            )
            self._beginning.start()

    def end(self, report: SyncReport, earlier: str | None) -> str:
        """
        Report the end of a run; returns why that was not possible, or an empty text.

        Args:
            earlier: Status of the previous run, as ``sync_runs`` has it; None: not known.
        """
        if self._recipient is None:
            return ""
        event = choose_event(report.status, "error" if self._failed.exists() else earlier)
        self._note(has_failed=report.status == "error")
        rows = sum(count.rows for count in report.tables.values())
        text = f"harvest-source into {report.target}: {event}, {report.status}, {rows:,} rows"
        problems = [str(each["message"]) for each in report.as_dict()["errors"]]
        if problems:
            text += f". {printable('; '.join(problems), limit=_LONGEST)}"
        self._has_reported = True
        return self._notify(Notification(event, text, report.as_dict()))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._recipient is None or error is None or isinstance(error, BusyError):
            return
        is_terminated = find_cause(error, Terminated) is not None
        is_interrupted = find_cause(error, KeyboardInterrupt) is not None
        if is_interrupted and self._has_reported:
            return  # The run was over, and its report was sent or cannot be.
        if is_interrupted and not is_terminated and self._recipient.chosen_style is not Style.PING:
            return  # Ctrl-C is not a failure, and the person who pressed it knows.
        if is_interrupted:
            # A dead-man switch has got /start, and would otherwise wait for the run's end.
            message = "Ended by SIGTERM" if is_terminated else "Ended by Ctrl-C"
            within_s = _INTERRUPTED_S
        elif isinstance(error, Exception):
            message, within_s = _say(error), SECONDS
        else:
            return
        if is_terminated or not is_interrupted:
            self._note(has_failed=True)
        text = f"harvest-source into {self._target}: failed. {printable(message, limit=_LONGEST)}"
        self._notify(Notification(Event.FAILURE, text, _build_report(error, message)), within_s)

    def _note(self, *, has_failed: bool) -> None:
        with suppress(OSError):  # A full disk must not stop a run because of this note.
            if has_failed:
                self._failed.parent.mkdir(parents=True, exist_ok=True)
                self._failed.touch()
            else:
                self._failed.unlink(missing_ok=True)

    def _notify(self, notification: Notification, within_s: float = SECONDS) -> str:
        if self._beginning is not None:
            self._beginning.join(within_s)  # A run's end is not reported before its beginning.
        if self._recipient is None:
            return ""
        return notify(self._recipient, notification, within_s=within_s)


class VerifyNotifier(AbstractContextManager["VerifyNotifier"]):
    """
    Notifies *recipient* of a verification that fails, or whose exit code is not 0.

    A dead-man switch gets neither the start nor a success of it: the switch expects syncs, and
    would otherwise not notice that they no longer run.

    Args:
        recipient: None: nothing is sent.
    """

    def __init__(self, recipient: Recipient | None, target: Target) -> None:
        self._recipient = recipient
        self._target = target

    def end(self, report: VerifyReport) -> str:
        """
        Report the end of a verification; returns why that was not possible, or an empty text.

        The report is sent without its figures, which may be amounts of money.
        """
        if self._recipient is None or not report.exit_code:
            return ""
        text = f"{report.status}, {counted(len(report.differences), 'difference')}"
        if tables := ", ".join(dict.fromkeys(each.table for each in report.differences)):
            text += f": {tables}"
        if problems := "; ".join(str(each.error) for each in report.run_log.failures):
            text += f". {problems}"
        names = ("status", "account_ids", "requests", "as_of", "seconds", "compared", "errors")
        content = report.as_dict()
        return self._notify(text, {name: content[name] for name in names})

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, BusyError):
            return
        if find_cause(error, Terminated) is not None:
            message, within_s = "Ended by SIGTERM", _INTERRUPTED_S
        elif find_cause(error, KeyboardInterrupt) is not None or not isinstance(error, Exception):
            return  # Ctrl-C is not a failure, and the person who pressed it knows.
        else:
            message, within_s = _say(error), SECONDS
        self._notify(f"failed. {message}", _build_report(error, message), within_s)

    def _notify(self, text: str, report: Mapping[str, Any], within_s: float = SECONDS) -> str:
        if self._recipient is None:
            return ""
        text = f"harvest-source verify of {self._target}: {printable(text, limit=_LONGEST)}"
        return notify(self._recipient, Notification(Event.VERIFY, text, report), within_s=within_s)


def _say(error: Exception) -> str:
    """The message of an error of ours; of others the name only, because they may quote secrets."""
    return str(error) if isinstance(error, HarvestError) else type(error).__name__


def _build_report(error: BaseException, message: str) -> Mapping[str, Any]:
    """The report of a command that *error* ended."""
    return {"status": "error", "errors": [error_dict(error, message=message)]}


def choose_event(status: str, earlier: str | None) -> Event:
    """
    The event of a run that has a report.

    Args:
        status: The status of this run.
        earlier: That of the previous run; None: there was none, or it is not known.
    """
    if status != "ok":
        return Event.PARTIAL if status == "partial" else Event.FAILURE
    return Event.RECOVERED if earlier in ("partial", "error") else Event.SUCCESS


def notify(recipient: Recipient, notification: Notification, *, within_s: float = SECONDS) -> str:
    """
    Send an event that the recipient wants; returns why that was not possible, or ``""``.

    Sends on another thread: looking up the address's name cannot be interrupted, and takes as long
    as the system's settings say.
    """
    if not recipient.wants(notification.event):
        return ""
    outcome = [f"no answer within {within_s:.0f} s"]

    def send() -> None:
        outcome[0] = recipient.send(notification, within_s=within_s)

    sending = threading.Thread(target=send, name="harvest-notify", daemon=True)
    sending.start()
    sending.join(within_s + _SPARE_S)
    why = outcome[0]
    return f"The notification of {notification.event} was not sent: {why}." if why else ""
