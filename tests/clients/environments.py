"""An environment for each set of packages, made once and kept in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clients.matrix import Client
from tests.support.children import REPOSITORY

SCRIPTS = Path(__file__).parent / "scripts"


class EnvironmentFailed(Exception):
    """The packages cannot be installed together."""


def make(client: Client, folder: Path) -> tuple[list[str], str]:
    """
    Install what *client* needs.

    Returns:
        The command that runs its script, and the versions that the table shows.

    Raises:
        EnvironmentFailed: The packages cannot be installed; the message is one line.
    """
    digest = hashlib.blake2b(repr(client.packages).encode(), digest_size=6).hexdigest()
    place = folder / f"{client.script.partition('.')[0]}-{digest}"
    return _make_node(client, place) if client.is_node else _make_python(client, place)


def _make_python(client: Client, place: Path) -> tuple[list[str], str]:
    python = place / "bin" / "python"
    pip = [str(python), "-m", "pip"]
    install = [*pip, "install", "-q", "--disable-pip-version-check"]
    make, freeze = [sys.executable, "-m", "venv", str(place)], [*pip, "list", "--format=json"]
    if uv := shutil.which("uv"):  # Takes seconds instead of a minute.
        make = [uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)]
        install = [uv, "pip", "install", "-q", "--python", str(python)]
        freeze = [uv, "pip", "list", "--format=json", "--python", str(python)]
    is_ours = str(REPOSITORY) in client.packages  # Installed again each time, as it is now.
    if is_ours or not (place / "made").exists():
        _run(make)
        _run([*install, *client.packages])
        (place / "made").touch()
    versions = {each["name"]: each["version"] for each in json.loads(_run(freeze))}
    shown = ", ".join(f"{name} {versions.get(name, '?')}" for name in client.shown)
    return [str(python), "-W", "ignore", str(SCRIPTS / client.script)], shown


def _make_node(client: Client, place: Path) -> tuple[list[str], str]:
    if not (place / "made").exists():
        place.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--silent", "--prefix", str(place), *client.packages])
        (place / "made").touch()
    # node looks for packages beside the script.
    for script in (client.script, "tasks.cjs"):
        shutil.copy(SCRIPTS / script, place)
    versions = [
        json.loads((place / "node_modules" / name / "package.json").read_text())["version"]
        for name in client.shown
    ]
    shown = ", ".join(f"{name} {each}" for name, each in zip(client.shown, versions, strict=True))
    return ["node", str(place / client.script)], shown


def _run(command: list[str]) -> str:
    environment = {**os.environ, "VIRTUAL_ENV": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["?"]
        raise EnvironmentFailed(lines[-1][:160])
    return done.stdout
