"""
How fast reports are: ``python -m tests.benchmarks.sandbox_reports --entries 200000``.

Without HTTP. Computes each report twice over a year of a large account, the first time without
cached sums, and once more after a few thousand edits.
"""

from __future__ import annotations

import argparse
from time import perf_counter

from harvest_source.sandbox import REPORTS, Settings, World


def measure(world: World) -> dict[str, float]:
    """Milliseconds that each report takes."""
    taken = {}
    for name, report in REPORTS.items():
        window = ("2025-01-01", "2025-12-31") if report.dated else ()
        started = perf_counter()
        world.report(name, *window)
        taken[name] = (perf_counter() - started) * 1000
    return taken


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000)
    settings = Settings(
        entries=parser.parse_args().entries,
        users=60,
        clients=100,
        projects=400,
        tasks=40,
        invoices=1500,
        expenses=5000,
    )
    started = perf_counter()
    world = World(settings)
    print(f"built in {perf_counter() - started:.2f} s")
    first, second = measure(world), measure(world)
    world.churn(edits=2000, deletions=500)
    third = measure(world)
    print(f"{'milliseconds':<28}{'first':>8}{'again':>8}{'edited':>8}")
    for name in first:
        print(f"{name:<28}{first[name]:>8.0f}{second[name]:>8.0f}{third[name]:>8.0f}")


if __name__ == "__main__":
    main()
