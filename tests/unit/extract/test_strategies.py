"""What a read stores of itself, beside the rows."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import date, timedelta
from typing import Any, cast

from harvest_source.api.client import HarvestClient
from harvest_source.auth.sessions import Company, Owner, Session
from harvest_source.decode.decoder import Decoder
from harvest_source.extract.list_reader import Page
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.strategies import Task, read
from tests.clocks import FakeClock
from tests.model_figures import ENTRIES, START, ModelClient, ModelPage, World

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
    ) -> Generator[Page, None, None]:
        if path != ENTRIES.list_path:  # Nobody the day could be cut by.
            yield ModelPage(b"[]", 0, START)
            return
        pages = super().iter_pages(path, key=key, params=params, most_rows=most_rows)
        is_bad = params.get("from", "") <= str(BAD) <= params.get("to", "9")
        for number, page in enumerate(pages):
            is_off = is_bad and "updated_since" not in params
            total = (page.total_entries or 0) + (number if is_off else 0)
            yield ModelPage(page.rows, total, page.began)


def build_task(world: World, client: type[ModelClient], state: dict[str, Any]) -> Task:
    """Reads the model's list, for an administrator, page by page as from Harvest."""
    clock = FakeClock(START + timedelta(seconds=world.now_s))
    served = client(world, lambda _request, _is_sent: None, per_page=2000)
    own = cast("HarvestClient", served)
    served.account_id = 1  # type: ignore[attr-defined]
    session = Session(own, Owner(1, "Ann", "", ("administrator",)), Company(own))
    return Task(
        ENTRIES,
        session,
        Decoder(ENTRIES.record, account_id=1),
        state,
        ReadOptions(clock, workers=1),
        RunLog(),
    )


def test_what_was_proven_is_kept_when_something_else_was_not() -> None:
    """The next run reads the rest, and not all of a long list again."""
    world = World()
    for number in range(ROWS):
        on = BAD if number < 3000 else BAD + timedelta(days=1 + number * 60 // ROWS)
        world.create(on, user=11)
    world.now_s = 10_000
    state: dict[str, Any] = {}
    task = build_task(world, UnsteadyClient, state)
    assert sum(table.num_rows for table in read(task)) >= ROWS
    assert "cursor" not in state
    assert "(2024-01-03 to 2024-01-04)" in task.run_log.warnings[0]
    ((first, last),) = state["backfill"]["done"]
    assert (first > str(BAD), last) == (True, None)
    again = build_task(world, ModelClient, state)
    assert sum(table.num_rows for table in read(again)) < ROWS * 0.7
    assert not again.run_log.warnings
    assert "cursor" in state
    assert "backfill" not in state
