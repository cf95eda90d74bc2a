"""
The files of ``pipelines/agents``, run unchanged: ``pytest -m agents``.

Each framework is in its own environment and talks to this ``harvest-source`` over stdio. Where the
framework has a model that follows a script, that model is used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.children import REPOSITORY
from tests.support.environments import make_environment
from tests.support.questions import make_warehouse

pytestmark = pytest.mark.agents

EXAMPLES = REPOSITORY / "pipelines" / "agents"
SCRIPTS = Path(__file__).parent / "scripts"
FRAMEWORKS = {
    "pydantic_ai": ("pydantic-ai-slim[mcp]>=2.68,<3",),
    "openai_agents": ("openai-agents>=0.24,<0.25",),
    # Requires mcp 1.x, so it cannot share an environment with the server.
    "langchain": ("langchain>=1.5,<2", "langchain-mcp-adapters>=0.3.2,<0.4"),
}
"""What each framework needs; tested with the lowest of these versions."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the small warehouse under its default name."""
    make_warehouse(tmp_path / "harvest_data.duckdb")
    return tmp_path


def run(folder: Path, python: Path | str, *arguments: Path | str) -> str:
    """Run a script in *folder*, with this environment's ``harvest-source`` on the path."""
    ours = str(Path(sys.executable).parent)
    done = subprocess.run(
        [python, *arguments],
        cwd=folder,
        env={"PATH": f"{ours}:{os.environ['PATH']}", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_model_finds_its_answer(
    folder: Path, framework: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """
    A scripted model gets the clients' names.

    With Pydantic AI and LangChain it asks for a wrong column first, and corrects it from the error
    message; with OpenAI Agents it fills in every argument, as a strict schema demands.
    """
    place = tmp_path_factory.mktemp("environments") / framework
    python = make_environment(place, *FRAMEWORKS[framework])
    out = run(
        folder, python, SCRIPTS / f"run_{framework}.py", EXAMPLES / f"ask_with_{framework}.py"
    )
    assert json.loads(out) == [["Client 0"], ["Client 1"]]


def test_a_fastmcp_client(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The client of FastMCP 4 sums time."""
    python = make_environment(tmp_path_factory.mktemp("environments") / "fastmcp", "fastmcp>=4,<5")
    assert "'client_name': 'Client 4'" in run(folder, python, EXAMPLES / "ask_with_fastmcp.py")


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_the_protocols_own_client(folder: Path, era: str) -> None:
    """Plain Python lists the clients' hours in both eras of the protocol."""
    out = run(folder, sys.executable, EXAMPLES / "ask_with_mcp.py", era)
    assert "'client_name': 'Client 4'" in out
