"""Pages into tables: every value of every page is found again, exactly, whatever Harvest sends."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from harvest_source.decode.column_fitter import ColumnFitter
from harvest_source.decode.decoder import Decoder, has_negative_exponent
from harvest_source.errors import ResponseError
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
from harvest_source.schema.records import CLIENT, INVOICE

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
"""Arrays always take the exact way."""

SNAKE_CASE: Callable[[str], str] = NamingConvention().normalize_path

# JSON as it is written: numbers keep their digits, objects their repeated members.


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


# The oracle: which cells a record must have.


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
    """Whether a cell is a leaf, exactly."""
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
    """A column and the columns of its misfits are one family."""
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
            continue  # Permutations take too long; the number of cells is checked.
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
    """Records about as declared, which the fast way should take more often than not."""
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
    """Remembers whether the last page had to go the exact way."""

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


def types_of(table: pa.Table) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in table.schema}


@fuzz
@given(PAGES, RENAMES, PADS, st.sampled_from([PLAIN, WITH_ARRAY]))
def test_every_value_is_found_again(
    pages: list[list[Obj]], rename: Callable[[str], str], pad: str, declared: Record
) -> None:
    """Whatever a page holds, each value is in its column or beside it, and nothing else is."""
    decoder = build(declared, rename=rename)
    types: dict[str, pa.DataType] = {}
    for page in pages:
        table = decoder.decode(write(page, pad).encode())
        assert table.column(ACCOUNT_ID).to_pylist() == [7] * len(page)
        for row, cells in zip(page, table.to_pylist(), strict=True):
            assert_found(row, cells, rename)
        table.validate(full=True)
        assert {**types, **types_of(table)} == {**types_of(table), **types}
        types |= types_of(table)


@fuzz
@given(PAGES, RENAMES)
def test_a_type_once_learned_stays(pages: list[list[Obj]], rename: Callable[[str], str]) -> None:
    """The next run, told what this one learned, gives every column the same type, in any order."""
    first = build(rename=rename)
    for page in pages:
        first.decode(write(page).encode())
    types = types_of(first.empty())
    second = build(rename=rename, learned=dict(first.learned))
    assert types_of(second.empty()) == types
    for page in reversed(pages):
        table = second.decode(write(page).encode())
        assert types.items() <= types_of(table).items()
        for row, cells in zip(page, table.to_pylist(), strict=True):
            assert_found(row, cells, rename)


@fuzz
@given(st.lists(TIDY | st.lists(WILD, max_size=1), min_size=1, max_size=3), RENAMES, PADS)
def test_both_ways_agree(pages: list[list[Obj]], rename: Callable[[str], str], pad: str) -> None:
    """What Arrow's own parser accepts is, column by column, what the exact way makes of it."""
    fast, exact = build(rename=rename), build(WITH_ARRAY, rename=rename)
    for page in pages:
        body = write(page, pad).encode()
        table, expected = fast.decode(body), exact.decode(body)
        event("exact" if fast.went_exactly else "fast")
        if "roles" not in fast.learned and not any("roles" in n for n in exact.learned):
            assert table.equals(expected.drop_columns(["roles"]))
            assert table.schema.equals(expected.drop_columns(["roles"]).schema)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("hours", digits) for digits in ("1e28", "1e29", "-1e29", "1.7e29", "9" * 30, "-0.0")),
        *(("hours", digits) for digits in ("0.35E30", "35e28", "35" + "0" * 28, "1e15", "-1e14")),
        *(("hours", f'"{text}"') for text in ("+1.5", ".5", "5.", "1.e5", "1e0005", "007", "1e29")),
        *(("spent_date", f'"{year}-01-01"') for year in ("0000", "0001", "9999", "10000")),
        *(("updated_at", f'"{year}-01-01T00:00:00Z"') for year in ("0000", "0001", "9999")),
        *(("id", each) for each in ("1.0", '"1"', "-0", "9223372036854775808")),
    ],
)
def test_both_ways_agree_on_the_edge(name: str, value: str) -> None:
    """Arrow's parser is laxer here and there; where it is, its result does not count."""
    body = f'[{{"{name}":{value}}}]'
    expected = build(WITH_ARRAY).decode(body.encode()).drop_columns(["roles"])
    table = build().decode(body.encode())
    assert table.equals(expected)
    (row,), (cells,) = read(body), table.to_pylist()
    assert_found(row, cells, str)


