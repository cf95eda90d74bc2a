"""Parts of docs/clients.md: the table of clients, and how each connects."""

from __future__ import annotations

import re
import textwrap
from typing import Final

from tests.docs.pages import REPOSITORY

CLIENTS: Final = REPOSITORY / "tests" / "clients"
_CONNECT: Final = re.compile(r"[#/]+ begin connect\n(.*?) *[#/]+ end connect", re.DOTALL)
_FILE: Final = "harvest_data.duckdb"
_SERVER: Final = "postgresql://reader@localhost/warehouse"


def build_result(_: str) -> str:
    """The results that ``python -m tests.clients --write`` found."""
    return (CLIENTS / "RESULT.md").read_text().rstrip()


def build_connection(script: str) -> str:
    """The lines of a *script* that connect, with an address in place of its argument."""
    found = _CONNECT.search((CLIENTS / "scripts" / script).read_text())
    assert found, script
    address = _SERVER if script.startswith("postgres") else _FILE
    text = textwrap.dedent(found[1]).replace("self.", "").replace("{address}", address)
    text = text.replace('f"Driver', '"Driver').replace("{host}", "localhost")
    if "dbt" in script:
        text = re.sub(r"return ", "", text)
    text = re.sub(r"\baddress\b", f'"{address}"', text)
    text = text.replace("**given", "").replace(f'f"duckdb:///{_FILE}"', f'"duckdb:///{_FILE}"')
    text = text.replace(
        f'"{_SERVER}".replace("postgresql://", "postgresql+psycopg://")',
        f'"{_SERVER.replace("postgresql", "postgresql+psycopg")}"',
    )
    kind = "js" if script.endswith(".cjs") else "python"
    return f"```{kind}\n{text.rstrip()}\n```"
