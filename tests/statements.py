"""
Prints every statement of ours: where its text stood, where it is asked for now, where it was tried.

Usage::

    python -m tests.statements
"""

from __future__ import annotations

from harvest_source.sql.dialects import DIALECTS
from tests.support.destinations import SERVERS
from tests.support.statement_catalogue import CATALOGUE
from tests.support.warehouses import WAREHOUSES


class Plain:
    """Names without quotes."""

    def table(self, name: str) -> str:
        return name

    def column(self, name: str) -> str:
        return name


def main() -> None:
    """One line for each statement."""
    ran = ", ".join(server.name for server in SERVERS)
    rendered = ", ".join(warehouse.name for warehouse in WAREHOUSES)
    print(f"Run by the step `statements` of tests.destination_contract: {ran}.")
    print(f"Rendered and parsed by tests/unit/sql/test_rendered.py, not run: {rendered}.\n")
    print("| Statement | Its text stood in | It is asked for by | In DuckDB |")
    print("|---|---|---|---|")
    for each in CATALOGUE:
        texts = "; ".join(text for text, _ in each.render(Plain(), DIALECTS["duckdb"]))
        print(f"| {each.what} | {each.stood} | {each.stands} | `{texts}` |")


if __name__ == "__main__":
    main()
