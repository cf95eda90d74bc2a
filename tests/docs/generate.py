"""
The parts of README.md that are made from the code: ``python -m tests.docs.generate``.

Each stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; a test keeps them in step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from click.testing import CliRunner

from harvest_source.cli import main as cli
from harvest_source.cli.options import Context
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS, ENDPOINTS

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
_WAYS = {
    ReadStrategy.CHANGES: "changes",
    ReadStrategy.WHOLE: "whole, every run",
    ReadStrategy.CHILDREN: "parents that moved, all of them weekly",
    ReadStrategy.WINDOWS: "years, recent ones every run, all weekly",
    ReadStrategy.SNAPSHOT: "whole, once a day",
}
REFERENCE = "https://help.getharvest.com/api-v2/"


def build_tables() -> str:
    """One line for each endpoint."""
    lines = ["| Table | Child tables | Key | Read by | Who may read it |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_table_line, ENDPOINTS)])


def _table_line(endpoint: Endpoint) -> str:
    children = ", ".join(f"`{child}`" for child in endpoint.child_tables)
    cells = (
        f"[`{endpoint.name}`]({REFERENCE}{endpoint.docs})",
        children or "-",
        f"`{', '.join(endpoint.key)}`",
        _WAYS[endpoint.way] + ("" if endpoint.default else "; only if named"),
        endpoint.permission,
    )
    return f"| {' | '.join(cells)} |"


def build_diagram() -> str:
    """Tables read by default and what refers to what, for Mermaid."""
    tables = {name for each in DEFAULT_ENDPOINTS for name in (each.name, *each.child_tables)}
    lines = [
        f"    {each.name} ||--o{{ {child} : has"
        for each in DEFAULT_ENDPOINTS
        for child in each.child_tables
    ]
    lines += [
        f"    {reference.to} |o--o{{ {reference.table} : {reference.column}"
        for each in DEFAULT_ENDPOINTS
        for reference in each.references
        if reference.to in tables
    ]
    drawn = {name for line in lines for name in line.split()}
    alone = [f"    {name}" for name in sorted(tables - drawn)]
    return "\n".join(["```mermaid", "erDiagram", *lines, *alone, "```"])


def build_file(path: str) -> str:
    """A file of this repository as a fenced block."""
    kind = {".py": "python", ".sql": "sql"}.get(Path(path).suffix, "")
    return f"```{kind}\n{(REPOSITORY / path).read_text()}```"


def build_help(command: str) -> str:
    """What ``harvest-source COMMAND --help`` prints."""
    result = CliRunner().invoke(
        cli.main,
        [*command.split(), "--help"],
        prog_name="harvest-source",
        terminal_width=100,
        obj=Context(),
    )
    assert result.exit_code == 0, result.output
    return f"```\n{result.output}```"


PARTS: Mapping[str, Callable[[], str]] = {
    "tables": build_tables,
    "diagram": build_diagram,
    "sync help": partial(build_help, "sync"),
    "verify help": partial(build_help, "verify"),
    "auth login help": partial(build_help, "auth login"),
    "first_sync.py": partial(build_file, "pipelines/first_sync.py"),
    "one_table.py": partial(build_file, "pipelines/one_table.py"),
    "another_destination.py": partial(build_file, "pipelines/another_destination.py"),
    "rates_by_day.sql": partial(build_file, "pipelines/rates_by_day.sql"),
    "harvest.cron": partial(build_file, "pipelines/harvest.cron"),
}


def fill(text: str) -> str:
    """*text* with every part as it is now."""
    for name, build in PARTS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        filled = f"{begin}\n{build()}\n{end}"
        text, found = pattern.subn(filled.replace("\\", r"\\"), text)
        if found != 1:
            raise SystemExit(f"README.md has {found} parts named {name!r}, not one")
    return text


if __name__ == "__main__":
    README.write_text(fill(README.read_text()))
