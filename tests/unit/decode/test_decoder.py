"""Pages become tables in which every value of every page is found again, exactly."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from harvest_source.decode.column_fitter import ColumnFitter
from harvest_source.decode.decoder import Decoder, Shape, has_negative_exponent
from harvest_source.errors import ResponseError
from harvest_source.schema.columns import (
    ACCOUNT_ID,
    Record,
    Type,
    bigint,
    decimal,
    record,
)
from harvest_source.schema.records import CLIENT, INVOICE
from tests.support.drawn_pages import (
    COLUMNS,
    PADS,
    PAGES,
    PLAIN,
    RENAMES,
    SNAKE_CASE,
    TIDY,
    WILD,
    WITH_ARRAY,
    Number,
    Obj,
    WatchedDecoder,
    assert_found,
    build,
    fuzz,
    read,
    write,
)


def types_of(table: pa.Table) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in table.schema}


@fuzz
@given(PAGES, RENAMES, PADS, st.sampled_from([PLAIN, WITH_ARRAY]))
def test_every_value_is_in_its_column_or_beside_it(
    pages: list[list[Obj]], rename: Callable[[str], str], pad: str, declared: Record
) -> None:
    """Each value of any page is in its column or beside it, and nothing else is there."""
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
def test_a_learned_type_is_kept_by_the_next_run(
    pages: list[list[Obj]], rename: Callable[[str], str]
) -> None:
    """A next run with this run's learned types gives columns the same types, in any order."""
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
def test_the_fast_and_the_exact_path_agree(
    pages: list[list[Obj]], rename: Callable[[str], str], pad: str
) -> None:
    """Whatever Arrow's parser accepts equals the exact path's result, column by column."""
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
def test_the_fast_and_the_exact_path_agree_on_edge_cases(name: str, value: str) -> None:
    """Where Arrow's parser is more lenient, its result is not used."""
    body = f'[{{"{name}":{value}}}]'
    expected = build(WITH_ARRAY).decode(body.encode()).drop_columns(["roles"])
    table = build().decode(body.encode())
    assert table.equals(expected)
    (row,), (cells,) = read(body), table.to_pylist()
    assert_found(row, cells, str)


@given(st.binary(max_size=12) | st.text(st.sampled_from('[]{}",:0a '), max_size=12).map(str.encode))
def test_a_body_that_is_not_a_page_raises_response_error(body: bytes) -> None:
    """Garbage raises ResponseError, and nothing else."""
    try:
        build().decode(body)
    except ResponseError:
        pass
    else:
        assert isinstance(json.loads(body), list)


@pytest.mark.parametrize("body", ["[null]", "[[]]", "[5]", '[{"id":1},null]', "{}", "5", "[{]"])
def test_a_null_in_place_of_a_record_is_an_error(body: str) -> None:
    """A null in place of a record is an error, not a record of nulls."""
    with pytest.raises(ResponseError):
        build().decode(body.encode())


