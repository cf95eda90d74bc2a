"""Unreadable settings files: which file it is, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from dlt.common.configuration.providers.toml import TomlProviderReadException

from harvest_source.config.settings_files import explain_unreadable

SECRET = "1.pt.secret"
TEXT = f'[sources.harvest.credentials]\naccess_token = "{SECRET}"\n# Zürich\n'


def refuse(*paths: Path) -> TomlProviderReadException:
    """dlt's error from a provider that reads *paths*."""
    names = [str(path) for path in paths]
    return TomlProviderReadException("secrets.toml", "secrets.toml", names, "unreadable")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode("utf-16"), "is in UTF-16"),
        (TEXT.encode("utf-16-be"), "is in UTF-16"),
        (TEXT.encode("utf-32"), "is in UTF-32"),
        (TEXT.encode("utf-8-sig"), "is in UTF-8 with a byte order mark"),
        (TEXT.encode("latin-1"), "is not in UTF-8 (line 3)"),
        (f'access_token = "{SECRET}\n'.encode(), "is not TOML: Illegal character"),
    ],
    ids=["16", "16-be", "32", "8-sig", "latin-1", "toml"],
)
def test_an_unreadable_file_is_named_by_its_path(tmp_path: Path, content: bytes, says: str) -> None:
    """The file is named by its absolute path beside a readable one; its text is not repeated."""
    good, bad = tmp_path / "good.toml", tmp_path / "secrets.toml"
    good.write_text(TEXT, encoding="utf-8")
    bad.write_bytes(content)
    why = explain_unreadable(refuse(tmp_path / "absent.toml", good, bad))
    assert why.startswith(f"{bad} ")
    assert says in why
    assert SECRET not in why


def test_an_error_without_an_unreadable_file_is_unchanged(tmp_path: Path) -> None:
    """If all files are readable, dlt's own message remains."""
    assert explain_unreadable(refuse(tmp_path / "absent.toml")) == ""
