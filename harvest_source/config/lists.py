"""Parse lists as users write them in settings, on the command line and in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harvest_source.errors import ConfigError


def parse_list(value: object) -> list[object]:
    """
    The items of a list as users and providers write it; the same for every setting.

    The list may be a list, a set or another iterable; or a text such as ``a,b`` or ``["a", "b"]``,
    as the environment has only text. Items of a text are stripped of blanks and quotes, and empty
    items are included. Any other value is a single item.

    Returns:
        An empty list for None, blank text and ``[]``.
    """
    if value is None:
        return []
    if not isinstance(value, str):
        if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
            return list(value)
        return [value]
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if not text.strip():
        return []
    return [item.strip().strip("'\"").strip() for item in text.split(",")]


def parse_values(value: object, name: str) -> list[object]:
    """
    The values of an argument or option that may be given several times, as :func:`parse_list`.

    Args:
        name: The name that users know it by, for the message.

    Returns:
        An empty list for None and for an empty collection: it was not given.

    Raises:
        ConfigError: A value is blank, like an unset shell variable. Ignoring it would do more than
            the user asked for: read every table, or leave out no column.
    """
    items = parse_list(value)
    filled = [item for item in items if not (isinstance(item, str) and not item.strip())]
    if isinstance(value, str) and filled:
        return filled  # A surplus comma is harmless.
    if isinstance(value, str) or len(filled) < len(items):
        msg = f"{name} has an empty value. Give it a value, or leave it out."
        raise ConfigError(msg)
    return items
