"""Commands that install missing packages into the running environment."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from typing import Final

_DISTRIBUTION: Final = "harvest-source"


def build_install_command(requirements: Iterable[str]) -> str:
    """
    The command that installs *requirements* into the environment of this package.

    It names the environment's interpreter, because a bare ``pip`` may belong to another one.
    """
    python = shlex.quote(sys.executable)
    named = " ".join(map(shlex.quote, requirements))
    if importlib.util.find_spec("pip") is not None:
        return f"{python} -m pip install {named}"
    if shutil.which("uv"):  # An environment made by uv has no pip.
        return f"uv pip install --python {python} {named}"
    return f"{python} -m ensurepip && {python} -m pip install {named}"


def build_extra_command(extra: str) -> str:
    """
    The command that installs the requirements of this package's *extra*.

    It names the libraries themselves: this package is not on PyPI, and the folder or file it was
    installed from may be gone.
    """
    return build_install_command(_find_requirements(extra))


def _find_requirements(extra: str) -> list[str]:
    try:
        declared = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:  # Runs from a checkout, not installed.
        declared = []
    found = []
    for each in declared:
        requirement, _, marker = each.partition(";")
        if marker.replace('"', "'").strip() == f"extra == '{extra}'":
            found.append(requirement.strip())
    return found or [f"{_DISTRIBUTION}[{extra}]"]
