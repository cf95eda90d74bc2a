"""How a dbt that ends early is reported: a small module takes dbt's place in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harvest_source.errors import DestinationError
from harvest_source.operations.dbt_runs import DbtConnection, Node, build

CLI = """
import json, os, pathlib, signal, sys

def write(code):
    target = pathlib.Path(sys.argv[sys.argv.index("--target-path") + 1])
    target.mkdir(parents=True)
    results = [{"unique_id": "model.harvest_source.one", "status": STATUS}]
    (target / "run_results.json").write_text(json.dumps({"results": results}))
    (target / "manifest.json").write_text(json.dumps({"nodes": {}}))
    sys.exit(code)

def cli():
"""


BUILD = """
import sys
from pathlib import Path
from harvest_source.operations.dbt_runs import DbtConnection, build
folder = Path(sys.argv[1])
build(DbtConnection("duckdb", {}), "models", {}, folder / "profile", kept=folder / "kept")
"""


def install_dbt(folder: Path, body: str) -> str:
    """Write a ``dbt.cli.main`` whose ``cli`` has this *body*; returns a path for PYTHONPATH."""
    package = folder / "installed" / "dbt" / "cli"
    package.mkdir(parents=True)
    (package / "main.py").write_text(CLI + "".join(f"    {line}\n" for line in body.splitlines()))
    return str(folder / "installed")


def run_dbt(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> list[Node]:
    """Build with a dbt whose ``cli`` has this *body*."""
    monkeypatch.setenv("PYTHONPATH", install_dbt(folder, body))
    connection = DbtConnection("duckdb", {"path": "x.duckdb"})
    return build(connection, "models", {}, folder / "profile", kept=folder / "kept")


def test_a_dbt_that_is_killed_says_that_some_models_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models that were built before are there: the message must not say that nothing changed."""
    body = "print('3 of 9 OK created', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(DestinationError) as refused:
        run_dbt(tmp_path, body, monkeypatch)
    message = str(refused.value)
    assert "dbt ended on SIGKILL after it had begun 3 of 9 models and tests" in message
    assert "if memory runs out" in message
    assert "nothing changed" not in message


def test_a_dbt_that_is_interrupted_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt then writes results without a failure, and lacks the models that it did not build."""
    body = "global STATUS; STATUS = 'success'\nprint('1 of 9 OK', flush=True)\nwrite(1)"
    with pytest.raises(DestinationError, match="ended with code 1 after it had begun 1 of 9"):
        run_dbt(tmp_path, body, monkeypatch)


def test_dbt_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A dbt that went on alone would write into a warehouse that is no longer locked."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    body = f"with open({str(pipe)!r}, 'w') as pipe:\n  print('up', file=pipe, flush=True)\n"
    installed = install_dbt(tmp_path, body + "  signal.pause()")
    paths = os.pathsep.join((installed, *filter(None, (os.environ.get("PYTHONPATH"),))))
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}
    )
    with pipe.open() as reader:
        assert reader.readline() == "up\n"
        process.kill()
        process.wait()
        assert reader.read() == ""  # Returns when dbt, the only writer, has ended.


def test_a_failure_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt ends with 1 after a failure as well; then its results say which model it was."""
    body = "global STATUS; STATUS = 'error'\nprint('1 of 9 ERROR', flush=True)\nwrite(1)"
    (node,) = run_dbt(tmp_path, body, monkeypatch)
    assert (node.name, node.status) == ("one", "error")


def test_a_dbt_that_cannot_start_changed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first model, nothing has changed; the message repeats what dbt said."""
    with pytest.raises(DestinationError, match=r"nothing changed\. It said: Parsing Error"):
        run_dbt(tmp_path, "print('Parsing Error')\nsys.exit(2)", monkeypatch)
