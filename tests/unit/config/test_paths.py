"""Paths that people write."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from harvest_source.ask import list_tables
from harvest_source.config.paths import check_database, check_kind, parse_file
from harvest_source.errors import ConfigError
from harvest_source.warehouse.duckdb_errors import is_duckdb
from harvest_source.warehouse.target import build_target


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        ":memory:",
        ":memory:x",
        "duckdb:n.duckdb",
        "duckdb:///q.duckdb",
        "DuckDB:x",
        "md:x",
        "s3://b/x",
    ],
)
def test_an_address_is_not_accepted_as_a_file(folder: Path, text: str) -> None:
    """An address would create a file with an odd name, which nothing else opens."""
    with pytest.raises(ConfigError, match="has to be the path of a DuckDB file"):
        build_target("duckdb", text, "harvest", "harvest")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", ["a.duckdb", "./duckdb:n", "at 12:30.duckdb", "C:\\a", "C:/a"])
def test_files_may_have_a_colon(text: str) -> None:
    """A colon may follow a Windows drive, or be part of a name."""
    assert check_database(text) == Path(text)


@pytest.mark.parametrize("text", ["x" * 300, "x" * 250, "\udcff.duckdb", "loop", "a\0b"])
def test_an_invalid_file_name_is_refused(folder: Path, text: str) -> None:
    """A name too long, not UTF-8, or a link to itself is refused before anything is opened."""
    (folder / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match="--database"):
        build_target("duckdb", text, "harvest", "harvest")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


@pytest.mark.parametrize("make", [os.mkfifo, make_socket])
def test_a_path_that_is_not_a_file_is_not_opened(
    folder: Path, make: Callable[[Path], None]
) -> None:
    """Opening a named pipe waits forever for a writer."""
    make(folder / "odd")
    with pytest.raises(ConfigError, match="not a DuckDB file"):
        build_target("duckdb", "odd", "harvest", "harvest")
    with pytest.raises(ConfigError, match="not a DuckDB file"):
        list_tables(warehouse="odd")
    assert not is_duckdb(folder / "odd") or make is make_socket


def test_a_device_is_no_file() -> None:
    """``/dev/null`` looks like an empty file, and must not be removed."""
    with pytest.raises(ConfigError, match="is a device, not a DuckDB file"):
        check_database("/dev/null")


@pytest.mark.parametrize("text", ["x" * 300, "a\0b", 5, b"a.log", None])
def test_what_cannot_be_a_file_is_refused(text: object) -> None:
    """Also of a type that only a caller in Python can give."""
    with pytest.raises(ConfigError, match="access_log is"):
        parse_file(text, "access_log", beginning=b"{")  # type: ignore[arg-type]


def test_only_a_file_of_the_same_kind_is_written(folder: Path) -> None:
    """An empty file is of any kind, and a named pipe is not read: that would wait for a writer."""
    place = folder / "a.log"
    os.mkfifo(folder / "pipe")
    for text in ("", "{}\n", "{"):
        place.write_text(text)
        assert parse_file("a.log", "access_log", beginning=b"{") == place
    for each in ("pipe", "none", "."):
        check_kind(Path(each), "access_log", beginning=b"{")
    place.write_text("Notes")
    with pytest.raises(ConfigError, match=r"access_log is .*a\.log, a file with other content"):
        parse_file("a.log", "access_log", beginning=b"{")
    (folder / "page.html").write_text("<!DOCTYPE HTML>")
    check_kind(folder / "page.html", "page", beginning=b"<!doctype html>")
