"""
What a run without changes costs, and how much of it is importing.

    python -m tests.benchmarks.start_profile [--code FOLDER]... [--runs 5]

Each FOLDER is a checkout with an environment in ``.venv``, so that versions can be compared. Their
runs take turns, because only processor times of the same hour are comparable. The sandbox is this
version's, with its timers stopped. Prints a line for each checkout and command, and the
milliseconds that each checkout spends importing each library, not counting what that imports.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harvest_source.sandbox import SandboxProcess, start_process
from tests.benchmarks.speed import stop_timers
from tests.structure import DEFAULT_FOLDER

_IMPORTED = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")
_SHOWN_MS = 4
SYNC, HELP = ("sync", "--quiet"), ("--help",)


@dataclass(frozen=True)
class Cost:
    """What one process used."""

    cpu_s: float
    wall_s: float
    written_kb: float


class Checkout:
    """One version, with a warehouse of its own in *folder*."""

    def __init__(self, code: Path, folder: Path, server: SandboxProcess) -> None:
        self.name = str(code)
        self._folder = folder
        self.command = [str(code / ".venv/bin/python"), "-m", "harvest_source"]
        self._environment = {
            "DLT_DATA_DIR": str(folder),
            "DLT_PROJECT_DIR": str(folder),
            "HOME": str(folder),
            "PYTHONPATH": str(code),
            "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN": server.token,
            "SOURCES__HARVEST__ACCOUNT_ID": "1000001",
            "SOURCES__HARVEST__API_URL": server.api_url,
            "SOURCES__HARVEST__ID_URL": server.id_url,
        }
        self.costs: dict[str, list[Cost]] = {}

    def run(self, *arguments: str) -> None:
        """Run one process and measure it."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        self.start([*self.command, *arguments])
        after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        written_kb = (after.ru_oublock - before.ru_oublock) / 2
        self.costs.setdefault(arguments[0], []).append(Cost(cpu_s, wall_s, written_kb))

    def count_imports(self) -> Counter[str]:
        """Milliseconds that one run without changes spends importing, by library."""
        python, *rest = self.command
        said = self.start([python, "-X", "importtime", *rest, *SYNC]).stderr
        found: Counter[str] = Counter()
        for micros, module in _IMPORTED.findall(said):
            found[module.partition(".")[0]] += int(micros)
        return Counter({name: micros // 1000 for name, micros in found.items()})

    def start(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a process in this checkout's folder, with its settings."""
        environment = {**os.environ, **self._environment}
        return subprocess.run(
            command, cwd=self._folder, env=environment, check=True, capture_output=True, text=True
        )


@contextmanager
def open_checkouts(codes: Sequence[Path] | None) -> Iterator[list[Checkout]]:
    """The named checkouts, by default this one, each with a warehouse that is up to date."""
    with (
        start_process("--entries", "5000", "--no-limit") as server,
        tempfile.TemporaryDirectory() as made,
    ):
        stop_timers(server)
        checkouts = []
        for at, code in enumerate(codes or [DEFAULT_FOLDER.parent]):
            folder = Path(made, str(at))
            folder.mkdir()
            checkouts.append(Checkout(code.absolute(), folder, server))
        for each in checkouts:
            each.run(*SYNC)
            each.run(*SYNC)
            each.costs.clear()
        yield checkouts


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--code", action="append", metavar="FOLDER", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with open_checkouts(options.code) as checkouts:
        for _ in range(options.runs):
            for each in checkouts:
                each.run(*SYNC)
                each.run(*HELP)
        print("| Checkout | Command | CPU s, median | CPU s, least | Wall s, least | KB written |")
        print("|---" * 6 + "|")
        for each in checkouts:
            for command, costs in each.costs.items():
                cpu = [cost.cpu_s for cost in costs]
                wall_s = min(cost.wall_s for cost in costs)
                written = statistics.median(cost.written_kb for cost in costs)
                print(
                    f"| {each.name} | {command} | {statistics.median(cpu):.2f} | {min(cpu):.2f} "
                    f"| {wall_s:.2f} | {written:,.0f} |"
                )
        imports = [each.count_imports() for each in checkouts]
        names = [name for name, ms in sum(imports, Counter()).most_common() if ms >= _SHOWN_MS]
        print("\n| Imported, ms | " + " | ".join(each.name for each in checkouts) + " |")
        print("|---" * (1 + len(checkouts)) + "|")
        for name in names:
            print(f"| {name} | " + " | ".join(str(found[name]) for found in imports) + " |")
        print("| all | " + " | ".join(str(found.total()) for found in imports) + " |")


if __name__ == "__main__":
    main()
