"""Lists as people write them: in settings, on a command line, in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harvest_source.errors import ConfigError


def parse_list(value: object) -> list[object]:
    """
    The items of a list as people and providers write it, the same for every setting.

    A list, a set, or anything else to iterate over once; ``a,b``, or ``["a", "b"]`` as text: the
    environment has no other way. Items of a text come without blanks and quotes around them, empty
    ones included; any other value is an item itself.

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
        name: What people call it, for the message.

    Returns:
        An empty list for None and for a collection without items: it was not given.

    Raises:
        ConfigError: A value is blank, as that of a shell's variable that is not set. Ignoring it
            would do more than was asked for: read every table, or leave out no column.
    """
    items = parse_list(value)
    filled = [item for item in items if not (isinstance(item, str) and not item.strip())]
    if isinstance(value, str) and filled:
        return filled  # A comma too many names nothing.
    if isinstance(value, str) or len(filled) < len(items):
        msg = f"{name} has an empty value. Name what it is for, or leave it out."
        raise ConfigError(msg)
    return items
