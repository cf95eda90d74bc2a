"""
How fast the sandbox serves: ``python -m tests.benchmarks.sandbox_speed --entries 1000000``.

Starts the sandbox as a process of its own, reads full pages of time entries, and discards them.
"""

from __future__ import annotations

import argparse
from os import sysconf
from pathlib import Path
from time import perf_counter

import httpx

from harvest_source.sandbox import SandboxProcess, start_process

PER_PAGE = 2000


def main() -> None:
    """Run the measurement and print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=250, help="at most so many")
    parser.add_argument("--data", choices=("varied", "agency"), default="varied")
    options = parser.parse_args()
    started = perf_counter()
    serve = ("--no-limit", "--data", options.data, "--entries", str(options.entries))
    with start_process(*serve) as server:
        print(f"entries       {options.entries:>12,}")
        print(f"start         {perf_counter() - started:>12.2f} s")
        print(f"  processor   {_cpu_s(server.pid):>12.2f} s")
        pages = min(options.pages, -(-options.entries // PER_PAGE))
        with _client(server) as client:
            _read(client, range(1, 2))
            rows, size, seconds = _read(client, range(1, pages + 1))
            print(f"rows read     {rows:>12,} in {seconds:.2f} s, {size / rows:,.0f} bytes each")
            print(f"rate          {rows / seconds:>12,.0f} rows/s")
            deep = -(-options.entries // PER_PAGE)
            _, _, seconds = _read(client, range(max(1, deep - 9), deep + 1))
            print(f"last 10 pages {seconds * 100:>12.1f} ms each")
        print(f"peak memory   {_peak_mb(server.pid):>12,.0f} MB")


def _client(server: SandboxProcess) -> httpx.Client:
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Harvest-Account-Id": str(server.account_id),
        "User-Agent": "sandbox-speed (sandbox@example.com)",
    }
    return httpx.Client(base_url=server.api_url, headers=headers, trust_env=False, timeout=60)


def _read(client: httpx.Client, pages: range) -> tuple[int, int, float]:
    """Rows, bytes and seconds of reading *pages*."""
    started, rows, size = perf_counter(), 0, 0
    for page in pages:
        with client.stream("GET", f"/time_entries?per_page={PER_PAGE}&page={page}") as answer:
            answer.raise_for_status()
            size += sum(len(part) for part in answer.iter_raw())
        rows += PER_PAGE
    return rows, size, perf_counter() - started


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, which a busy machine does not inflate; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    """The largest resident size of a process so far; Linux only."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    main()
