"""Files with secrets: what stands in their place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harvest_source.auth.server_tokens import FILE, ServerTokens
from harvest_source.auth.vault_files import VaultFiles
from harvest_source.auth.vault_keys import FilePlace
from harvest_source.errors import ConfigError

READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "vault": ("ada.vault", lambda path: VaultFiles(path.parent).load("ada")),
    "key": ("key", lambda path: FilePlace(path).read()),
    "tokens": (FILE, lambda path: ServerTokens(path.parent, lambda: datetime.now(UTC)).read()),
}


@pytest.mark.parametrize("mode", [0o700, 0o755])
@pytest.mark.parametrize("kind", READERS)
def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, kind: str, mode: int) -> None:
    """The command moves it away; other permissions would not help."""
    name, read = READERS[kind]
    tmp_path.chmod(0o700)
    path = tmp_path / name
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(ConfigError, match="it is a folder, and has to be a file") as caught:
        read(path)
    assert f"mv {path} {path}.folder" in str(caught.value)
