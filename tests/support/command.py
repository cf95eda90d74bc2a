"""The command line as tests run it: in this process, in a forked one, or in a new interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest_source.__main__ import DEFAULTS
from harvest_source.cli.progress import MARK
from harvest_source.sandbox import Sandbox
from tests.support.children import COMMAND, REPOSITORY, Child, fork

TOKEN = "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"
ACCOUNT = "SOURCES__HARVEST__ACCOUNT_ID"
API_URL = "SOURCES__HARVEST__API_URL"
ID_URL = "SOURCES__HARVEST__ID_URL"


@dataclass(frozen=True)
class Result:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> str:
        """stderr without the progress lines that a slow machine prints."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(MARK))

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON object."""
        return json.loads(self.out)


Run = Callable[..., Result]
"""Runs the command in this process; the fixtures ``bare`` and ``run``."""
Start = Callable[..., Sandbox]
"""Starts a sandbox and points the settings at it; the fixture ``start``."""


def build_settings(server: Sandbox) -> dict[str, str]:
    """The environment of a person whose account *server* simulates."""
    return {
        API_URL: server.api_url,
        ID_URL: server.id_url,
        ACCOUNT: str(server.account_id),
        TOKEN: server.token,
    }


def build_environment(folder: Path) -> dict[str, str]:
    """dlt's own settings for a run that writes nothing outside *folder*."""
    return {
        **DEFAULTS,
        "DLT_DATA_DIR": str(folder / "dlt"),
        "PYTHONPATH": str(REPOSITORY),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "NO_PROXY": "127.0.0.1",
    }


def start_command(
    *arguments: str,
    folder: Path,
    settings: Mapping[str, str],
    call: str = COMMAND,
    stderr: int | None = None,
) -> Child:
    """Start ``harvest-source`` in its own process in *folder*; see :func:`fork`."""
    environment = {**clean_environment(), **build_environment(folder), **settings}
    return fork(*arguments, folder=folder, environment=environment, call=call, stderr=stderr)


def run_command(
    *arguments: str,
    folder: Path,
    settings: Mapping[str, str],
    call: str = COMMAND,
    said: str = "",
) -> Result:
    """Run ``harvest-source`` in its own process to its end, with *said* on stdin."""
    child = start_command(*arguments, folder=folder, settings=settings, call=call)
    out, err = child.communicate(said, timeout=120)
    return Result(child.wait(), out, err)


def run_interpreter(
    *arguments: str, folder: Path, settings: Mapping[str, str], module: str = "harvest_source"
) -> Result:
    """Run ``python -m harvest_source``: slow, for tests of imports and of the interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def run_shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command line in which ``harvest`` is our command in a new interpreter."""
    shell = f'harvest() {{ "{sys.executable}" -m harvest_source "$@"; }}; {command}'
    return subprocess.run(
        ["sh", "-c", shell],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def clean_environment() -> dict[str, str]:
    """This process's environment without the developer's real settings."""
    ours = ("SOURCES__", "DESTINATION__", "DLT_", "RUNTIME__", "COLUMNS", "HARVEST_SOURCE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
