"""One connection is shared or each use has its own, and none may be out of date."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path

import pytest

from harvest_source.schema.endpoints import BY_NAME
from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.warehouse.connections import SqlConnections
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.stored_days import StoredDays
from harvest_source.warehouse.target import build_target
from harvest_source.warehouse.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A warehouse with a few of dlt's own rows."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))  # Other workers use this name, too.
    found = Warehouse(build_target("duckdb", tmp_path / "data.duckdb", "harvest", "connections"))
    found.merge_own("verify_runs", [])
    return found


def test_a_kept_connection_serves_all_uses(warehouse: Warehouse) -> None:
    """Without it, each use opens and closes its own connection."""
    with warehouse.sql() as one, warehouse.sql() as other:
        assert one is not other
    with warehouse.querying():
        with warehouse.sql() as first:
            assert first.count("verify_runs") == 0
        with warehouse.sql() as second:
            assert second is first
    with warehouse.sql() as later:
        assert later is not first


def test_no_connection_is_opened_before_it_is_used() -> None:
    """A run that queries nothing blocks no reader."""
    held: list[bool] = []

    @contextmanager
    def hold() -> Iterator[None]:
        held.append(True)
        yield

    def refuse() -> object:
        raise AssertionError

    connections = SqlConnections(refuse, refuse, hold)  # type: ignore[arg-type]
    with connections.keep():
        assert connections.is_kept
    assert not connections.is_kept
    assert held == []


def test_nothing_is_loaded_beside_a_kept_connection(warehouse: Warehouse) -> None:
    """The connection might not see the load."""
    with warehouse.querying(), pytest.raises(AssertionError, match="close it first"):
        warehouse.merge_own("verify_runs", [])
    warehouse.merge_own("verify_runs", [])


@pytest.mark.parametrize("keeps", [False, True])
def test_threads_take_turns(warehouse: Warehouse, *, keeps: bool) -> None:
    """dlt has one client, and a kept connection belongs to the thread that keeps it."""
    inside, leave, entered = threading.Event(), threading.Event(), threading.Event()
    kept: list[Sql] = []

    def use() -> None:
        with warehouse.querying() if keeps else nullcontext(), warehouse.sql() as sql:
            kept.append(sql)
            inside.set()
            assert leave.wait(60)

    def use_too() -> None:
        with warehouse.sql() as sql:
            entered.set()
            assert sql is not kept[0]
            assert sql.count("verify_runs") == 0

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(use)
        assert inside.wait(60)
        second = pool.submit(use_too)
        # A thread that does not wait would be inside as fast as it starts.
        assert not entered.wait(0.2)
        leave.set()
        first.result(60)
        second.result(60)
    assert entered.is_set()


def test_an_error_ends_the_sharing_of_a_connection(warehouse: Warehouse) -> None:
    """The next use has its own connection."""
    with pytest.raises(ZeroDivisionError), warehouse.querying(), warehouse.sql():
        raise ZeroDivisionError
    with warehouse.sql() as sql:
        assert sql.count("verify_runs", EVERY_ROW) == 0


def test_days_before_the_bound_do_not_count() -> None:
    """Rows without a date do not count with a bound; other accounts' rows never count."""
    march, may = date(2024, 3, 1), date(2024, 5, 1)
    stored = StoredDays(None, [1])  # type: ignore[arg-type]
    stored._counts["time_entries"] = {1: {march: 2, may: 3, None: 4}}
    entries = BY_NAME["time_entries"]
    assert sum(stored.count(entries, 1, None).values()) == 9
    assert stored.count(entries, 1, may) == {may: 3}
    assert stored.count(entries, 2, None) == {}
    stored.forget()
    assert stored._counts == {}
