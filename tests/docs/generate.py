"""
Write the generated parts of README.md and of the pages: ``python -m tests.docs.generate``.

Each part is between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; tests compare it with the
code. A name is a kind and, for some kinds, an argument: ``help sync``, ``file pipelines/x.py``. For
the kind ``output`` see :mod:`tests.docs.outputs`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.agents.bundle import write_server_json
from tests.dbt.generate import build_marts, write_files
from tests.docs import clients, reference
from tests.docs.blocks import PART
from tests.docs.destinations import build_destinations
from tests.docs.drivers import build_properties
from tests.docs.outputs import collect, mask, open_session
from tests.docs.pages import DOCUMENTS, PAGES, REPOSITORY, relative
from tests.docs.prompts import write_prompts
from tests.docs.rooms import build_rooms


def build_pages(_: str) -> str:
    """The README's list of pages."""
    return "Pages: " + ", ".join(f"[{page.title}]({relative(page.path)})" for page in PAGES) + "."


def build_file(path: str) -> str:
    """A file of this repository as a fenced block."""
    kind = {".py": "python", ".sql": "sql"}.get(Path(path).suffix, "text")
    return f"```{kind}\n{(REPOSITORY / path).read_text()}```"


BUILDERS: Final[Mapping[str, Callable[[str], str]]] = {
    "pages": build_pages,
    "table groups": lambda _: reference.build_table_groups(),
    "tables": lambda _: reference.build_tables(),
    "columns": lambda _: reference.build_columns(),
    "own tables": lambda _: reference.build_own_tables(),
    "marts": lambda _: build_marts(),
    "diagram": lambda _: reference.build_diagram(),
    "some keys": lambda _: reference.build_keys(reference.README_KEYS),
    "keys": lambda _: reference.build_keys(),
    "dlt settings": lambda _: reference.build_dlt_settings(),
    "events": lambda _: reference.build_events(),
    "exit codes": lambda _: reference.build_exit_codes(),
    "rooms": lambda _: build_rooms(),
    "tools": lambda _: reference.build_tools(),
    "destinations": lambda _: build_destinations(),
    "help": reference.build_help,
    "file": build_file,
    "clients table": clients.build_result,
    "connection": clients.build_connection,
    "driver properties": lambda _: build_properties(),
}
"""The kinds of parts, except ``output``, which needs a run."""


def fill(text: str) -> str:
    """*text* with every part that repeats the code brought up to date."""
    return PART.sub(_fill_part, text)


def _fill_part(part: re.Match[str]) -> str:
    name = part["name"]
    if name.startswith("output"):
        return part[0]
    kind = max((kind for kind in BUILDERS if f"{name} ".startswith(f"{kind} ")), default="")
    if not kind:
        raise SystemExit(f"There is no part named {name!r}: see BUILDERS in tests/docs/generate.py")
    return _write(name, BUILDERS[kind](name.removeprefix(kind).strip()))


def fill_outputs(text: str, outputs: Iterable[str]) -> str:
    """*text* with new *outputs*; an output that differs only in times and the like stays."""
    bodies = iter(outputs)

    def replace(part: re.Match[str]) -> str:
        if not part["name"].startswith("output"):
            return part[0]
        new = next(bodies)
        return part[0] if mask(new) == mask(part["body"].rstrip()) else _write(part["name"], new)

    return PART.sub(replace, text)


def _write(name: str, body: str) -> str:
    return f"<!-- begin {name} -->\n{body}\n<!-- end {name} -->"


def main() -> None:
    """Rewrite every document, the files of the dbt package, the prompts and server.json."""
    write_files()
    write_prompts()
    write_server_json()
    texts = {document: fill(document.read_text()) for document in DOCUMENTS}
    with tempfile.TemporaryDirectory() as folder, open_session(Path(folder)) as session:
        outputs = collect(texts, session)
    for document, text in texts.items():
        document.write_text(fill_outputs(text, outputs[document]))


if __name__ == "__main__":
    main()