@pytest.mark.parametrize("depth", [50, 1000, 3000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_read_or_refused(depth: int, opening: str, closing: str) -> None:
    """Nesting too deep to parse is our own error, not a RecursionError."""
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
    """Nulls, absent objects and new fields without values do not need the slow path."""
    decoder = build()
    decoder.decode(body.encode())
    assert not decoder.went_exactly


@pytest.mark.parametrize("name", ["newField", "new__field", "outer", "new_field"])
def test_a_learned_field_goes_the_fast_way_from_then_on(name: str) -> None:
    """In this run and the next, and whatever Harvest calls the field."""
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


def test_excluded_columns_are_not_loaded_in_any_form() -> None:
    """A secret that becomes an object, an array or a misfit is still left out."""
    decoder = build(excluded=frozenset({"client__key", "hours"}))
    for key in ('"s"', "5", "null", '["s"]', '{"inner":{"most":"s"}}'):
        table = decoder.decode(TYPICAL.replace('"key":"s"', f'"key":{key}').encode())
        assert not [name for name in table.column_names if "key" in name or "hours" in name]
        assert table.column("client__id").to_pylist() == [2]


def test_a_field_named_like_a_reserved_column_goes_beside_it() -> None:
    """``account_id`` and dlt's names are reserved; Harvest's value goes to a column beside."""
    table = build().decode(b'[{"account_id":5,"_dlt_load_id":"x","_dlt_new":1}]')
    (cells,) = table.to_pylist()
    assert {name: cell for name, cell in cells.items() if cell is not None} == {
        "account_id": 7,
        "account_id__v_text": "5",
        "_dlt_load_id__v_text": "x",
        "_dlt_new__v_text": "1",
    }


def test_a_field_named_like_a_misfits_column_is_text() -> None:
    """Another type could later reject a misfit from the column beside it."""
    decoder = build()
    decoder.decode(b'[{"hours__v_text":5,"hours":1}]')
    (cells,) = decoder.decode(b'[{"hours__v_text":5,"hours":"x"}]').to_pylist()
    assert cells["hours__v_text"] == "5"
    assert cells["hours__v_text_2"] == "x"


def test_an_array_column_holds_arrays_only() -> None:
    """Code that turns arrays into child rows must not get a scalar, declared or learned."""
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
    """Tables exist with all declared columns before they have a row."""
    table = build().decode(b"[]")
    assert table.schema == build().empty().schema
    assert table.column_names == [ACCOUNT_ID, *(column.name for column in COLUMNS)]


def test_pages_decoded_at_the_same_time_join() -> None:
    """Threads share a decoder: a column learned by several has one type, and no value is lost."""
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


class OvertakenDecoder(WatchedDecoder):
    """Lets another thread learn between this one's look at the columns and its update."""

    meanwhile: Callable[[], object] | None = None

    def _build_shape(self) -> Shape | None:
        shape = super()._build_shape()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return shape


def test_columns_that_two_threads_learn_at_once_are_both_expected() -> None:
    """From then on, pages with both columns take the fast path."""
    decoder = OvertakenDecoder(PLAIN, account_id=7)
    with ThreadPoolExecutor(1) as other:

        def learn_second() -> None:
            wait([other.submit(decoder.decode, b'[{"id":2,"second":"b"}]')], timeout=0.1)

        decoder.meanwhile = learn_second
        decoder.decode(b'[{"id":1,"first":"a"}]')
    table = decoder.decode(b'[{"id":3,"first":"a","second":"b"}]')
    assert not decoder.went_exactly
    assert table.select(["first", "second"]).to_pylist() == [{"first": "a", "second": "b"}]


def test_array_elements_follow_the_same_rules_as_rows() -> None:
    """Child rows have typed cells, misfits beside them, and learned columns, but no nulls."""
    fitter = ColumnFitter([bigint("id", "Id"), decimal("amount", "Amount")], rename=SNAKE_CASE)
    assert fitter.place([{"id": "7", "amount": True, "newField": 1, "gone": None}]) == [
        {"id": 7, "amount__v_text": "true", "new_field": Decimal(1)}
    ]
    assert fitter.learned == {"amount__v_text": Type.TEXT, "new_field": Type.DECIMAL}


@pytest.mark.parametrize("declared", [CLIENT, INVOICE])
def test_text_that_is_not_utf8_is_an_error(declared: Record) -> None:
    """On either path such text is refused: no warehouse could return it."""
    decoder = Decoder(declared, account_id=1)
    with pytest.raises(ResponseError):
        decoder.decode(b'[{"id":1,"notes":"\xff","address":"\xc3\x28"}]')


@pytest.mark.parametrize("number", ["1e-92", "0.00001E-87", "-1E-92", "1e-12"])
def test_a_tiny_number_is_not_taken_for_zero(number: str) -> None:
    """Arrow's parser reads some of them as zero, so such a page takes the exact path."""
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
    """Mail addresses, UUIDs and quoted numbers stay on the fast path."""
    assert not has_negative_exponent(rows)


def test_a_page_is_copied_once() -> None:
    """Each further copy of a page costs memory that the system maps and clears again."""
    rows = b"[" + b",".join(b'{"id":%d,"name":"%s"}' % (i, b"x" * 500) for i in range(2_000)) + b"]"
    decoder = Decoder(CLIENT, account_id=1)
    decoder.decode(rows)
    tracemalloc.start()
    try:
        assert len(decoder.decode(rows)) == 2_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1.5 * len(rows)
