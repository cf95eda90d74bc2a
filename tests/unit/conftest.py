"""Shared by tests without a server: a configuration with only what the test sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harvest_source.auth.vault_keys import VARIABLE
from tests.support.configuration import Configure


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """
    Set keys of ``[sources.harvest]``, or of a profile: ``configure("work", account_id="2")``.

    Nothing else is configured: this machine's settings, keyring and vault are not used.
    """
    for name in os.environ:
        if name.startswith("SOURCES__"):
            monkeypatch.delenv(name)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("SOURCES__HARVEST__VAULT_PATH", str(tmp_path / "vault"))

    def set_keys(profile: str = "", **values: str) -> None:
        section = f"PROFILES__{profile}__" if profile else ""
        for name, value in values.items():
            monkeypatch.setenv(f"SOURCES__HARVEST__{section}{name}".upper(), value)

    return set_keys
