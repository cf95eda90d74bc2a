"""
Try every client on every warehouse, and print the table of docs/clients.md.

    python -m tests.clients [--folder FOLDER] [--only WORD]... [--write]

Needs package indexes for Python and node. Environments are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.clients.environments import EnvironmentFailed, make
from tests.clients.matrix import CLIENTS, DUCKDB, Client
from tests.clients.scripts.tasks import QUERIES
from tests.clients.warehouses import QUIET, Warehouse, open_warehouses
from tests.docs.reference import table

RESULT = Path(__file__).parent / "RESULT.md"


def try_client(client: Client, warehouse: Warehouse, environments: Path) -> tuple[str, Any]:
    """The client's versions, and its answers by task."""
    try:
        command, versions = make(client, environments)
    except EnvironmentFailed as error:
        return "", {name: {"error": f"not installed: {error}"} for name in QUERIES}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "queries.json").write_text(json.dumps(QUERIES))
        address = json.dumps(warehouse.given) if client.is_dlt else warehouse.address
        if client.place == DUCKDB and client.is_writer:
            address = f"{folder}/copy.duckdb"
            Path(address).write_bytes(Path(warehouse.address).read_bytes())
        done = subprocess.run(
            [*command, address, folder],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": folder, **QUIET},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return versions, {name: {"error": lines[-1][:160]} for name in QUERIES}
    answers = json.loads(done.stdout.strip().splitlines()[-1])
    return answers.pop("version", None) or versions, answers


def judge(answer: Mapping[str, Any], expected: Any) -> str:
    """Return ``ok``; ``float`` or ``text`` if decimals arrive as that; or what is wrong."""
    if "error" in answer:
        return str(answer["error"])
    found = answer["value"]
    if _normalize(found) == _normalize(expected):
        kinds = json.dumps(found)
        if "float" in kinds:
            return "float"
        return "ok" if '"decimal"' in kinds or '"decimal"' not in json.dumps(expected) else "text"
    return f"differs: {json.dumps(found)[:80]}"


def _normalize(value: Any) -> Any:
    """Make numbers of every type equal, and rows lists."""
    if isinstance(value, dict):
        (number,) = value.values()
        return round(float(number), 6)
    if isinstance(value, list):
        return [_normalize(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return float(value)
    text = str(value)
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return round(float(text), 6)
    return text[:10] if len(text) > 10 and text[4:5] == text[7:8] == "-" else text


def main() -> int:
    """Print the table; return 1 if an answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "clients")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--write", action="store_true", help=f"Write the table into {RESULT.name}.")
    options = parser.parse_args()
    environments = options.folder / "environments"
    rows, notes = [], []
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_warehouses(Path(scratch), environments) as warehouses,
    ):
        reference = next(client for client in CLIENTS if client.name == "duckdb 1.5.6")
        _, expected = try_client(reference, warehouses[0], environments)
        for client in CLIENTS:
            for warehouse in warehouses:
                if warehouse.place != client.place:
                    continue
                if options.only and not any(word in client.name for word in options.only):
                    continue
                versions, answers = try_client(client, warehouse, environments)
                states = {n: judge(answers[n], expected[n]["value"]) for n in QUERIES}
                row = [client.name, versions or "-", warehouse.name]
                for name, state in states.items():
                    if state not in ("ok", "float", "text"):
                        notes.append(f"{client.name}, {warehouse.name}, {name}: {state}")
                        state = f"[{len(notes)}]"
                    row.append(state)
                rows.append(row)
                print(" | ".join(row), file=sys.stderr, flush=True)
    text = table(("Client", "Versions", "Warehouse", *QUERIES), rows)
    text += "".join(f"\n[{number}] {note}\n" for number, note in enumerate(notes, start=1))
    print(text)
    if options.write:
        RESULT.write_text(text + "\n")
    return 1 if notes else 0


sys.exit(main())
