"""Keys of a page: the same values as whole rows have, whatever Harvest sends."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.decode.key_decoder import KeyDecoder
from harvest_source.errors import ResponseError
from tests.support.drawn_pages import PADS, PLAIN, TIDY, WILD, Obj, build, fuzz, write

WANTED = ("id", "updated_at", "spent_date", "client__id", "hours", "no such column")
READ = ("id", "spent_date", "updated_at", "client__id")
"""Those that have a type of keys and dates."""


def build_keys() -> KeyDecoder:
    return KeyDecoder(PLAIN, build(), WANTED)


@fuzz
@given(TIDY | st.lists(WILD, max_size=2), PADS)
def test_keys_are_those_of_whole_rows(page: list[Obj], pad: str) -> None:
    """Column by column and row by row, and what is no page is the same error."""
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
        '{"client":5}',
        '{"client":{"id":"x"}}',
        "null",
        "5",
    ],
)
def test_odd_values_are_read_as_whole_rows_have_them(row: str) -> None:
    """A value that does not fit leaves null behind in both, and a page without records fails."""
    body = f"[{row}]".encode()
    try:
        whole = build().decode(body)
    except ResponseError:
        with pytest.raises(ResponseError):
            build_keys().decode(body)
        return
    keys = build_keys().decode(body)
    assert keys.equals(whole.select(keys.column_names))


@given(st.binary(max_size=12) | st.text(st.sampled_from('[]{}",:0a '), max_size=12).map(str.encode))
def test_what_is_no_page_is_an_error_of_ours(body: bytes) -> None:
    """Garbage raises ResponseError, and nothing else."""
    with suppress(ResponseError):
        build_keys().decode(body)
