"""Unreadable settings files: which file it is, and why."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.toml import TomlProviderReadException

from harvest_source.config.settings_files import (
    check_folder_access,
    check_runtime,
    explain_unreadable,
)
from harvest_source.errors import ConfigError
from tests.support.dlt_project import enter_project

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


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which dlt looks for settings files, until the test ends."""
    with enter_project(tmp_path):
        yield tmp_path


def put_in_place(path: Path, what: str) -> None:
    """Put something at the place of a settings file."""
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "lost":
        path.symlink_to("/nowhere/config.toml")
    elif what == "null":
        path.symlink_to(os.devnull)
    else:
        path.parent.rmdir()
        path.parent.write_text(TEXT)


@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "lost", "file above"])
@pytest.mark.parametrize("name", ["config.toml", "secrets.toml"])
def test_a_settings_file_that_is_none_is_refused(folder: Path, name: str, what: str) -> None:
    """dlt takes it for a missing file: ``exclude`` would not apply, and salaries be loaded."""
    path = folder / ".dlt" / name
    put_in_place(path, what)
    with pytest.raises(ConfigError, match="no settings are read from there") as caught:
        check_folder_access()
    assert str(path.parent) in str(caught.value)


def test_a_link_to_the_null_device_is_an_empty_file(folder: Path) -> None:
    """It is a usual way to say that there are no settings."""
    put_in_place(folder / ".dlt" / "config.toml", "null")
    check_folder_access()


@pytest.fixture
def no_dlt(monkeypatch: pytest.MonkeyPatch) -> None:
    """dlt as in a process that has not used it yet."""
    empty: dict[int, Any] = {Container._MAIN_THREAD_ID: ({}, threading.RLock())}
    monkeypatch.setattr(Container(), "thread_contexts", empty)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("RUNTIME__LOG_FORMAT", "%(message)s", "invalid format"),
        ("RUNTIME__REQUEST_TIMEOUT", "long", "dlt needs a number"),
        ("RUNTIME__LOG_LEVEL", "info", "Unknown level"),
    ],
)
@pytest.mark.usefixtures("no_dlt")
def test_a_setting_with_which_dlt_cannot_start_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    """Python's logging or a missing library raises before any setting of ours is read."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"{variable} in the environment") as caught:
        check_runtime()
    assert why in str(caught.value)
