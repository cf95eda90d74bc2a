"""
Tells an address of a run: a message to Slack, a plain POST, or the ping of a dead-man switch.

A notification takes ten seconds at most and never fails a run. Its address is a secret: who has it
can write there, so no text of ours holds it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Any, Final

import httpx

from harvest_source.api.http_client import open_client
from harvest_source.errors import HarvestError

SECONDS: Final = 10.0
"""How long a notification may take as a whole."""


class Event(StrEnum):
    """What there is to tell."""

    START = "start"
    """A run begins: for dead-man switches, which then know how long runs take."""
    FAILURE = "failure"
    """A run failed."""
    PARTIAL = "partial"
    """A run loaded something, and something failed or could not be proven complete."""
    STALE = "stale"
    """``status --max-age`` found a table that is too old."""
    SIGN_IN = "sign_in"
    """``auth status --check --all`` found one that needs its owner, or a role that changed."""
    RECOVERED = "recovered"
    """A run succeeded after one that did not."""
    SUCCESS = "success"
    """Any other run that succeeded."""


class Style(StrEnum):
    """How an address wants to be told."""

    SLACK = "slack"
    """A JSON object with ``text``."""
    POST = "post"
    """A JSON object with the event, a text and the run's report."""
    PING = "ping"
    """``/start`` below the address, then the address after a success and ``/fail`` otherwise."""


_STYLES: Final[Mapping[str, Style]] = {"hooks.slack.com": Style.SLACK, "hc-ping.com": Style.PING}
"""Hosts whose style is known."""


_BELOW: Final = {Event.START: "/start", Event.SUCCESS: "", Event.RECOVERED: ""}
"""What is appended to the address of a dead-man switch, by event."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message."""

    event: Event
    text: str
    """One line."""
    report: Mapping[str, Any]
    """What the plain POST sends beside it."""


@dataclass(frozen=True)
class Recipient:
    """
    Where notifications go, and which.

    Attributes:
        style: None: by the address's host, and :attr:`Style.POST` for hosts that are not known.
        events: What is told; a dead-man switch is told everything.
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
        """Whether it is told of *event*."""
        if self.chosen_style is Style.PING:
            return True
        return event is not Event.START and event in self.events

    def tell(self, notification: Notification, *, within_s: float = SECONDS) -> str:
        """
        Send *notification*.

        Args:
            within_s: Seconds that it may take as a whole.

        Returns:
            Why it could not be sent, without the address's path; empty: it was.
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
    """Address and body of the request."""
    if style is Style.SLACK:
        return url, json.dumps({"text": escape(notification.text, quote=False)})
    body = {
        "event": str(notification.event),
        "text": notification.text,
        "report": dict(notification.report),
    }
    if style is Style.POST:
        return url, json.dumps(body)
    return url.rstrip("/") + _BELOW.get(notification.event, "/fail"), json.dumps(body)
