"""
Where a run without changes spends its time.

    python -m tests.benchmarks.run_profile [--code FOLDER]... [--runs 10] [--flame FILE]

Each FOLDER is a checkout with an environment in ``.venv``, as for ``start_profile``; their runs
take turns. py-spy samples the main thread 250 times a second, except while it waits for other
threads. Prints the milliseconds of a run by part, for each checkout: importing is one part, and
everything else belongs to the innermost room or library on the stack; the work of DuckDB and Arrow
belongs to their callers. ``--flame`` writes an SVG of one run of the last checkout.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.start_profile import SYNC, Checkout, open_checkouts

_RATE: Final = 250
_SHOWN_MS: Final = 5
_OURS: Final = "harvest_source"
_LIBRARIES: Final = ("dlt", "duckdb", "pyarrow", "httpx", "httpcore", "h11", "tenacity", "click")
_MAIN: Final = "MainThread"
_IMPORTING: Final = "<frozen importlib"


def name_part(frames: Sequence[str]) -> str:
    """
    The part that a sample belongs to.

    Args:
        frames: Outermost first, each as ``function (path/of/module.py:12)``.
    """
    if any(_IMPORTING in frame for frame in frames):
        return "importing"
    for frame in reversed(frames):
        place = frame.rpartition("(")[2].split("/")
        if place[0] == _OURS:
            return "/".join(place[:2]) if len(place) > 2 else _OURS
        if place[0] in _LIBRARIES:
            return place[0]
    return "Python itself"


def count_samples(text: str) -> Counter[str]:
    """Count samples in py-spy's raw format, by part."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        thread, *inner = frames.split(";")
        if _MAIN in thread:
            found[name_part(inner)] += int(count)
    return found


def record(checkout: Checkout, place: Path, form: str) -> None:
    """Run *checkout* once under py-spy, which writes its samples to *place*."""
    options = ["--threads", "--rate", str(_RATE), "--format", form, "--output", str(place)]
    sampler = str(Path(sys.executable).with_name("py-spy"))
    checkout.start([sampler, "record", *options, "--", *checkout.command, *SYNC])


def print_table(names: Sequence[str], found: Sequence[Counter[str]], runs: int) -> None:
    """Print a line for each part, the largest first."""
    shares = [{part: count * 1000 / _RATE / runs for part, count in each.items()} for each in found]
    parts = [part for part, _ in sum(found, Counter[str]()).most_common()]
    print("| Milliseconds of a run | " + " | ".join(names) + " |")
    print("|---" * (1 + len(names)) + "|")
    for part in parts:
        values = [share.get(part, 0) for share in shares]
        if max(values) >= _SHOWN_MS:
            print(f"| {part} | " + " | ".join(f"{value:.0f}" for value in values) + " |")
    print("| all | " + " | ".join(f"{sum(share.values()):.0f}" for share in shares) + " |")


def main() -> None:
    """Record and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--code", action="append", metavar="FOLDER", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--flame", type=Path, metavar="FILE", help="an SVG of the last checkout")
    options = parser.parse_args()
    with open_checkouts(options.code) as checkouts, tempfile.TemporaryDirectory() as made:
        found = [Counter[str]() for _ in checkouts]
        samples = Path(made, "samples")
        for _ in range(options.runs):
            for checkout, counts in zip(checkouts, found, strict=True):
                record(checkout, samples, "raw")
                counts.update(count_samples(samples.read_text(encoding="utf-8")))
        print_table([each.name for each in checkouts], found, options.runs)
        if options.flame:
            record(checkouts[-1], options.flame.absolute(), "flamegraph")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename} is not there: pip install -e '.[dev]'.") from error
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}\n{error.stderr}") from error