@given(st.binary(max_size=12) | st.text(st.sampled_from('[]{}",:0a '), max_size=12).map(str.encode))
def test_what_is_no_page_is_an_error_of_ours(body: bytes) -> None:
    """Garbage raises ResponseError, and nothing else."""
    try:
        build().decode(body)
    except ResponseError:
        pass
    else:
        assert isinstance(json.loads(body), list)


@pytest.mark.parametrize("body", ["[null]", "[[]]", "[5]", '[{"id":1},null]', "{}", "5", "[{]"])
def test_records_only(body: str) -> None:
    """A null among the records is no record of nulls."""
    with pytest.raises(ResponseError):
        build().decode(body.encode())


@pytest.mark.parametrize("depth", [50, 1000, 3000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_read_or_refused(depth: int, opening: str, closing: str) -> None:
    """Nesting too deep to parse is an error of ours, not a RecursionError."""
    body = '[{"new":' + opening * depth + "5" + closing * depth + "}]"
    try:
        table = build().decode(body.encode())
    except ResponseError:
        assert depth > 50
    else:
        (cells,) = table.to_pylist()
        assert 5 in cells.values() or opening * depth + "5" + closing * depth in cells.values()


TYPICAL = (
    '[{"id":1,"hours":1.25,"notes":"x","billable":true,"spent_date":"2024-03-01",'
    '"updated_at":"2024-03-01T12:00:00Z","client":{"id":2,"name":"y","rate":100.0,"key":"s"}}]'
)


@pytest.mark.parametrize(
    "body",
    [
        TYPICAL,
        TYPICAL.replace('"x"', "null"),
        TYPICAL.replace('{"id":2,"name":"y","rate":100.0,"key":"s"}', "null"),
        TYPICAL.replace('"id":1', '"id":1,"brand_new":null,"object":{"inner":null}'),
        "[]",
    ],
)
def test_ordinary_pages_go_the_fast_way(body: str) -> None:
    """Nulls, absent objects and new fields without values cost no speed."""
    decoder = build()
    decoder.decode(body.encode())
    assert not decoder.went_exactly


@pytest.mark.parametrize("name", ["newField", "new__field", "outer", "new_field"])
def test_a_learned_field_goes_the_fast_way_from_then_on(name: str) -> None:
    """In this run and in the next, whatever Harvest's own name for it looks like."""
    value = '{"inner":1.5}' if name == "outer" else "1.5"
    body = TYPICAL.replace('"id":1', f'"id":1,"{name}":{value}').encode()
    decoder = build(rename=SNAKE_CASE)
    first = decoder.decode(body)
    assert decoder.went_exactly
    assert decoder.decode(body) == first
    assert not decoder.went_exactly
    later = build(rename=SNAKE_CASE, learned=dict(decoder.learned))
    later.decode(body)
    assert later.decode(body) == first
    assert not later.went_exactly


def test_left_out_columns_stay_out_whatever_they_become() -> None:
    """A secret that turns into an object, an array or a misfit is as secret as before."""
    decoder = build(excluded=frozenset({"client__key", "hours"}))
    for key in ('"s"', "5", "null", '["s"]', '{"inner":{"most":"s"}}'):
        table = decoder.decode(TYPICAL.replace('"key":"s"', f'"key":{key}').encode())
        assert not [name for name in table.column_names if "key" in name or "hours" in name]
        assert table.column("client__id").to_pylist() == [2]


def test_a_field_named_like_ours_does_not_take_our_place() -> None:
    """``account_id`` and dlt's own names belong to us; Harvest's value stands beside."""
    table = build().decode(b'[{"account_id":5,"_dlt_load_id":"x","_dlt_new":1}]')
    (cells,) = table.to_pylist()
    assert {name: cell for name, cell in cells.items() if cell is not None} == {
        "account_id": 7,
        "account_id__v_text": "5",
        "_dlt_load_id__v_text": "x",
        "_dlt_new__v_text": "1",
    }


def test_a_field_named_like_a_misfits_column_is_text() -> None:
    """It must never get a type that a misfit of the column beside it does not fit."""
    decoder = build()
    decoder.decode(b'[{"hours__v_text":5,"hours":1}]')
    (cells,) = decoder.decode(b'[{"hours__v_text":5,"hours":"x"}]').to_pylist()
    assert cells["hours__v_text"] == "5"
    assert cells["hours__v_text_2"] == "x"


def test_an_array_column_holds_arrays_only() -> None:
    """Who turns arrays into child rows must not meet a scalar, declared array or learned."""
    decoder = build(WITH_ARRAY)
    decoder.decode(b'[{"roles":["a"],"tags":[1]}]')
    (cells,) = decoder.decode(b'[{"roles":5,"tags":"x"}]').to_pylist()
    assert {name: cells[name] for name in ("roles", "roles__v_text", "tags", "tags__v_text")} == {
        "roles": None,
        "roles__v_text": "5",
        "tags": None,
        "tags__v_text": "x",
    }
    assert decoder.arrays == {"roles", "tags"}


def test_an_empty_page_has_every_column() -> None:
    """Tables exist with all declared columns before there is a row."""
    table = build().decode(b"[]")
    assert table.schema == build().empty().schema
    assert table.column_names == [ACCOUNT_ID, *(column.name for column in COLUMNS)]


def test_pages_decoded_at_the_same_time_join() -> None:
    """Threads share a decoder: what they learn at once has one type, and nothing gets lost."""
    pages = [
        [
            Obj(
                (
                    ("id", Number(str(row))),
                    (f"f{(row + number) % 40}", [Number("1"), "t", True][row % 3]),
                )
            )
            for row in range(30)
        ]
        for number in range(60)
    ]
    decoder = build()
    with ThreadPoolExecutor(8) as threads:
        tables = list(threads.map(decoder.decode, (write(page).encode() for page in pages)))
    joined = pa.concat_tables(tables, promote_options="default")
    rows = [row for page in pages for row in page]
    for row, cells in zip(rows, joined.to_pylist(), strict=True):
        assert_found(row, cells, str)
    assert types_of(joined).items() <= types_of(decoder.empty()).items()


def test_elements_of_arrays_are_placed_by_the_same_rules() -> None:
    """Child rows have typed cells, misfits beside, and learned columns, without nulls."""
    fitter = ColumnFitter([bigint("id", "Id"), decimal("amount", "Amount")], rename=SNAKE_CASE)
    assert fitter.place([{"id": "7", "amount": True, "newField": 1, "gone": None}]) == [
        {"id": 7, "amount__v_text": "true", "new_field": Decimal(1)}
    ]
    assert fitter.learned == {"amount__v_text": Type.TEXT, "new_field": Type.DECIMAL}


@pytest.mark.parametrize("declared", [CLIENT, INVOICE])
def test_text_that_is_not_utf8_is_an_error(declared: Record) -> None:
    """Whichever way a page takes: such text could be read from no warehouse."""
    decoder = Decoder(declared, account_id=1)
    with pytest.raises(ResponseError):
        decoder.decode(b'[{"id":1,"notes":"\xff","address":"\xc3\x28"}]')


@pytest.mark.parametrize("number", ["1e-92", "0.00001E-87", "-1E-92", "1e-12"])
def test_a_tiny_number_is_not_taken_for_zero(number: str) -> None:
    """Arrow's parser says zero for some of them: such a page goes the exact way."""
    table = Decoder(record(bigint("id", "Id"), decimal("hours", "Hours")), account_id=1).decode(
        f'[{{"id":1,"hours":{number}}}]'.encode()
    )
    assert table.column("hours").to_pylist() == [None]
    assert [Decimal(text) for text in table.column("hours__v_text").to_pylist()] == [
        Decimal(number)
    ]


@pytest.mark.parametrize(
    "rows", [b'[{"notes":"re-open3e-mail"}]', b'[{"id":"a3e-4b"}]', b'[{"id":"3e-4"}]', b"[]"]
)
def test_texts_do_not_look_like_tiny_numbers(rows: bytes) -> None:
    """Mail, UUIDs and quoted numbers stay on the fast way."""
    assert not has_negative_exponent(rows)
