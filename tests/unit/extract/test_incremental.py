"""What a read of changes or history stores of itself, beside the rows."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import date, timedelta
from typing import Any

from harvest_source.extract.slice_reader import ListPage
from harvest_source.extract.strategies import read
from tests.model_figures import ENTRIES, START, ModelClient, ModelPage, World
from tests.unit.extract.scripted import build_task

ROWS = 24_000
BAD = date(2024, 1, 3)


class UnsteadyClient(ModelClient):
    """Announces another total on every page of one busy day."""

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None = None,
    ) -> Generator[ListPage, None, None]:
        if path != ENTRIES.list_path:  # There are no ids to split the day by.
            yield ModelPage(b"[]", 0, START)
            return
        pages = super().iter_pages(path, key=key, params=params, most_rows=most_rows)
        is_bad = params.get("from", "") <= str(BAD) <= params.get("to", "9")
        for number, page in enumerate(pages):
            is_wrong = is_bad and "updated_since" not in params
            total = (page.total_entries or 0) + (number if is_wrong else 0)
            yield ModelPage(page.rows, total, page.began)


def read_once(
    world: World, client: type[ModelClient], state: dict[str, Any]
) -> tuple[int, list[str]]:
    """Rows and warnings of one run, page by page as from Harvest."""
    served = client(world, lambda _request, _is_sent: None, per_page=2000)
    task = build_task(served, state=state, now=START + timedelta(seconds=world.now_s))
    return sum(table.num_rows for table in read(task)), task.run_log.warnings


def test_what_was_proven_is_kept_when_something_else_was_not() -> None:
    """The next run reads the rest, and not all of a long list again."""
    world = World()
    for number in range(ROWS):
        on = BAD if number < 3000 else BAD + timedelta(days=1 + number * 60 // ROWS)
        world.create(on, user=11)
    world.now_s = 10_000
    state: dict[str, Any] = {}
    rows, warnings = read_once(world, UnsteadyClient, state)
    assert rows >= ROWS
    assert "cursor" not in state
    assert "(2024-01-03 to 2024-01-04)" in warnings[0]
    ((first, last),) = state["backfill"]["done"]
    assert (first > str(BAD), last) == (True, None)
    rows, warnings = read_once(world, ModelClient, state)
    assert rows < ROWS * 0.7
    assert not warnings
    assert "cursor" in state
    assert "backfill" not in state
