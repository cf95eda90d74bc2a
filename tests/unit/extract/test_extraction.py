"""Packages have a limited size, and are smaller while reading waits for the rate limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate
from typing import cast

import pyarrow as pa
import pytest

from harvest_source.auth.sessions import Sessions
from harvest_source.clock import SystemClock
from harvest_source.decode.decoder import Decoder
from harvest_source.extract.extraction import Batch, Extraction
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.run_log import RunLog
from harvest_source.schema.endpoints import BY_NAME

PAGE = pa.table({"id": pa.array(range(2000), pa.int64())})


@dataclass(frozen=True, slots=True)
class Bursts(Extraction):
    """Reads some pages, then waits for *go_on*, as if Harvest's rate limit was used up."""

    pages: tuple[int, ...] = ()
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    seen: list[str] = field(default_factory=list)
    pause_s: float = 9.0

    def _iter_unconfirmed(self, feed: TableFeed) -> Iterator[Batch]:
        for place, pages in enumerate(self.pages):
            if place:
                assert self.go_on.acquire(timeout=60)
            self.run_log.progress("time_entries", 1, 2000 * pages, 2000 * sum(self.pages))
            self.run_log.add_rows("time_entries", 1, 2000 * pages)
            for _ in range(pages):
                yield Batch(BY_NAME["time_entries"], 1, table=PAGE)

    def _ask_about(self, feeds: Sequence[TableFeed]) -> None:
        self.seen.append(f"asked about {feeds[0].endpoint.name}")

    def _pause_s(self) -> float:
        return self.pause_s

    def _confirm(
        self, batches: list[Batch], asked: Collection[tuple[str, int]] = frozenset()
    ) -> list[Batch]:
        return batches


def read(pages: tuple[int, ...], on_package: Callable[[Bursts, int], None]) -> list[int]:
    """The number of rows in each package."""
    extraction = Bursts(cast("Sessions", None), ReadOptions(SystemClock()), RunLog(), pages=pages)
    packages: list[int] = []
    feed = TableFeed(BY_NAME["time_entries"], 1, cast("Decoder", None), {})
    with closing(extraction.iter_packages([feed])) as found:
        for batches in found:
            packages.append(sum(batch.rows for batch in batches))
            on_package(extraction, sum(packages))
    return packages


def test_rows_are_loaded_while_reading_waits_for_the_rate_limit() -> None:
    """Buffered rows are loaded while reading pauses, so that less remains at the end."""

    def on_package(extraction: Bursts, rows: int) -> None:
        if rows == 140_000:
            extraction.go_on.release()

    packages = read((70, 4), on_package)
    assert max(packages) <= 100_000
    assert packages[-1] == 8_000
    assert sum(packages) == 148_000


@dataclass(frozen=True, slots=True)
class Progressing(Bursts):
    """Records its progress after each burst."""

    def _iter_unconfirmed(self, feed: TableFeed) -> Iterator[Batch]:
        for place, batch in enumerate(super(Progressing, self)._iter_unconfirmed(feed), 1):
            yield batch
            if place in accumulate(self.pages):
                yield Batch(feed.endpoint, 1, state={"read": place})


def test_rows_do_not_wait_for_batches_that_need_confirmation() -> None:
    """While the limit is used up, batches that Harvest must confirm first are loaded later."""
    extraction = Progressing(
        cast("Sessions", None), ReadOptions(SystemClock()), RunLog(), pages=(6, 1)
    )
    feed = TableFeed(BY_NAME["time_entries"], 1, cast("Decoder", None), {})
    packages = []
    with closing(extraction.iter_packages([feed])) as found:
        for batches in found:
            packages.append([each.state or each.rows for each in batches])
            extraction.go_on.release()
    assert packages == [[2000] * 6, [{"read": 6}, 2000, {"read": 7}]]


@dataclass(frozen=True, slots=True)
class Endless(Bursts):
    """Reads payments, one after the other, until *go_on*, or ten thousand of them."""

    def _iter_unconfirmed(self, feed: TableFeed) -> Iterator[Batch]:
        if not feed.endpoint.is_read_last:
            yield from super(Endless, self)._iter_unconfirmed(feed)
            return
        self.seen.append("lists below parents")
        for _ in range(10_000):
            if self.go_on.acquire(blocking=False):
                return
            yield Batch(feed.endpoint, 1, table=PAGE.slice(0, 1))


@pytest.mark.parametrize(
    ("pages", "packages"), [((50, 1), [100_000, 2_000]), ((5,), [10_000]), ((1,), [])]
)
def test_rows_do_not_wait_for_lists_below_parents(
    pages: tuple[int, ...], packages: list[int]
) -> None:
    """Harvest is asked about them before these lists begin, unless the rows are few."""
    extraction = Endless(cast("Sessions", None), ReadOptions(SystemClock()), RunLog(), pages=pages)
    names = ("time_entries", "invoice_payments")
    feeds = [TableFeed(BY_NAME[name], 1, cast("Decoder", None), {}) for name in names]
    found: list[int] = []
    with closing(extraction.iter_packages(feeds)) as read:
        for batches in read:
            entries = [batch.rows for batch in batches if batch.endpoint.name == names[0]]
            if len(batches) == len(entries):
                found.append(sum(entries))
                extraction.go_on.release()
    assert found == packages
    asked = ["asked about time_entries"] if packages else []
    assert extraction.seen[: len(asked) + 1] == [*asked, "lists below parents"]


@pytest.mark.parametrize(("left", "polls"), [(2000, 5), (0, 1)])
def test_the_last_rows_do_not_wait_for_their_proof(left: int, polls: int) -> None:
    """Several quiet polls count as a pause; one is enough once all announced rows have come."""
    extraction = Bursts(cast("Sessions", None), ReadOptions(SystemClock()), RunLog())
    extraction.run_log.progress("time_entries", 1, 98_000, 98_000 + left)
    assert [extraction._is_due(98_000, number) for number in range(7)].index(True) == polls
    assert not extraction._is_due(9_999, 39), "a load costs the same, whatever is in it"
    assert extraction._is_due(100_000, 0)


def test_slow_answers_do_not_count_as_a_pause() -> None:
    """Otherwise, whenever Harvest takes a second, a few pages would be a load of their own."""
    extraction = Bursts(cast("Sessions", None), ReadOptions(SystemClock()), RunLog(), pause_s=0.9)
    extraction.run_log.progress("time_entries", 1, 98_000, 100_000)
    assert not any(extraction._is_due(98_000, number) for number in range(200))
    assert extraction._is_due(2_000, 200)


def test_few_rows_do_not_wait_for_lists_below_parents() -> None:
    """After two quiet seconds any number of rows is loaded, unless there are none."""
    extraction = Bursts(cast("Sessions", None), ReadOptions(SystemClock()), RunLog())
    assert extraction._is_due(1, 40)
    assert not extraction._is_due(0, 400)
