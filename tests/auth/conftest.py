"""A simulated identity host, a vault in its own folder, one clock for both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_keys import VARIABLE, FilePlace, Keys
from harvest_source.sandbox import OAuth, Sandbox
from tests.clocks import START, FakeClock
from tests.support.bench import Bench, Start


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the machine's keyring, keys and proxy."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty vault with its key in a file."""
    folder = tmp_path / "vault"
    return Vault(folder, keys=Keys([FilePlace(folder / "key")], lambda _: None))


@pytest.fixture
def start(vault: Vault) -> Iterator[Start]:
    """Start a sandbox; keyword arguments configure its OAuth."""
    running: list[Sandbox] = []

    def begin(**oauth: Any) -> Bench:
        clock = FakeClock(START)
        server = Sandbox(entries=5, limit=False, clock=clock.now, oauth=OAuth(**oauth)).start()
        running.append(server)
        return Bench(server, vault, clock)

    yield begin
    for server in running:
        server.stop()
