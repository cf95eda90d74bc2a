"""Running sandboxes: one for all tests that only read, and a factory for tests that change one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harvest_source.sandbox import ManualClock, Sandbox
from tests.sandbox.reader import Reader, Start


@pytest.fixture(scope="session")
def shared() -> Iterator[Reader]:
    """An account of 500 entries that no test changes, without limits, on a stopped clock."""
    settings: dict[str, Any] = {"entries": 500, "clock": ManualClock(), "limit": False}
    with Sandbox(**settings).start() as server:
        reader = Reader(server)
        yield reader
        reader.client.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a sandbox for one test; by default small and on a stopped clock."""
    running: list[Reader] = []

    def begin(**fields: Any) -> Reader:
        small: dict[str, Any] = {"entries": 60, "expenses": 40, "limit": False}
        settings = small | {"clock": ManualClock()} | fields
        running.append(Reader(Sandbox(**settings).start()))
        return running[-1]

    yield begin
    for reader in running:
        reader.client.close()
        reader.server.stop()
