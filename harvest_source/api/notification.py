"""
Notify a URL about a run: a message to Slack, a plain POST, or a ping to a dead-man switch.

A notification takes ten seconds at most and never fails a run. The URL is a secret, because it lets
anyone who has it write there. No text of ours contains it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from harvest_source.api.http_client import open_client
from harvest_source.errors import HarvestError

SECONDS: Final = 10.0
"""How long a whole notification may take."""


class Event(StrEnum):
    """Events that recipients are notified of."""

    START = "start"
    """A run begins. For dead-man switches, which use it to measure how long runs take."""
    FAILURE = "failure"
    """A run failed."""
    PARTIAL = "partial"
    """A run loaded some rows, but something failed or could not be proven complete."""
    STALE = "stale"
    """``status --max-age`` found a table that is too old."""
    VERIFY = "verify"
    """``verify`` failed, found a difference, or could not compare something."""
    SIGN_IN = "sign_in"
    """``auth status --check --all`` found a sign-in that its owner must fix, or a changed role."""
    RECOVERED = "recovered"
    """A run succeeded after one that did not."""
    SUCCESS = "success"
    """Any other run that succeeded."""


class Style(StrEnum):
    """Format of the request that a recipient expects."""

    SLACK = "slack"
    """A JSON object with ``text``."""
    POST = "post"
    """A JSON object with the event, a text and the run's report."""
    PING = "ping"
    """
    URLs: ``/start`` below the address, then the address itself, or ``/fail`` after a failure. A
    query, such as ``?create=1``, stays behind the path.
    """


_STYLES: Final[Mapping[str, Style]] = {"hooks.slack.com": Style.SLACK, "hc-ping.com": Style.PING}
"""Hosts whose style is known."""


_BELOW: Final = {Event.START: "/start", Event.SUCCESS: "", Event.RECOVERED: ""}
"""Text appended to the path of a dead-man switch, by event."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message."""

    event: Event
    text: str
    """One line."""
    report: Mapping[str, Any]
    """The run's report, which the plain POST and the ping send as well."""


@dataclass(frozen=True)
class Recipient:
    """
    Where notifications go, and which ones.

    Attributes:
        style: None: depends on the host, and is :attr:`Style.POST` for unknown hosts.
        events: Events to notify about; a dead-man switch is notified of every event.
    """

    url: str
    events: frozenset[Event]
    style: Style | None = None

    def __repr__(self) -> str:
        return "Recipient(***)"

    @property
    def chosen_style(self) -> Style:
        """The style in effect."""
        return self.style or _STYLES.get(httpx.URL(self.url).host, Style.POST)

    def wants(self, event: Event) -> bool:
        """Whether the recipient is notified of *event*."""
        if self.chosen_style is Style.PING:
            return True
        return event is not Event.START and event in self.events

    def send(self, notification: Notification, *, within_s: float = SECONDS) -> str:
        """
        Send *notification*.

        Args:
            within_s: Seconds that the whole notification may take.

        Returns:
            Why it could not be sent, without the path of the URL; empty if it was sent.
        """
        url, host = self.url, httpx.URL(self.url).host
        try:
            with open_client(
                httpx.URL(url), auth=None, headers={}, transport=None, request_s=within_s
            ) as client:
                address, content = _build(self.chosen_style, url, notification)
                headers = {"Content-Type": "application/json"}
                answer = client.post(address, content=content, headers=headers)
        except (HarvestError, httpx.HTTPError) as error:
            return f"{host} did not answer ({type(error).__name__})"
        if answer.is_success:
            return ""
        return f"{host} answered {answer.status_code}"


def _build(style: Style, url: str, notification: Notification) -> tuple[str, str]:
    """URL and body of the request."""
    if style is Style.SLACK:
        return url, json.dumps({"text": escape(notification.text, quote=False)})
    body = {
        "event": str(notification.event),
        "text": notification.text,
        "report": dict(notification.report),
    }
    if style is Style.POST:
        return url, json.dumps(body)
    below = _BELOW.get(notification.event, "/fail")
    return _append_to_path(url, below), json.dumps(body)


def _append_to_path(url: str, below: str) -> str:
    """Append to the path: text behind a query would leave a failure looking like a success."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + below, fragment=""))
