"""A client that answers from a script, and rows, pages and tasks to test the readers with."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pyarrow as pa

from harvest_source.api.client import HarvestClient
from harvest_source.api.evidence import ServerClock
from harvest_source.auth.company import Company
from harvest_source.auth.sessions import Owner, Session
from harvest_source.decode.decoder import Decoder
from harvest_source.extract.list_reader import ListReader
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slice_reader import (
    ListClient,
    ListPage,
    ListSource,
    OnPage,
    SliceReader,
    ignore_page,
)
from harvest_source.extract.task import Task
from harvest_source.extract.window_plan import WindowSettings
from harvest_source.schema.endpoint import Endpoint
from tests.clocks import FakeClock
from tests.support.model import (
    ENTRIES,
    UNDATED,
    ModelPage,
    Row,
    decode,
)

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
END_OF_MARCH = date(2024, 3, 31)
WHOLE = replace(UNDATED, name="roles", cursor=None)
SINGLE = replace(WHOLE, name="company", single=True, primary_key=())


def entry(row_id: int, *, day: int = 1, at: int = -1000, notes: str = "") -> Row:
    """A record dated on *day* of March that changed *at* seconds after noon."""
    return Row(row_id, date(2024, 3, day), 11, notes, at)


def page(rows: Sequence[Row], total: int | None, *, at: float = 0) -> ModelPage:
    """A page requested *at* seconds after noon."""
    body = "[" + ",".join(row.json() for row in rows) + "]"
    return ModelPage(body.encode(), total, NOON + timedelta(seconds=at))


def table(*rows: Row) -> pa.Table:
    """*rows* in the form that the readers get."""
    return decode(page(rows, None).rows)


def ids(*tables: pa.Table) -> list[int]:
    """The ids in *tables*, each once, ascending."""
    return sorted({row_id for table in tables for row_id in table.column("id").to_pylist()})


class ScriptedClient:
    """
    Answers each list with the next of *lists*, each count with the next of *counts*.

    Requests with ``updated_since`` are all answered with one page of *changed* rows.
    """

    def __init__(
        self,
        lists: Iterable[Iterable[ModelPage]] = (),
        counts: Iterable[int] = (),
        changed: Sequence[Row] = (),
    ) -> None:
        self._lists = iter(lists)
        self._counts = iter(counts)
        self._changed = page(changed, len(changed))
        self.asked: list[Mapping[str, str] | str] = []

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[ListPage, None, None]:
        self.asked.append(dict(params))
        yield from [self._changed] if "updated_since" in params else next(self._lists)

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        self.asked.append("count")
        return next(self._counts)


class FixedClient:
    """
    Answers by path, any number of times: *lists* has the JSON of each list's records.

    Requests with ``updated_since`` get the records under the path with ``?changed``. Lists that are
    not given are empty. Every list is one page. Counts are by the last day requested, *others* by
    path first.
    """

    def __init__(
        self,
        lists: Mapping[str, str],
        counts: Mapping[str, int] | None = None,
        others: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.lists = dict(lists)
        self.counts = counts or {}
        self.others = others or {}
        self.asked: list[str] = []
        """Path and filters of every request: ``invoices?from=2024-01-01``."""

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[ListPage, None, None]:
        self._note(path, params)
        asked = f"{path}?changed" if "updated_since" in params else path
        body = self.lists.get(asked, "[]").encode()
        yield ModelPage(body, body.count(b'{"id"'), NOON)

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        self._note(path, params)
        return self.others.get(path, self.counts).get(params.get("to", ""), 0)

    def fetch_page(self, path: str, *, key: str | None) -> ListPage:
        """Single objects are empty, so ``company`` says of no module that it is off."""
        return ModelPage(b"[{}]", None, NOON)

    def _note(self, path: str, params: Mapping[str, str]) -> None:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        self.asked.append(f"{path}?{query}" if query else path)


def slice_reader(
    client: ListClient, endpoint: Endpoint = ENTRIES, *, on_page: OnPage = ignore_page
) -> SliceReader:
    """A reader for single slices of *client*'s list."""
    return SliceReader(ListSource(client, endpoint, decode), today=END_OF_MARCH, on_page=on_page)


def list_reader(
    client: ListClient, endpoint: Endpoint = ENTRIES, *, long_rows: int = 100
) -> ListReader:
    """A reader for *client*'s list."""
    settings = WindowSettings(END_OF_MARCH, long_rows, long_rows)
    return ListReader(ListSource(client, endpoint, decode), settings)


def build_task(
    client: object,
    endpoint: Endpoint = ENTRIES,
    *,
    owner: Owner | None = None,
    state: dict[str, Any] | None = None,
    now: datetime = NOON,
    **options: Any,
) -> Task:
    """A task that reads *client*'s list with some *options*, by default for an administrator."""
    client.account_id = 1  # type: ignore[attr-defined]
    client.server_clock = ServerClock(FakeClock())  # type: ignore[attr-defined]
    harvest = cast("HarvestClient", client)
    owner = owner or Owner(1, "Ann", "", ("administrator",))
    return Task(
        endpoint,
        Session(harvest, owner, Company(harvest)),
        Decoder(endpoint.record, account_id=1),
        {} if state is None else state,
        ReadOptions(FakeClock(now), workers=1, **options),
        RunLog(),
    )
