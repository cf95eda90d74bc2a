"""Page envelopes, valid and odd."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.api.pages import (
    MAX_PAGES,
    Page,
    TruncatedBody,
    count_rows,
    max_pages,
    parse_object,
    parse_page,
)
from harvest_source.errors import ResponseError

BEGAN = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
NEXT = "https://api.harvestapp.com/v2/users?page=2&per_page=2000&ref=next"


def build_body(**changes: Any) -> bytes:
    envelope = {
        "users": [{"id": 1}, {"id": 2}],
        "per_page": 2000,
        "total_pages": 1,
        "total_entries": 2,
        "next_page": None,
        "previous_page": None,
        "page": 1,
        "links": {"first": NEXT, "next": None, "previous": None, "last": NEXT},
    } | changes
    return json.dumps(
        {name: value for name, value in envelope.items() if value != "absent"}
    ).encode()


def parse(body: bytes, key: str | None = "users") -> Page:
    return parse_page(body, key=key, began=BEGAN, label="users, page 3", path="/v2/users")


def test_rows_are_the_bytes_that_were_sent() -> None:
    """Spacing, order, number spelling and escapes reach the columns unchanged."""
    rows = b'[ {"b":1.10, "a":"\\u00e9\xc3\xa9", "n":123456789012345678901234567890} ]'
    page = parse(b'{"users":' + rows + b',"links":{"next":null},"total_entries":1}')
    assert page.rows == rows


def test_an_envelope_is_read() -> None:
    """Totals, link, page number and time come with the rows."""
    page = parse(build_body(links={"next": NEXT}, total_pages=7, total_entries=13_000))
    assert page == Page(
        rows=b'[{"id": 1}, {"id": 2}]',
        next_url=NEXT,
        total_entries=13_000,
        total_pages=7,
        number=1,
        began=BEGAN,
        per_page=2000,
    )


def test_a_single_object_is_a_list_of_one() -> None:
    """company has no envelope; its own fields are never mistaken for one."""
    page = parse(b' {"name":"Acme","total_entries":5,"links":{"next":"x"}}\n', key=None)
    assert page.rows == b'[{"name":"Acme","total_entries":5,"links":{"next":"x"}}]'
    assert (page.next_url, page.total_entries, page.total_pages) == (None, None, None)


def test_an_empty_list_is_no_error() -> None:
    """An empty list has its key, no entries and one page, as recorded."""
    page = parse(build_body(users=[], total_entries=0))
    assert (page.rows, page.total_entries, page.next_url) == (b"[]", 0, None)


def test_a_null_next_page_does_not_end_a_list() -> None:
    """In cursor mode next_page is null on middle pages, so only links.next counts."""
    assert parse(build_body(links={"next": NEXT}, next_page=None)).next_url == NEXT
    assert parse(build_body(links={"next": None}, next_page=2)).next_url is None


@pytest.mark.parametrize("total", [None, "2", 2.5, -1, True, [], {}, "absent"])
def test_odd_totals_are_unknown_totals(total: Any) -> None:
    """A total that is not a count is ignored."""
    page = parse(build_body(total_entries=total, total_pages=total))
    assert (page.total_entries, page.total_pages) == (None, None)


@pytest.mark.parametrize("links", ["absent", None])
def test_missing_links_are_tolerated_on_a_list_of_one_page(links: Any) -> None:
    """Without links, next_page and total_pages show that there are no more pages."""
    assert parse(build_body(links=links)).next_url is None


@pytest.mark.parametrize(
    "changes",
    [
        {"links": "absent", "next_page": 2},
        {"links": "absent", "next_page": "2"},
        {"links": "absent", "next_page": {}},
        {"links": "absent", "total_pages": 2},
        {"links": "absent", "total_pages": None},
        {"links": {}},
        {"links": []},
        {"links": "x"},
        {"links": {"next": 2}},
        {"links": {"next": ""}},
        {"links": {"next": False}},
    ],
)
def test_a_page_that_hides_whether_more_follow_is_an_error(changes: dict[str, Any]) -> None:
    """If such a page were treated as the last one, all later rows would be lost."""
    with pytest.raises(ResponseError, match=r"users, page 3, but the body .*links\.next"):
        parse(build_body(**changes))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (build_body(users="absent"), 'lacks "users"'),
        (build_body(users=None), 'has no array under "users"'),
        (build_body(users={"id": 1}), 'has no array under "users"'),
        (b'{"message":"hunter2"}', 'lacks "users"'),
        (b'[{"id":1}]', "is JSON, but not an object"),
        (b"null", "is JSON, but not an object"),
        (b'"hunter2"', "is JSON, but not an object"),
        (b"<!DOCTYPE html><html>hunter2</html>", "is an HTML page"),
        (b"\n <html>hunter2", "is an HTML page"),
        (b"hunter2", "is not JSON"),
        (b'{"users":[1,]}', "is not JSON"),
        (b'{"users":[NaN]}', "is not JSON"),
        (b'{"users":[]} {"hunter2":1}', "is not JSON"),
        (b'{"\xff":1}', "is not JSON"),
        (b'{"users":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not JSON"),
    ],
)
def test_a_200_that_is_no_page_is_an_error(body: bytes, said: str) -> None:
    """It is never an empty table, and the body is never shown."""
    with pytest.raises(ResponseError, match="Harvest answered 200 for users, page 3") as caught:
        parse(body)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert (caught.value.path, caught.value.status) == ("/v2/users", 200)


def test_truncated_json_is_distinguished_from_invalid_json() -> None:
    """A body cut at any position was lost in transport, and is worth another attempt."""
    body = build_body(users=[{"id": 1, "name": "é", "hours": 1.5, "on": True}])
    for end in range(len(body)):
        with pytest.raises(TruncatedBody):
            parse(body[:end])


@given(st.binary(max_size=200))
def test_no_body_ends_in_a_traceback(body: bytes) -> None:
    """Any bytes give a page or one of two errors."""
    with contextlib.suppress(ResponseError, TruncatedBody):
        assert parse(body).rows


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(["links", "total_entries", "total_pages", "next_page", "users"]),
)
def test_no_envelope_ends_in_a_traceback(value: Any, name: str) -> None:
    """Any value in a known field of the envelope is read or refused."""
    for links in ({"next": None}, "absent"):
        with contextlib.suppress(ResponseError, TruncatedBody):
            page = parse(build_body(**({"links": links} | {name: value})))
            assert page.next_url is None or page.next_url


@pytest.mark.parametrize(
    ("total_pages", "cap"),
    [(1, 51), (50, 100), (1000, 2000), (None, MAX_PAGES), (10**9, MAX_PAGES)],
)
def test_the_pages_of_a_list_are_limited(total_pages: int | None, cap: int) -> None:
    """Lists may grow while they are read, but not without limit."""
    page = parse(build_body(total_pages=total_pages))
    assert max_pages(page) == cap


def test_an_object_keeps_its_decimals() -> None:
    """Money is never a float."""
    assert parse_object(b'{"rate":10.10,"id":3}') == {"rate": Decimal("10.10"), "id": 3}


def test_a_truncated_object_is_distinguished_from_an_invalid_one() -> None:
    """A truncated object is distinguished from nonsense, like a page."""
    with pytest.raises(TruncatedBody):
        parse_object(b'{"rate":10.1')
    with pytest.raises(ResponseError, match="is an HTML page"):
        parse_object(b"<html>")


def test_a_number_python_will_not_read_is_refused() -> None:
    """A number of 5,000 digits raises a clear error, not a ValueError."""
    with pytest.raises(ResponseError, match="cannot be read"):
        parse_object(b'{"id":' + b"9" * 5000 + b"}")


def test_rows_decoded_with_the_body_replace_its_bytes() -> None:
    """Rows decoded with the body replace its bytes; the envelope is the body's."""
    envelope = msgspec.json.decode(build_body(total_entries=7), type=dict[str, msgspec.Raw])
    page = parse_page(
        build_body(), key="users", began=BEGAN, read_body=lambda _: ([1, 2, 3], envelope)
    )
    assert (page.made, page.rows, page.total_entries) == ([1, 2, 3], b"", 7)
    assert count_rows(page) == 3


def test_a_body_that_cannot_be_read_in_one_go_is_read_in_two() -> None:
    """Its rows are bytes, and an error in the body is reported."""
    page = parse_page(build_body(), key="users", began=BEGAN, read_body=lambda _: None)
    assert (page.made, count_rows(page)) == (None, 2)
    with pytest.raises(TruncatedBody):
        parse_page(build_body()[:-9], key="users", began=BEGAN, read_body=lambda _: None)
