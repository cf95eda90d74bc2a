"""A keyring for tests: a file that no other program reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend

FILE = "DRAWER_FILE"
"""The variable that names the file."""


class Drawer(KeyringBackend):
    """Keeps passwords in that file."""

    priority = 5

    def _read(self) -> dict[str, str]:
        path = Path(os.environ[FILE])
        found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        kept = self._read() | {f"{service} {username}": password}
        Path(os.environ[FILE]).write_text(json.dumps(kept))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._read()
        del kept[f"{service} {username}"]
        Path(os.environ[FILE]).write_text(json.dumps(kept))
