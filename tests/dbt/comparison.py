"""
The models against an independent computation and Harvest's reports:
``python -m tests.dbt.comparison``.

Prints a table. Makes an environment with dbt, syncs the simulated consultancy into DuckDB, builds
the models and compares every row.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.environments import make_dbt_environment
from tests.support.models_figures import COMPARISONS, Found
from tests.support.models_lab import ModelsLab
from tests.support.models_reports import REPORTS


def main() -> None:
    """Build, compare and print."""
    with tempfile.TemporaryDirectory() as name:
        python = make_dbt_environment(Path(name) / "env")
        folder = Path(name) / "lab"
        folder.mkdir()
        with ModelsLab(folder) as lab:
            lab.stop_timers()
            assert lab.sync(all_children=True).status == "ok"
            assert lab.transform(python, variables=lab.days_off)["status"] == "ok"
            print("| Compared with | Mart or report | Rows | Values | Differ |")
            print("|---|---|---|---|---|")
            for comparison in COMPARISONS:
                show("records", f"harvest__{comparison.mart}", comparison.compare(lab))
            for report, compare in REPORTS.items():
                show("Harvest's report", report, compare(lab))


def show(other: str, what: str, found: Found) -> None:
    """Print one line of the table, and the first differences."""
    print(f"| {other} | `{what}` | {found.rows:,} | {found.values:,} | {len(found.differences)} |")
    for difference in found.differences[:5]:
        print(f"  {difference}")


if __name__ == "__main__":
    main()
