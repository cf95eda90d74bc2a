"""The recipient of notifications about runs: ``notify_url`` and related keys."""

from __future__ import annotations

from typing import Final

from harvest_source.api.notification import Event, Recipient, Style
from harvest_source.api.urls import is_private, parse_url
from harvest_source.config.lists import parse_list
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.errors import ConfigError

ALWAYS: Final = "always"
USUAL: Final = frozenset(
    {
        Event.FAILURE,
        Event.PARTIAL,
        Event.STALE,
        Event.VERIFY,
        Event.SIGN_IN,
        Event.RECOVERED,
    }
)
"""Events to notify about unless ``notify_on`` says otherwise."""


def parse_recipient(config: HarvestConfiguration) -> Recipient | None:
    """
    The recipient of notifications; None if there is none.

    Raises:
        ConfigError: The URL, an event or the style is invalid. The message never repeats the URL.
    """
    if not config.notify_url:
        return None
    url = str(config.notify_url).strip()
    parsed = parse_url(url)
    if parsed is None or not is_private(parsed):
        msg = "notify_url is not a web address that begins with https://. Its value is not shown."
        raise ConfigError(msg)
    return Recipient(url, _parse_events(config.notify_on), _parse_style(config.notify_style))


def _parse_events(value: object) -> frozenset[Event]:
    names = [str(each).strip() for each in parse_list(value)]
    if not names:
        return USUAL
    if ALWAYS in names:
        return frozenset(Event)
    known = {str(each): each for each in Event if each in USUAL}
    for name in names:
        if name not in known:
            msg = f"notify_on contains {name[:40]!r}. It can contain: {', '.join(known)}, {ALWAYS}."
            raise ConfigError(msg)
    return frozenset(known[name] for name in names)


def _parse_style(value: str | None) -> Style | None:
    if value is None:
        return None
    try:
        return Style(value)
    except ValueError:
        msg = f"notify_style is {value[:40]!r}. It can be: {', '.join(Style)}."
        raise ConfigError(msg) from None
