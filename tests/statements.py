"""
Prints every statement of ours: where its text was and is, where it was rendered and ran.

Usage::

    python -m tests.statements

Each is rendered now, and parsed by the grammar of its dialect; ``tests/CONTRACT.md`` says which
have run, in the contract's step ``statements``.
"""

from __future__ import annotations

from collections.abc import Iterator

from harvest_source.sql.dialects import DIALECTS
from tests.support.contract_results import OK, read
from tests.support.destinations import BY_NAME
from tests.support.rendering import iter_rendered
from tests.support.statement_catalogue import CATALOGUE, Statement
from tests.support.warehouses import WAREHOUSES

_COLUMNS = ("Statement", "Its text stood in", "Asked for by", "In DuckDB", "Rendered in", "Ran in")


class Plain:
    """Names without quotes."""

    def table(self, name: str) -> str:
        return name

    def column(self, name: str) -> str:
        return name


def main() -> None:
    """Print one line for each statement."""
    print("Their texts stand in `harvest_source/sql`.\n")
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for each in CATALOGUE:
        texts = "; ".join(text for text, _ in each.render(Plain(), DIALECTS["duckdb"]))
        rendered, ran = ", ".join(iter_parsed(each)), ", ".join(iter_ran(texts))
        cells = (each.what, each.stood, each.stands, f"`{texts}`", rendered, ran)
        print(f"| {' | '.join(cells)} |")


def iter_parsed(statement: Statement) -> Iterator[str]:
    """The dialects that have it; several texts if a dialect describes columns one by one."""
    for warehouse in WAREHOUSES:
        if any(True for _ in iter_rendered(warehouse, statement)):
            yield warehouse.name


def iter_ran(texts: str) -> Iterator[str]:
    """The destinations in which it has run. Commits, not statements, change files."""
    for result in read():
        server = BY_NAME[result.destination.partition(" ")[0]]
        is_sent = not server.format or texts.startswith("SELECT")
        if (result.step, result.result) == ("statements", OK) and is_sent:
            yield result.destination


if __name__ == "__main__":
    main()
