"""Randomly drawn JSON pages, written as text, and the decoders that read them."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import permutations
from typing import Any

import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harvest_source.decode.decoder import Decoder
from harvest_source.schema.columns import (
    ACCOUNT_ID,
    Record,
    Type,
    bigint,
    decimal,
    flag,
    record,
    text,
    timestamp,
)
from harvest_source.schema.columns import date as day
from harvest_source.schema.columns import values as array_of

COLUMNS = (
    bigint("id", "Id"),
    decimal("hours", "Hours"),
    text("notes", "Notes"),
    flag("billable", "Flag"),
    day("spent_date", "Day"),
    timestamp("updated_at", "Change"),
    bigint("client__id", "Client"),
    text("client__name", "Client"),
    decimal("client__rate", "Rate"),
    text("client__key", "Secret", secret=True),
)
PLAIN = record(*COLUMNS)
WITH_ARRAY = record(*COLUMNS, array_of("roles", "Names"))
"""Arrays always take the exact path."""

SNAKE_CASE: Callable[[str], str] = NamingConvention().normalize_path

# JSON as written: numbers keep their digits, objects their repeated members.


@dataclass(frozen=True)
class Number:
    digits: str


@dataclass(frozen=True)
class Obj:
    members: tuple[tuple[str, Any], ...]


def write(value: Any, pad: str = "") -> str:
    if isinstance(value, Number):
        return value.digits
    if isinstance(value, Obj):
        members = (
            f"{pad}{json.dumps(name)}:{pad}{write(each, pad)}" for name, each in value.members
        )
        return "{" + ",".join(members) + pad + "}"
    if isinstance(value, list):
        return "[" + f",{pad}".join(write(each, pad) for each in value) + "]"
    return json.dumps(value, ensure_ascii=not _is_clean(value))


def _is_clean(value: Any) -> bool:
    """Lone surrogates must be escaped; everything else may be sent as UTF-8."""
    return not isinstance(value, str) or not any("\ud800" <= char <= "\udfff" for char in value)


def read(body: str) -> Any:
    """The reverse of :func:`write`, by the standard library alone."""
    return json.loads(
        body,
        parse_int=Number,
        parse_float=Number,
        object_pairs_hook=lambda pairs: Obj(tuple(pairs)),
    )


# The oracle: the cells that a record must have.


def leaves(row: Obj, rename: Callable[[str], str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.members:
        column = prefix + (rename(escaped(name)) or "x")
        if isinstance(value, Obj):
            yield from leaves(value, rename, column + "__")
        elif value is not None:
            yield column, value


def escaped(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()


def same_number(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return one == other


def same_json(one: Any, other: Any) -> bool:
    if isinstance(one, Number) and isinstance(other, Number):
        return same_number(one.digits, other.digits)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, Obj) and isinstance(other, Obj):
        return [name for name, _ in one.members] == [name for name, _ in other.members] and all(
            same_json(a, b) for (_, a), (_, b) in zip(one.members, other.members, strict=True)
        )
    return type(one) is type(other) and bool(one == other)


def holds(cell: Any, leaf: Any) -> bool:
    """Whether a cell equals a leaf exactly."""
    if isinstance(leaf, list):
        return isinstance(cell, str) and is_json(cell) and same_json(read(cell), leaf)
    if isinstance(leaf, bool):
        return cell is leaf or cell == json.dumps(leaf)
    if isinstance(leaf, Number):
        return not isinstance(cell, bool | date) and same_number(str(cell), leaf.digits)
    assert isinstance(leaf, str)
    if isinstance(cell, bool | str):
        return bool(cell == escaped(leaf))
    if isinstance(cell, int):
        return str(cell) == leaf
    if isinstance(cell, Decimal):
        return same_number(str(cell), leaf)
    if isinstance(cell, datetime):
        return is_instant(leaf) and datetime.fromisoformat(leaf) == cell
    return isinstance(cell, date) and cell.isoformat() == leaf


def is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_json(cell: str) -> bool:
    try:
        read(cell)
    except ValueError:
        return False
    return True


def family(column: str) -> str:
    """A column and the columns of its misfits form one family."""
    return column.partition("__v_text")[0]


def assert_found(row: Obj, cells: dict[str, Any], rename: Callable[[str], str]) -> None:
    """Every leaf is in one cell of its family, and no cell holds anything else."""
    expected, found = defaultdict(list), defaultdict(list)
    for column, leaf in leaves(row, rename):
        expected[family(column)].append(leaf)
    for column, cell in cells.items():
        if cell is not None and column != ACCOUNT_ID:
            found[family(column)].append(cell)
    assert expected.keys() == found.keys()
    for name, sent in expected.items():
        assert len(sent) == len(found[name]), (name, sent, found[name])
        if len(sent) > 5:
            continue  # Permutations take too long, so only the number of cells is checked.
        assert any(all(map(holds, order, sent)) for order in permutations(found[name])), (
            name,
            sent,
            found[name],
        )


# Pages.

DIGITS = st.one_of(
    st.sampled_from(["0", "-0", "-0.0", "1e5", "1E-9", "1e-10", "1e28", "1e29", "1.5e29", "0e500"]),
    st.sampled_from(["9223372036854775807", "9223372036854775808", "9" * 29, "9" * 30, "1" * 5000]),
    st.sampled_from(["0.12345678901234567890", "1.000000000000000", "1e400"]),
    st.sampled_from(["1e99999999999999999999", "1e-99999999999999999999"]),
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.integers().map(str),
)
SPECIAL = st.one_of(
    st.sampled_from(
        ["", "0", "007", "-7", "1.50", "+1", ".5", "5.", "1e5", "1e0005", "NaN", "true"]
    ),
    st.sampled_from(["2024-03-01", "0001-01-01", "9999-12-31", "0000-01-01", "2024-02-30"]),
    st.sampled_from(["10000-01-01", "2024-03-01T12:00:00Z", "2024-03-01 12:00:00Z"]),
    st.sampled_from(["2024-03-01T12:00:00+02:00", "2024-03-01T12:00:00.123456789Z"]),
    st.sampled_from(["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "2024-03-01T24:00:00Z", "2024-03-01T23:59:60Z"]),
    st.sampled_from(["a\0b", "\ud800", "\udc00\ud800", "\U0001f600", "\n\r\u2028", "x" * 3000]),
    st.sampled_from(["'; DROP TABLE x; --", '"', "\\", "null", "[1]"]),
)
STRINGS = SPECIAL | st.text(max_size=8) | st.text(st.characters(codec=None), max_size=4)
SCALARS = st.none() | st.booleans() | DIGITS.map(Number) | STRINGS
NAMES = st.sampled_from(
    [column.name for column in COLUMNS]
    + ["client", "account_id", "_dlt_load_id", "_dlt_id", "_dlt_new", "updated_at__v_text", "key"]
    + ["hours__v_text", "hours__v_text_2", "notes__v_text__v_text", "new", "newField", "new_field"]
    + [
        "NewField",
        "new__field",
        "",
        " ",
        "__",
        "_",
        "\ud800",
        "\\ud800",
        "a\0b",
        "1st",
        "Ünï",
        "name",
    ]
    + ["select", 'a"b', "id", "ID", "rate", "roles"]
) | st.text(max_size=4)


def objects(inner: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Obj]:
    members = st.lists(st.tuples(NAMES, inner), max_size=most)
    return members.map(lambda each: Obj(tuple(each)))


ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | objects(inner, 3), max_leaves=8
)
WILD = objects(ANY, 8)

FITTING: dict[Type, st.SearchStrategy[Any]] = {
    Type.BIGINT: st.integers(-(2**63), 2**63 - 1).map(lambda n: Number(str(n))),
    Type.DECIMAL: DIGITS.map(Number) | SPECIAL,
    Type.TEXT: st.text(st.characters(codec="utf-8"), max_size=5),
    Type.BOOL: st.booleans(),
    Type.DATE: st.dates().map(str) | st.just("0000-01-01"),
    Type.TIMESTAMP: st.sampled_from(
        ["2024-03-01T12:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    ),
}


@st.composite
def tidy_rows(draw: st.DrawFn) -> Obj:
    """Records roughly as declared, most of which should take the fast path."""
    cells = {c.name: draw(st.none() | FITTING[c.type]) for c in COLUMNS if draw(st.integers(0, 2))}
    client = tuple((name[8:], each) for name, each in cells.items() if name.startswith("client__"))
    plain = tuple((name, each) for name, each in cells.items() if not name.startswith("client__"))
    blank = draw(st.sampled_from([(), (("new", None),), (("brand", Obj(())),)]))
    return Obj((*plain, ("client", draw(st.sampled_from([None, Obj(client)]))), *blank))


TIDY = st.lists(tidy_rows(), max_size=3)
PAGES = st.lists(st.lists(WILD, max_size=3) | TIDY, min_size=1, max_size=3)
RENAMES = st.sampled_from([str, SNAKE_CASE])
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
PADS = st.sampled_from(["", " ", "\n\t"])

fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class WatchedDecoder(Decoder):
    """Records whether the last page had to take the exact path."""

    went_exactly = False

    def decode(self, rows: bytes) -> pa.Table:
        self.went_exactly = False
        return super().decode(rows)

    def _decode_exactly(self, rows: bytes) -> pa.Table:
        self.went_exactly = True
        return super()._decode_exactly(rows)


def build(
    declared: Record = PLAIN,
    learned: dict[str, Type] | None = None,
    rename: Callable[[str], str] = str,
    excluded: frozenset[str] = frozenset(),
) -> WatchedDecoder:
    return WatchedDecoder(declared, account_id=7, learned=learned, rename=rename, excluded=excluded)
