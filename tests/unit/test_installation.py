"""The install commands that people are told work in their environment."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import harvest_source
from harvest_source.installation import build_extra_command, build_install_command


def test_the_command_names_this_environment() -> None:
    """``pip`` alone may belong to another environment."""
    words = shlex.split(build_install_command(["dlt[postgres]"]))
    assert sys.executable in words
    assert words[-1] == "dlt[postgres]"


def test_an_extra_is_installed_by_its_requirements() -> None:
    """The package is not on PyPI, so pip would not find ``harvest-source[dev]`` there."""
    words = shlex.split(build_extra_command("dev"))
    assert any(word.startswith("hypothesis") for word in words)
    assert "dlt[postgres]" in words
    assert not any(word.startswith("harvest-source[") for word in words)


def test_no_message_names_this_package_to_pip() -> None:
    """A message takes its command from ``build_extra_command``; a typed one would not work."""
    sources = sorted(Path(harvest_source.__path__[0]).rglob("*.py"))
    assert sources
    assert not [
        str(each)
        for each in sources
        if each.name != "installation.py" and "harvest-source[" in each.read_text(encoding="utf-8")
    ]
