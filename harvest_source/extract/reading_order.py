"""
The order of reading: people look at time entries before they look at messages.

All requests of an account share one rate limit. Lists that exist once per parent take a request
each, so they would delay the time entries by minutes. They begin once every other list of their
account has been read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from harvest_source.decode.decoder import Decoder
from harvest_source.schema.endpoint import Endpoint

_Stage: TypeAlias = tuple[int, bool]
"""An account, and whether its tables are those that are read last."""


@dataclass(frozen=True, slots=True)
class TableFeed:
    """One table of one account that is to be read."""

    endpoint: Endpoint
    account_id: int
    decoder: Decoder
    state: Mapping[str, Any]
    """The table's stored state; never changed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """
    What the end of one feed means for the others of its account.

    Attributes:
        read: The feeds that were read together, if this was the last of them; otherwise none.
        released: The feeds that may begin now.
        is_last: Whether feeds were released and no account has any left that wait to begin.
    """

    read: Sequence[TableFeed] = ()
    released: Sequence[TableFeed] = ()
    is_last: bool = False


class ReadingOrder:
    """The feeds of one run, and which of them may begin. Thread-safe."""

    def __init__(self, feeds: Sequence[TableFeed]) -> None:
        self._lock = threading.Lock()
        self._stages: dict[_Stage, list[TableFeed]] = {}
        for feed in feeds:
            self._stages.setdefault(_stage(feed), []).append(feed)
        self._running = {stage: len(together) for stage, together in self._stages.items()}
        waits = {(account, True) for account, is_last in self._stages if not is_last}
        self.first = sorted((feed for feed in feeds if _stage(feed) not in waits), key=_reads_last)
        """The feeds that begin at once."""

    def finish(self, feed: TableFeed) -> Finished:
        """Note that *feed* has been read, or has failed."""
        stage = _stage(feed)
        with self._lock:
            self._running[stage] -= 1
            if self._running[stage]:
                return Finished()
            is_waited_for = any(
                left and self._stages.get((account, True))
                for (account, is_read_last), left in self._running.items()
                if not is_read_last
            )
        account, is_read_last = stage
        released = () if is_read_last else self._stages.get((account, True), ())
        return Finished(self._stages[stage], released, bool(released) and not is_waited_for)


def _stage(feed: TableFeed) -> _Stage:
    return feed.account_id, feed.endpoint.is_read_last


def _reads_last(feed: TableFeed) -> bool:
    return feed.endpoint.is_read_last
