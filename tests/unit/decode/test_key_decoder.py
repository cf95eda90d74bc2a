"""A page's keys: the same values as in whole rows, whatever Harvest sends."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.decode.key_decoder import KeyDecoder
from harvest_source.errors import ResponseError
from tests.support.drawn_pages import PADS, PLAIN, TIDY, WILD, Obj, build, fuzz, write

READ = ("id", "spent_date", "updated_at", "client__id", "hours", "client__rate", "billable")
WANTED = (*READ, "notes", "no such column")
"""Text and undeclared columns are not read."""


def build_keys() -> KeyDecoder:
    return KeyDecoder(PLAIN, build(), WANTED, "rows")


@fuzz
@given(TIDY | st.lists(WILD, max_size=2), PADS)
def test_keys_are_those_of_whole_rows(page: list[Obj], pad: str) -> None:
    """Keys equal whole rows by column and row, and an invalid page raises the same error."""
    body = write(page, pad).encode()
    whole, keys = build().decode(body), build_keys().decode(body)
    assert set(READ) <= set(keys.column_names) <= set(whole.column_names)
    assert keys.equals(whole.select(keys.column_names))


@pytest.mark.parametrize(
    "row",
    [
        *(f'{{"id":{each}}}' for each in ("1.0", '"1"', "-0", "9223372036854775808", "null", "[]")),
        *(f'{{"spent_date":"{each}-01-01"}}' for each in ("0000", "0001", "10000", "2024")),
        '{"updated_at":"2024-01-01T00:00:00+02:00"}',
        '{"updated_at":"2024-01-01T00:00:00Z"}',
        *(
            f'{{"hours":{each}}}'
            for each in ("1E-47", "1E-48", "4.4691E-68", "0.00001E-87", "0E-99")
        ),
        '{"client":5}',
        '{"client__id":0}',
        '{"client__id":null,"client":{"id":7}}',
        '{"client":{"id":7},"client__id":"8"}',
        '{"client":{"id":"x"}}',
        "null",
        "5",
    ],
)
def test_odd_values_are_read_as_in_whole_rows(row: str) -> None:
    """A value that does not fit is null in both, and a page without records fails."""
    body = f"[{row}]".encode()
    try:
        whole = build().decode(body)
    except ResponseError:
        with pytest.raises(ResponseError):
            build_keys().decode(body)
        return
    keys = build_keys().decode(body)
    assert keys.equals(whole.select(keys.column_names))


@fuzz
@given(TIDY | st.lists(WILD, max_size=2), PADS, st.booleans())
def test_a_body_is_read_as_its_rows_are(page: list[Obj], pad: str, is_first: bool) -> None:
    """It is read in one pass or not at all; its other members are unchanged."""
    rows, others = write(page, pad), '"links":{"next":null},"total_entries":5,"page":1'
    members = (f'"rows":{rows}', others) if is_first else (others, f'"rows":{rows}')
    read = build_keys().read_body(("{" + f",{pad}".join(members) + "}").encode())
    if read is None:
        return
    table, envelope = read
    assert table.equals(build_keys().decode(rows.encode()))
    found = {name: bytes(raw) for name, raw in envelope.items()}
    assert found == {"links": b'{"next":null}', "total_entries": b"5"}


def test_an_ordinary_body_is_read_in_one_go() -> None:
    """Numbers and flags are read too; null stays null."""
    body = b'{"rows":[{"id":7,"hours":1.25,"billable":true,"client":null}],"per_page":2000}'
    read = build_keys().read_body(body)
    assert read is not None
    (row,) = read[0].to_pylist()
    assert (row["id"], row["hours"], row["billable"]) == (7, Decimal("1.25"), True)
    assert row["client__id"] is row["updated_at"] is None


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "{}", "<html>", '{"rows":null}', '{"rows":{}}', '{"rows":[null]}'),
        *('{"rows":[]', '{"rows":[{"id":"x"}]}', '{"rows":[{"id":1}]}}', '{"others":[]}'),
    ],
)
def test_an_unsuitable_body_is_left_to_the_other_reader(body: str) -> None:
    """The other reader says what is wrong with it."""
    assert build_keys().read_body(body.encode()) is None


@given(st.binary(max_size=12) | st.text(st.sampled_from('[]{}",:0a '), max_size=12).map(str.encode))
def test_keys_of_a_body_that_is_not_a_page_raise_response_error(body: bytes) -> None:
    """Garbage raises ResponseError, and nothing else."""
    with suppress(ResponseError):
        build_keys().decode(body)
