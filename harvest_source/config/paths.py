"""Paths that users write, parsed by one rule everywhere."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from harvest_source.defaults import DATABASE
from harvest_source.errors import ConfigError, describe_os_error, printable

_ADDRESS: Final = re.compile(
    r"(:memory:|(duckdb|file|md|motherduck|postgres(ql)?|sqlite):|[a-z][a-z0-9+.-]+:/)",
    re.IGNORECASE,
)
"""
Beginnings of texts that other programs take for a database address. A single letter with a colon is
a Windows drive, and any other word with a colon may be a file name.
"""

_NAME_BYTES: Final = 240
"""Longest file name, in bytes. File systems allow 255, and DuckDB appends suffixes."""

_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def parse_path(value: str | Path, name: str) -> Path:
    """
    An absolute path; a leading ``~`` or ``~user`` is replaced by the home folder.

    A shell replaces ``~`` only if it is not quoted, and a settings file has no shell.

    Args:
        name: The setting's name, for the message.

    Raises:
        ConfigError: The path is empty or of another type, or begins with ``~`` and there is no such
            home folder.
    """
    if not isinstance(value, str | Path):  # A caller's in Python.
        kind = printable(type(value).__name__, limit=40)
        msg = f"{name} is a path, as text or as a Path object, and {kind} was given."
        raise ConfigError(msg)
    if not str(value).strip():
        msg = f"{name} is empty. Set it to a path, or leave it out."
        raise ConfigError(msg)
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as error:
        msg = (
            f"{name} is {printable(value, limit=80)}, but the home folder at its beginning is not "
            "known: HOME is not set, or there is no such user. Write the whole path."
        )
        raise ConfigError(msg) from error


def parse_file(value: str | Path, name: str, *, beginning: bytes) -> Path:
    """
    The path of a file to write, as :func:`parse_path`.

    Args:
        beginning: As for :func:`check_kind`.

    Raises:
        ConfigError: As :func:`parse_path` and :func:`check_kind`; or the path is a folder, or its
            folder does not exist.
    """
    path = parse_path(value, name)
    found = read_status(path, name)
    if found is not None and stat.S_ISDIR(found.st_mode):
        msg = f"{name} is {printable(path)}, which is a folder. Name a file in it."
        raise ConfigError(msg)
    if not path.parent.is_dir():
        msg = (
            f"{name} is {printable(path)}, but its folder does not exist. Make it, or name a file "
            "in another folder."
        )
        raise ConfigError(msg)
    check_kind(path, name, beginning=beginning)
    return path


def check_kind(path: Path, name: str, *, beginning: bytes) -> None:
    """
    Refuse to write over a file of another kind, such as a warehouse named by mistake.

    Args:
        name: The setting's name, for the message.
        beginning: What a file of the kind begins with, in lower case. Empty files are of any kind.

    Raises:
        ConfigError: The file begins otherwise.
    """
    try:
        if not path.is_file():  # Reading a named pipe would wait for a writer.
            return
        with path.open("rb") as file:
            found = file.read(len(beginning))
    except OSError:
        return  # The code that writes the file reports what is wrong with it.
    if found and found.lower() != beginning:
        msg = (
            f"{name} is {printable(path)}, a file with other content, which would be lost. Name "
            "another file, or move this one away."
        )
        raise ConfigError(msg)


def read_status(path: Path, name: str) -> os.stat_result | None:
    """
    Size and kind of the file at *path*; None if there is no such file.

    Raises:
        ConfigError: There cannot be one.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        why = describe_os_error(error) if isinstance(error, OSError) else str(error)
        msg = (
            f"{name} is {printable(path, limit=80)}, which cannot be a file here ({why}). Name "
            "another file."
        )
        raise ConfigError(msg) from error


def check_database(path: str | Path) -> Path:
    """
    Return *path* unchanged if it can be the path of a DuckDB file.

    Opens nothing: opening a named pipe would block until another process writes to it. The code
    that opens the file refuses folders and files that are no DuckDB database.

    Raises:
        ConfigError: It is empty or an address, cannot be a file name, or is a pipe, a socket or a
            device.
    """
    if isinstance(path, str) and not path.strip():
        msg = f"--database has an empty value. Name a DuckDB file, or leave it out for {DATABASE}."
        raise ConfigError(msg)
    shown = printable(path, limit=80)
    if _ADDRESS.match(str(path)):
        msg = (
            f"--database is {shown}, but it has to be the path of a DuckDB file, such as "
            "harvest_data.duckdb. Tables are kept in a file; other databases are chosen with "
            "--destination. For a file with exactly this name: ./NAME."
        )
        raise ConfigError(msg)
    try:
        size = len(Path(path).name.encode())
        str(path).encode()
    except UnicodeEncodeError as error:
        msg = f"--database is {shown!a}, which is not text in UTF-8. Give the file another name."
        raise ConfigError(msg) from error
    found = read_status(Path(path), "--database")
    if found is None:
        if size > _NAME_BYTES:
            msg = f"--database has a name of {size} bytes. Choose one of at most {_NAME_BYTES}."
            raise ConfigError(msg)
        return Path(path)  # The caller creates the file, or reports that it is missing.
    for is_kind, kind in _KINDS:
        if is_kind(found.st_mode):
            msg = f"{shown} is {kind}, not a DuckDB file. Name another file with --database."
            raise ConfigError(msg)
    return Path(path)
