"""A person at a shell: an empty folder, settings in the environment, a sandbox for Harvest."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvest_source.cli import main as cli
from harvest_source.sandbox import ManualClock, OAuth, Sandbox
from tests.support.command import (
    ACCOUNT,
    TOKEN,
    Result,
    Run,
    Start,
    build_environment,
    build_settings,
    clean_environment,
)
from tests.support.dlt_project import enter_project
from tests.support.signing import Say, app_settings


@pytest.fixture(scope="session")
def shared() -> Iterator[Sandbox]:
    """A small account that no test changes."""
    with Sandbox(entries=60, limit=False).start() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, with dlt's own files beside it."""
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name, value in build_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with enter_project(home):
        yield home


@pytest.fixture
def bare(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command with no settings at all."""
    assert folder.is_dir()

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def run(bare: Run, shared: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with settings for the shared sandbox."""
    for name, value in build_settings(shared).items():
        monkeypatch.setenv(name, value)
    return bare


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a separate sandbox and point the settings at it."""
    running: list[Sandbox] = []

    def begin(**fields: Any) -> Sandbox:
        given: dict[str, Any] = {"entries": 40, "clock": ManualClock(), "limit": False}
        running.append(Sandbox(**{**given, **fields}).start())
        for name, value in build_settings(running[-1]).items():
            monkeypatch.setenv(name, value)
        return running[-1]

    yield begin
    for server in running:
        server.stop()


@pytest.fixture
def office(folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox that consents by itself; an app is configured, and no person has signed in."""
    assert folder.is_dir()
    server = start(oauth=OAuth(auto="approve"))
    monkeypatch.delenv(TOKEN)
    monkeypatch.delenv(ACCOUNT)
    for name, value in app_settings(server).items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def say(bare: Run, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command with given text on its stdin."""

    def run(text: str, *arguments: str) -> Result:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return bare(*arguments)

    return run
