"""The registry's entry and the bundle, checked by third-party tools: ``pytest -m agents``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tests.agents.bundle import SERVER_JSON, build_bundle
from tests.support.environments import make_environment
from tests.support.questions import make_warehouse

pytestmark = pytest.mark.agents


@pytest.mark.skipif(not shutil.which("npm"), reason="The bundle's tool is npm's.")
def test_the_bundle_answers(tmp_path: Path) -> None:
    """A bundle that its own tool packed answers when it is started as its manifest says."""
    bundle = build_bundle(tmp_path)
    opened = tmp_path / "opened"
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(opened)
    warehouse = make_warehouse(tmp_path / "warehouse.duckdb")
    config = json.loads((opened / "manifest.json").read_text())["server"]["mcp_config"]
    filled = {"${__dirname}": str(opened), "${user_config.database}": str(warehouse)}
    uv = shutil.which("uv") or make_environment(tmp_path / "uv", "uv").parent / "uv"
    command = StdioServerParameters(
        command=str(uv),
        args=[filled.get(each, each) for each in config["args"]],
        env={**os.environ, "HOME": str(tmp_path), "VIRTUAL_ENV": ""},
    )

    async def talk() -> Any:
        async with Client(stdio_client(command)) as client:
            return await client.call_tool("find", {"text": "Client 3"})

    assert anyio.run(talk).structured_content["rows"][0][3] == "Client 3"


def test_the_registry_takes_the_entry(tmp_path: Path) -> None:
    """A third-party linter finds the entry valid by the registry's released schema and rules."""
    python = make_environment(tmp_path / "environment", "skillsaw>=0.22,<0.23")
    place = tmp_path / "entry"
    place.mkdir()
    shutil.copy(SERVER_JSON, place)
    command = [str(python.parent / "skillsaw"), "lint", "--strict", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    entry = json.loads(SERVER_JSON.read_text())
    del entry["version"]
    (place / SERVER_JSON.name).write_text(json.dumps(entry))
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
