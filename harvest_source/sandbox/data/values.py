"""Plain values of the simulated account: instants, dates, money, JSON bytes. No state."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Record = dict[str, Any]

Tables = dict[str, dict[int, Record]]
"""Records by table and id, in the order of their creation."""

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")
NUMBER_MARK = "\x00number:"
NUMBER_TEXT = re.compile(rb'"\\u0000number:([^"]*)"')
CENT = Decimal("0.01")
DAY_S = 86400
EPOCH_DAY = 719163  # date(1970, 1, 1).toordinal()


def iso(epoch_s: int) -> str:
    """Unix seconds as Harvest writes instants: UTC, whole seconds, ``Z`` (behaviour.md 8)."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()[:-6] + "Z"


def epoch(moment: datetime) -> int:
    """An aware datetime as whole Unix seconds, the fraction cut off (behaviour.md 8)."""
    return int(moment.timestamp() // 1)


def day_epoch(ordinal: int) -> int:
    """Unix seconds of midnight UTC of a proleptic day number (``date.toordinal``)."""
    return (ordinal - EPOCH_DAY) * DAY_S


def day_of(epoch_s: int) -> int:
    """The proleptic day number (``date.toordinal``), in UTC, of a Unix second."""
    return EPOCH_DAY + epoch_s // DAY_S


def parse_instant(text: str) -> int | None:
    """``YYYY-MM-DDTHH:MM:SSZ`` to Unix seconds; ``None`` for every other spelling."""
    if not INSTANT.match(text):
        return None
    try:
        return epoch(datetime.fromisoformat(text))
    except ValueError:
        return None


def parse_day(text: Any) -> int | None:
    """``YYYY-MM-DD`` to a day number; ``None`` for anything else, text or not."""
    if not isinstance(text, str) or not DAY.match(text):
        return None
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def parse_whole(text: str) -> int | None:
    """
    ASCII digits to a number; ``None`` for any other text, and for more digits than ``int`` reads.

    ``int`` alone would also read signs, blanks, underscores and the digits of other scripts.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        return int(text)
    except ValueError:
        return None


def money(amount: Decimal) -> float:
    """Rounded half up to cents, as the JSON number Harvest sends."""
    return float(amount.quantize(CENT, ROUND_HALF_UP))


def spelled(number: float, *, whole: bool) -> float:
    """*number*, as an int if *whole* is set and it has no fraction: JSON has both 12 and 12.0."""
    return int(number) if whole and number == int(number) else number


def exact(value: object) -> Decimal:
    """The decimal that a JSON number spells, not the binary float behind it; null is 0."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value or 0))


def amount_of(value: Any) -> Decimal:
    """A JSON number as a decimal; any other value, which a test may have put there, is 0."""
    plain = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return exact(value) if plain else Decimal(0)


def dumps(value: Any) -> bytes:
    """
    Compact UTF-8 JSON. Decimals become numbers with every digit they hold.

    ``json`` does not support Decimal, and a float would round the long numbers that tests use.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_mark)
    raw = text.encode("utf-8", "surrogatepass")
    return NUMBER_TEXT.sub(rb"\1", raw) if b"\\u0000number:" in raw else raw


def _mark(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{NUMBER_MARK}{value:f}"
    msg = f"A {type(value).__name__} has no JSON form"
    raise TypeError(msg)


def parse_number(text: str) -> float | Decimal:
    """A JSON fraction as float when a float spells the same digits, else as Decimal."""
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else Decimal(text)


@dataclass(frozen=True, slots=True)
class HiddenKeys:
    """Names of members that a viewer may not see: left out, or null if *as_null*."""

    names: frozenset[str] = frozenset()
    as_null: bool = False


NOTHING_HIDDEN = HiddenKeys()


def hide(value: Record, hidden: HiddenKeys) -> Record:
    """*value* without what the *hidden* keys hold, at any depth (behaviour.md 9)."""
    if not hidden.names:
        return value
    return {
        name: None if name in hidden.names else _hide_within(member, hidden)
        for name, member in value.items()
        if hidden.as_null or name not in hidden.names
    }


def _hide_within(value: Any, hidden: HiddenKeys) -> Any:
    if isinstance(value, dict):
        return hide(value, hidden)
    return [_hide_within(member, hidden) for member in value] if isinstance(value, list) else value


def clone(value: Any) -> Any:
    """A copy that shares no dict and no list; several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {name: clone(member) for name, member in value.items()}
    return [clone(member) for member in value] if isinstance(value, list) else value
