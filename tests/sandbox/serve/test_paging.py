"""Pagination: both styles, the envelope, the limits of per_page (behaviour.md 4)."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harvest_source.sandbox import TABLES
from tests.sandbox.reader import Reader, Start

ENVELOPE = [
    "per_page",
    "total_pages",
    "total_entries",
    "next_page",
    "previous_page",
    "page",
    "links",
]
CURSOR_TABLES = [
    name for name in TABLES if name not in {"time_entries", "expenses", "invoices", "estimates"}
]


def query_of(link: str) -> dict[str, str]:
    """The parameters of a link."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


@pytest.mark.parametrize("table", TABLES)
def test_every_list_has_the_whole_envelope(shared: Reader, table: str) -> None:
    """An answer has the rows under the table's name, then the seven members and four links."""
    content = shared.get(table, per_page=2000).json()
    assert list(content) == [table, *ENVELOPE]
    assert list(content["links"]) == ["first", "next", "previous", "last"]
    assert content["total_entries"] == len(content[table]) == shared.server.count(table)


@pytest.mark.parametrize("table", TABLES)
def test_following_next_gives_every_row_once_in_order(shared: Reader, table: str) -> None:
    """Small pages joined equal the whole list, in either style."""
    size = max(1, shared.server.count(table) // 4)
    assert shared.rows(table, per_page=size) == shared.server.rows(table)


@pytest.mark.parametrize("table", TABLES)
def test_page_numbers_work_everywhere(shared: Reader, table: str) -> None:
    """page=N works on every list, even where it is deprecated."""
    rows = shared.server.rows(table)
    content = shared.get(table, per_page=2, page=2).json()
    assert content[table] == rows[2:4]
    assert content["page"] == 2


def test_page_style_numbers_every_page(shared: Reader) -> None:
    """A page-numbered list shows page, next_page and previous_page throughout."""
    pages = shared.pages("time_entries", per_page=200)
    shown = [(page["page"], page["next_page"], page["previous_page"]) for page in pages]
    assert shown == [(1, 2, None), (2, 3, 1), (3, None, 2)]
    assert [page["total_pages"] for page in pages] == [3, 3, 3]
    assert query_of(pages[0]["links"]["next"])["page"] == "2"


@pytest.mark.parametrize("table", CURSOR_TABLES)
def test_cursor_style_hides_page_numbers_after_the_first(shared: Reader, table: str) -> None:
    """Page 1 shows 1 and 2 although its next link is a cursor; later pages show nulls."""
    pages = shared.pages(table, per_page=-(-shared.server.count(table) // 4))
    assert len(pages) > 2
    assert (pages[0]["page"], pages[0]["next_page"]) == (1, 2)
    for page in pages[1:]:
        assert (page["page"], page["next_page"], page["previous_page"]) == (None, None, None)
    following = query_of(pages[0]["links"]["next"])
    assert set(following) == {"cursor", "per_page", "ref"}
    assert following["ref"] == "next_cursor"


def test_a_cursor_is_base64_of_the_last_id(shared: Reader) -> None:
    """A cursor has the documented content: {"after": {"id": <last id of the page>}}."""
    content = shared.get("clients", per_page=3).json()
    cursor = query_of(content["links"]["next"])["cursor"]
    last = content["clients"][-1]["id"]
    assert json.loads(base64.b64decode(cursor)) == {"after": {"id": last}}


def test_the_documented_cursor_is_understood(shared: Reader) -> None:
    """A cursor as the documentation writes it continues after that id."""
    ids = [row["id"] for row in shared.server.rows("clients")]
    cursor = base64.b64encode(b'{"after":{"id":%d}}' % ids[2]).decode()
    answer = shared.get("clients", cursor=cursor, per_page=2, page=1).json()
    assert [row["id"] for row in answer["clients"]] == ids[3:5], "the cursor wins over page"


def test_the_previous_link_gives_the_page_before(shared: Reader) -> None:
    """The previous link of a middle page gives the page before it, in either style."""
    for table in ("clients", "time_entries"):
        first = shared.get(table, per_page=2).json()
        second = shared.get(first["links"]["next"]).json()
        third = shared.get(second["links"]["next"]).json()
        assert shared.get(third["links"]["previous"]).json()[table] == second[table]
        assert first["links"]["previous"] is None


def test_links_repeat_filters(shared: Reader) -> None:
    """Every link carries the request's filters, per_page and a ref of its own."""
    content = shared.get(
        "time_entries", per_page=5, from_="2024-01-01", updated_since="2024-01-01T00:00:00Z"
    ).json()
    for name in ("first", "next", "last"):
        query = query_of(content["links"][name])
        assert query["from"] == "2024-01-01"
        assert query["updated_since"] == "2024-01-01T00:00:00Z"
        assert query["per_page"] == "5"
        assert query["ref"] == name
    assert content["links"]["first"].startswith(shared.server.api_url)


@pytest.mark.parametrize("per_page", [0, -1, 2001, "many", "1_0", " 1 ", "+1", ""])
def test_per_page_out_of_range_is_422(shared: Reader, per_page: object) -> None:
    """A value above 2000, or none in digits, is refused: a message, repeated in the Hint header."""
    answer = shared.get("clients", per_page=per_page)
    assert (answer.status_code, answer.json()) == (422, {"message": "Invalid per_page parameter"})
    assert answer.headers["Hint"] == "Invalid per_page parameter"


@pytest.mark.parametrize(
    "query",
    [
        {"page": 0},
        {"page": "x"},
        {"page": "1_0"},
        {"page": " 1 "},
        {"page": "\u0661"},
        {"cursor": "%%"},
        {"cursor": "e30"},
    ],
)
def test_a_page_that_makes_no_sense_is_422(shared: Reader, query: dict[str, Any]) -> None:
    """An invalid page number or cursor is refused."""
    assert shared.get("clients", **query).status_code == 422


@pytest.mark.parametrize(
    "content",
    [
        b'{"after":{"id":Infinity}}',
        b'{"after":{"id":1,"day":1e400}}',
        b'{"after":{},"before":{"id":"x"}}',
        b"[" * 20_000,
    ],
    ids=["id", "day", "before", "nested"],
)
@pytest.mark.parametrize("path", ["clients", "reports/project_budget"])
def test_a_cursor_of_strange_content_is_422(shared: Reader, path: str, content: bytes) -> None:
    """A cursor of valid base64 is refused if its content names no row."""
    answer = shared.get(path, cursor=base64.urlsafe_b64encode(content).decode())
    assert (answer.status_code, answer.json()) == (422, {"message": "Invalid cursor parameter"})


def test_a_cursor_with_one_empty_direction_has_the_other(shared: Reader) -> None:
    """An empty ``after`` beside a ``before`` is ignored."""
    ids = [row["id"] for row in shared.server.rows("clients")]
    cursor = base64.b64encode(b'{"after":{},"before":{"id":%d}}' % ids[3]).decode()
    answer = shared.get("clients", cursor=cursor, per_page=2).json()
    assert [row["id"] for row in answer["clients"]] == ids[1:3]


def test_invoices_default_to_a_smaller_page(shared: Reader) -> None:
    """Without per_page, a page has 100 invoices or 2000 rows of any other table (quirk 29)."""
    assert shared.get("invoices").json()["per_page"] == 100
    assert shared.get("clients").json()["per_page"] == 2000


def test_an_empty_list_has_one_page(start: Start) -> None:
    """An empty list has total_entries 0, total_pages 1, page 1, next null, and its key."""
    reader = start(empty=True)
    for table in TABLES:
        if table == "users":
            continue
        content = reader.get(table).json()
        assert content[table] == []
        assert (content["total_entries"], content["total_pages"], content["page"]) == (0, 1, 1)
        assert content["links"]["next"] is None


def test_a_page_beyond_the_end_is_empty(shared: Reader) -> None:
    """A page number beyond the last page gives no rows and no next link."""
    content = shared.get("time_entries", page=99).json()
    assert (content["time_entries"], content["links"]["next"]) == ([], None)


def test_time_entries_can_be_cursor_style(start: Start) -> None:
    """With cursor_tables, time entries hand out cursors (quirk 28) and every row is served."""
    reader = start(cursor_tables=("time_entries",), entries=200)
    pages = reader.pages("time_entries", per_page=30)
    assert all("cursor=" in page["links"]["next"] for page in pages[:-1])
    assert all(page["page"] is None for page in pages[1:])
    rows = [row for page in pages for row in page["time_entries"]]
    assert rows == reader.server.rows("time_entries")


def test_a_cursor_table_can_be_page_style(start: Start) -> None:
    """With page_tables, a list documented with cursors is numbered."""
    reader = start(page_tables=("clients",))
    content = reader.get("clients", per_page=3).json()
    assert query_of(content["links"]["next"])["page"] == "2"


@pytest.mark.parametrize("style", ["page", "cursor"])
def test_a_deletion_shifts_pages_but_not_cursors(start: Start, style: str) -> None:
    """After a deletion on page 1, page 2 by number skips a row; by cursor it does not."""
    reader = start(cursor_tables=("time_entries",) if style == "cursor" else ())
    before = [row["id"] for row in reader.server.rows("time_entries")]
    first = reader.get("time_entries", per_page=10).json()
    reader.server.delete("time_entries", before[4])
    second = reader.get(first["links"]["next"]).json()["time_entries"]
    expected = before[10:20] if style == "cursor" else before[11:21]
    assert [row["id"] for row in second] == expected


def test_a_cursor_outlives_the_row_it_names(start: Start) -> None:
    """When the row that a cursor names is deleted, no row is skipped."""
    reader = start(cursor_tables=("time_entries",))
    before = [row["id"] for row in reader.server.rows("time_entries")]
    first = reader.get("time_entries", per_page=10).json()
    reader.server.delete("time_entries", before[9])
    second = reader.get(first["links"]["next"]).json()["time_entries"]
    assert [row["id"] for row in second] == before[10:20]


@pytest.mark.parametrize("table", ["time_entries", "clients"])
def test_page_rows_splits_a_list_into_smaller_pages(start: Start, table: str) -> None:
    """``page_rows`` splits a short list into pages; a request for fewer rows gets fewer."""
    reader = start(page_rows=3)
    pages = reader.pages(table, per_page=2000)
    assert [row for page in pages for row in page[table]] == reader.server.rows(table)
    assert {len(page[table]) for page in pages[:-1]} == {page["per_page"] for page in pages} == {3}
    assert len(reader.get(table, per_page=2).json()[table]) == 2
