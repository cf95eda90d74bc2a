"""
Build what others install the server for agents with: ``python -m tests.agents.bundle FOLDER``.

Writes ``server.json``, the MCP registry's entry, and ``harvest-source.mcpb``, the bundle that
Claude's desktop program installs at a click. The bundle contains this package as a wheel; uv
installs its dependencies when the bundle is opened. Needs npm, for the bundle's own tool.
``tests/agents/test_bundle.py`` checks both files.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from harvest_source._version import __version__
from harvest_source.ask.mcp.tools import TOOLS
from harvest_source.defaults import DATABASE
from tests.support.children import REPOSITORY

TOOL: Final = "@anthropic-ai/mcpb@2.1.2"
SERVER_JSON: Final = REPOSITORY / "server.json"
NAME: Final = "io.github.harvest-source/harvest-source"
"""The registry name. A publisher must own the part before the slash, and writes their own."""
DESCRIPTION: Final = "Ask a local copy of a Harvest account, read-only: hours, money, budgets, SQL."
_DATABASE: Final = "The DuckDB file that harvest-source sync fills."


def build_server_json() -> dict[str, Any]:
    """The entry of the registry: one package, started by ``uvx``."""
    package = {
        "registryType": "pypi",
        "identifier": "harvest-source",
        "version": __version__,
        "runtimeHint": "uvx",
        "runtimeArguments": [
            {"type": "named", "name": "--with", "value": f"harvest-source[mcp]=={__version__}"}
        ],
        "packageArguments": [
            {"type": "positional", "value": "mcp"},
            {
                "type": "named",
                "name": "--database",
                "description": _DATABASE,
                "format": "filepath",
                "default": DATABASE,
                "isRequired": True,
            },
        ],
        "transport": {"type": "stdio"},
    }
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": NAME,
        "title": "Harvest warehouse",
        "description": DESCRIPTION,
        "version": __version__,
        "packages": [package],
    }


def build_manifest(wheel: str) -> dict[str, Any]:
    """The bundle's manifest."""
    run = ["run", "--directory", "${__dirname}", "harvest-source", "mcp"]
    return {
        "manifest_version": "0.4",
        "name": "harvest-source",
        "display_name": "Harvest warehouse",
        "version": __version__,
        "description": DESCRIPTION,
        "author": {"name": "The authors of harvest-source"},
        "license": "Apache-2.0",
        "keywords": ["harvest", "time tracking", "duckdb"],
        "server": {
            "type": "uv",
            "entry_point": wheel,
            "mcp_config": {
                "command": "uv",
                "args": [*run, "--database", "${user_config.database}"],
            },
        },
        "tools": [{"name": tool.name, "description": tool.description} for tool in TOOLS.values()],
        "prompts_generated": True,
        "user_config": {
            "database": {
                "type": "file",
                "title": "Warehouse",
                "description": _DATABASE,
                "required": True,
            }
        },
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": ">=3.11"},
        },
    }


def build_project(wheel: str) -> str:
    """The project file from which uv installs the bundle when it is opened."""
    return (
        '[project]\nname = "harvest-bundle"\n'
        f'version = "{__version__}"\nrequires-python = ">=3.11"\n'
        'dependencies = ["harvest-source[mcp]"]\n\n'
        f'[tool.uv.sources]\nharvest-source = {{ path = "{wheel}" }}\n'
    )


def write_server_json() -> None:
    """Write ``server.json`` into the repository."""
    SERVER_JSON.write_text(json.dumps(build_server_json(), indent=2) + "\n")


def build_bundle(folder: Path) -> Path:
    """Build the wheel, and the bundle, which its own tool validates and packs; return the path."""
    bundle = folder / "harvest-source.mcpb"
    with tempfile.TemporaryDirectory() as place:
        inside = Path(place) / "bundle"
        inside.mkdir()
        build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w"]
        if uv := shutil.which("uv"):  # An environment that uv made has no pip.
            build = [uv, "build", "-q", "--wheel", "-o"]
        subprocess.run([*build, str(inside), str(REPOSITORY)], check=True)
        (wheel,) = (each.name for each in inside.glob("*.whl"))
        (inside / "manifest.json").write_text(json.dumps(build_manifest(wheel), indent=2))
        (inside / "pyproject.toml").write_text(build_project(wheel))
        subprocess.run(["npm", "install", "--silent", "--prefix", place, TOOL], check=True)
        tool = str(Path(place) / "node_modules" / ".bin" / "mcpb")
        subprocess.run([tool, "validate", str(inside / "manifest.json")], check=True)
        subprocess.run([tool, "pack", str(inside), str(bundle)], check=True)
    return bundle


def main() -> None:
    """Write ``server.json`` and the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="Where the bundle is written.")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write_server_json()
    print(SERVER_JSON)
    print(build_bundle(folder))


if __name__ == "__main__":
    main()
