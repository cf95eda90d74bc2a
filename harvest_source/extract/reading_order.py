"""
What is read first: people look at time entries before they look at messages.

All requests of an account share one allowance. Lists that exist once per parent take a request
each, so they would hold up the entries for minutes. They are begun when every other list of their
account has been read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harvest_source.decode.decoder import Decoder
from harvest_source.schema.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class TableFeed:
    """One table of one account that is to be read."""

    endpoint: Endpoint
    account_id: int
    decoder: Decoder
    state: Mapping[str, Any]
    """The table's stored state; never changed."""


class ReadingOrder:
    """The feeds of one run, and which of them may begin. Thread-safe."""

    def __init__(self, feeds: Sequence[TableFeed]) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, int] = {}
        self._waiting: dict[int, list[TableFeed]] = {}
        for feed in feeds:
            if feed.endpoint.is_read_last:
                self._waiting.setdefault(feed.account_id, []).append(feed)
            else:
                self._running[feed.account_id] = self._running.get(feed.account_id, 0) + 1
        at_once = [account for account in self._waiting if account not in self._running]
        first = [feed for feed in feeds if not feed.endpoint.is_read_last]
        self.first = [*first, *(feed for each in at_once for feed in self._waiting.pop(each))]
        """The feeds that begin at once."""

    def finish(self, feed: TableFeed) -> list[TableFeed]:
        """The feeds that may begin because *feed* has been read, or has failed."""
        if feed.endpoint.is_read_last:
            return []
        with self._lock:
            self._running[feed.account_id] -= 1
            if self._running[feed.account_id]:
                return []
            return self._waiting.pop(feed.account_id, [])
