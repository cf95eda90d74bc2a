"""
How long callers wait that ask the server all at once: ``python -m tests.benchmarks.asking_http``.

The real command serves 500,000 time entries over HTTP to the protocol's own client, with tokens of
two scopes: one shows some columns of all rows, the other the rows of one account, which the server
copies into memory for each question. All callers connect first, then each asks once, at the same
moment. Then one caller asks for hidden and unknown tables, columns and rows in turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import anyio
import duckdb
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from harvest_source.ask import list_records
from harvest_source.ask.access import Access, Caller
from harvest_source.ask.callers import People
from harvest_source.ask.records import get_record
from harvest_source.ask.runner import Runner
from harvest_source.ask.scopes import parse_scope
from harvest_source.auth.server_tokens import ServerTokens
from harvest_source.clock import SystemClock
from harvest_source.errors import HarvestError
from tests.benchmarks.asking import ENTRIES, build_warehouse
from tests.support.limited import refuse_to_ask
from tests.support.served import Served, prepare

COLUMNS: Final = [
    "time_entries.account_id",
    "time_entries.id",
    "time_entries.spent_date",
    "time_entries.user__id",
    "time_entries.client__id",
    "time_entries.client__name",
    "time_entries.client__currency",
    "time_entries.hours",
    "time_entries.rounded_hours",
]
SCOPES: Final = f"""
[sources.harvest.scopes.columns]
columns = {COLUMNS}

[sources.harvest.scopes.account]
accounts = [1000001]
columns = {COLUMNS}
"""
TOOLS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("list_records", {"table": "time_entries", "where": ["user__id=7"], "order": ["-spent_date"]}),
    ("sum_time", {"by": ["client", "month"]}),
)


@dataclass
class Watch:
    """Samples of the server's worker processes; sizes in MB."""

    server: int
    workers: int = 0
    largest: float = 0.0
    all_workers: float = 0.0
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Sample until ``is_over`` is set."""
        while not self.is_over.wait(0.02):
            sizes = [_read_size(pid, "VmRSS") for pid in _list_workers(self.server)]
            self.workers = max(self.workers, len(sizes))
            self.largest = max([self.largest, *sizes])
            self.all_workers = max(self.all_workers, sum(sizes))


def _list_workers(pid: int) -> list[int]:
    """Children that run a worker; not newly forked ones, which are still copies of their parent."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for each in (task / "children").read_text().split():
                if b"ask.worker" in Path(f"/proc/{each}/cmdline").read_bytes():
                    found.add(int(each))
    return sorted(found)


def _read_size(pid: int, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0


@contextmanager
def watch(server: int) -> Iterator[Watch]:
    """Sample the processes of a server while callers ask it."""
    found = Watch(server)
    thread = threading.Thread(target=found.run)
    thread.start()
    try:
        yield found
    finally:
        found.is_over.set()
        thread.join()


def add_tokens(served: Served, callers: int) -> None:
    """Add a token for each caller, of the two scopes in turn."""
    clock = SystemClock()
    folder = served.folder / "data" / "harvest-source" / "vault"
    tokens = ServerTokens(folder, clock.now)
    for number in range(callers):
        name, scope = f"caller{number}", ("columns", "account")[number % 2]
        served.tokens[name] = tokens.add(name, scope=scope, profile=name, url=served.url, days=1)


async def ask_at_once(served: Served) -> dict[tuple[str, str], list[float]]:
    """Seconds that each call took, by scope and tool."""
    taken: dict[tuple[str, str], list[float]] = {}
    begin, connected = anyio.Event(), anyio.Semaphore(0)

    async def run(number: int, token: str) -> None:
        tool, arguments = TOOLS[number // 2 % 2]
        headers = {"authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=300) as web,
            Client(streamable_http_client(served.url, http_client=web)) as client,
        ):
            await client.list_tools()
            connected.release()
            await begin.wait()
            began = time.perf_counter()
            answer = await client.call_tool(tool, arguments)
            passed = time.perf_counter() - began
        assert not answer.is_error, answer.content
        taken.setdefault((("columns", "account")[number % 2], tool), []).append(passed)

    async with anyio.create_task_group() as group:
        for number, token in enumerate(served.tokens.values()):
            group.start_soon(run, number, token)
        for _ in served.tokens:
            await connected.acquire()
        begin.set()
    return taken


def measure_callers(folder: Path, callers: int) -> None:
    """Print how long callers wait, and how much memory the server takes."""
    served = prepare(folder, SCOPES)
    add_tokens(served, callers)
    with served.running() as server, watch(server) as seen:
        taken = anyio.run(ask_at_once, served)
        size = _read_size(server, "VmHWM")
    for (scope, tool), each in sorted(taken.items()):
        print(f"{len(each):3} callers, scope {scope}, {tool}".ljust(44), _write(each))
    print(f"{callers:3} callers at once".ljust(44), _write([*chain(*taken.values())]))
    print(
        f"server {size:.0f} MB, {seen.workers} workers at most, the largest {seen.largest:.0f} MB, "
        f"all of them {seen.all_workers:.0f} MB"
    )


def measure_alike(path: Path, runs: int) -> None:
    """Print the median times of questions about hidden and about unknown things, asked in turn."""
    access = Access(Runner(path), People(refuse_to_ask, SystemClock()))
    keys = {"accounts": [1000002], "columns": COLUMNS}
    runner = access.open(Caller("ada", parse_scope("account", keys)))
    questions: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "table": (
            lambda: list_records("invoices", warehouse=runner),
            lambda: list_records("invoicez", warehouse=runner),
        ),
        "column": (
            lambda: list_records("time_entries", columns=["notes"], warehouse=runner),
            lambda: list_records("time_entries", columns=["notez"], warehouse=runner),
        ),
        "row": (
            lambda: get_record("time_entries", 7, warehouse=runner),
            lambda: get_record("time_entries", 900_000_007, warehouse=runner),
        ),
    }
    for name, pair in questions.items():
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(runs):
            for each, times in zip(pair, taken, strict=True):
                began = time.perf_counter()
                with suppress(HarvestError):
                    each()
                times.append(time.perf_counter() - began)
        hidden, unknown = (statistics.median(each) * 1000 for each in taken)
        print(f"{name}: hidden {hidden:.0f} ms, unknown {unknown:.0f} ms, {runs} calls of each")


def _write(taken: list[float]) -> str:
    middle, worst = statistics.median(taken) * 1000, max(taken) * 1000
    return f"median {middle:6.0f} ms   worst {worst:6.0f} ms"


def main() -> None:
    """Build the warehouse and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--runs", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = build_warehouse(folder, given.entries)
        path = path.rename(folder / "harvest_data.duckdb")
        print(f"{given.entries:,} time entries, DuckDB {duckdb.__version__}")
        measure_callers(folder, given.callers)
        measure_alike(path, given.runs)


if __name__ == "__main__":
    main()
