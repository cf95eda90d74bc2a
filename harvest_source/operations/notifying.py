"""Which event a run is, and telling the recipient of it. A notification never fails a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harvest_source.api.notification import Event, Notification, Recipient
from harvest_source.errors import BusyError, HarvestError, error_dict, printable

if TYPE_CHECKING:
    from harvest_source.operations.run_report import SyncReport

_LONGEST = 500


@contextmanager
def telling_of_failure(recipient: Recipient | None, name: str) -> Iterator[None]:
    """
    Tell *recipient*, if there is one, of an error of ours that ends a run before it has a report.

    A run that another one holds up is not told: the other one is.
    """
    try:
        yield
    except HarvestError as error:
        if recipient is not None and not isinstance(error, BusyError):
            text = f"{name}: failed. {printable(error, limit=_LONGEST)}"
            report = {"status": "error", "errors": [error_dict(error)]}
            tell(recipient, Notification(Event.FAILURE, text, report))
        raise


def choose_event(status: str, earlier: str | None) -> Event:
    """
    The event of a run that has a report.

    Args:
        status: Of this run.
        earlier: Of the run before; None: there was none, or it is not known.
    """
    if status != "ok":
        return Event.PARTIAL if status == "partial" else Event.FAILURE
    return Event.RECOVERED if earlier in ("partial", "error") else Event.SUCCESS


def tell_of_run(recipient: Recipient, report: SyncReport, earlier: str | None) -> str:
    """Tell of a run; returns why that was not possible, or an empty text."""
    event = choose_event(report.status, earlier)
    rows = sum(count.rows for count in report.tables.values())
    text = f"harvest-source into {report.target}: {event}, {report.status}, {rows:,} rows"
    problems = [str(each["message"]) for each in report.as_dict()["errors"]]
    if problems:
        text += f". {printable('; '.join(problems), limit=_LONGEST)}"
    return tell(recipient, Notification(event, text, report.as_dict()))


def tell(recipient: Recipient, notification: Notification) -> str:
    """Send what the recipient wants; returns why that was not possible, or an empty text."""
    if not recipient.wants(notification.event):
        return ""
    why = recipient.tell(notification)
    return f"The notification of {notification.event} was not sent: {why}." if why else ""
