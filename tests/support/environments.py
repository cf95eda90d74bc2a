"""Environments with other libraries than the tests' own, installed from a package index."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.support.children import REPOSITORY


@cache
def make_environment(place: Path, *packages: str) -> Path:
    """
    Create a new environment in the folder *place*; return its Python.

    Args:
        packages: The arguments of ``pip install``.
    """
    python = place / "bin" / "python"
    pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    make, install = [sys.executable, "-m", "venv", str(place)], [str(python), *pip]
    if uv := shutil.which("uv"):  # Takes seconds instead of a minute.
        make = [uv, "venv", "-q", "--python", sys.executable, str(place)]
        install = [uv, "pip", "install", "-q", "--python", str(python)]
    subprocess.run(make, check=True)
    subprocess.run([*install, *packages], check=True)
    return python


def make_dbt_environment(place: Path, *packages: str) -> Path:
    """Create an environment with this package and its extra ``dbt``; return its Python."""
    return make_environment(place, "-e", f"{REPOSITORY}[dbt]", *packages)


def run_code(
    python: Path, code: str, *arguments: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run *code* in an environment, in *folder*, with none of this process's variables."""
    return subprocess.run(
        [str(python), "-W", "ignore", "-c", code, *arguments],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "CRITICAL",
        },
        capture_output=True,
        text=True,
        check=False,
    )
