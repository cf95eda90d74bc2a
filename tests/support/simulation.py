"""A simulated Harvest installation, with one clock for it and the connector."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from harvest_source.sandbox import TABLES, ManualClock, Sandbox

Row = dict[str, Any]
HOUR = 3600.0
DAY = 24 * HOUR


class SharedClock:
    """
    The sandbox's clock as the connector's: sleeping advances both, and no test waits.

    Attributes:
        slept: Seconds of every requested sleep.
        ahead: How far the connector's wall time is ahead of the sandbox's.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        self.slept: list[float] = []
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return self._clock() + self.ahead

    def monotonic(self) -> float:
        return (self._clock() - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
        self._clock.advance(seconds)


class Simulation:
    """
    One sandbox, serving until it is closed; use it in a ``with``.

    Attributes:
        token: The token of the person who reads; at first an administrator's.

    Args:
        fields: Settings of the sandbox.
    """

    def __init__(self, **fields: Any) -> None:
        self.clock = ManualClock()
        settings: dict[str, Any] = {"entries": 60, "limit": False, "clock": self.clock}
        self.server = Sandbox(**(settings | fields)).start()
        self.shared = SharedClock(self.clock)
        self.token = self.server.token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def rest(self, seconds: float = HOUR) -> None:
        """Let time pass between two runs."""
        self.clock.advance(seconds)

    def stop_timers(self) -> None:
        """Stop all timers, as the hours of a running one grow every second."""
        for account_id in self.server.settings.accounts:
            for entry in self.server.rows("time_entries", account_id):
                if entry["is_running"]:
                    self.server.edit(
                        "time_entries",
                        entry["id"],
                        account_id=account_id,
                        is_running=False,
                        timer_started_at=None,
                    )

    @contextmanager
    def quotes_tell(self) -> Iterator[None]:
        """
        Move the updated_at of records that quote a changed record, too.

        Harvest does not do that; its effect on a warehouse is not the subject of these tests.
        """
        tables = [(name, account) for account in self.server.settings.accounts for name in TABLES]
        before = {key: by_id(self.server.rows(*key)) for key in tables}
        yield
        for table, account in tables:
            for record in self.server.rows(table, account):
                was = before[table, account].get(record["id"], record)
                if was != record and was["updated_at"] == record["updated_at"]:
                    self.server.edit(table, record["id"], account_id=account)


def number(value: Any) -> Decimal:
    """The decimal that a JSON number spells, not the binary float behind it."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value))


def by_id(rows: Iterable[Row]) -> Mapping[int, Row]:
    """Rows by their id."""
    return {row["id"]: row for row in rows}
