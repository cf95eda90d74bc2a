"""Paths that people write, read by one rule wherever they are written."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Final

from harvest_source.errors import ConfigError, describe_os_error, printable

_ADDRESS: Final = re.compile(
    r"(:memory:|(duckdb|file|md|motherduck|postgres(ql)?|sqlite):|[a-z][a-z0-9+.-]+:/)",
    re.IGNORECASE,
)
"""
How texts begin that other programs take as the place of a database. A letter alone with a colon is
a drive of Windows, and another word with a colon may be a file's name.
"""

_NAME_BYTES: Final = 240
"""File systems allow 255; DuckDB adds endings."""

_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def parse_path(value: str | Path, name: str) -> Path:
    """
    A path, absolute; ``~`` and ``~user`` at its beginning stand for a home folder.

    A shell replaces ``~`` only where it is not quoted, and a settings file has no shell.

    Args:
        name: The setting's name, for the message.

    Raises:
        ConfigError: It begins with ``~`` and there is no such home folder, or it is empty.
    """
    if not str(value).strip():
        msg = f"{name} is empty. Set it to a path, or leave it out."
        raise ConfigError(msg)
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as error:
        msg = (
            f"{name} is {printable(value, limit=80)}, and the home folder that it begins with is "
            "not known: HOME is not set, or there is no such user. Write the whole path."
        )
        raise ConfigError(msg) from error


def parse_file(value: str | Path, name: str) -> Path:
    """
    The path of a file that is to be written, as :func:`parse_path`.

    Raises:
        ConfigError: As there, or it is a folder, or in a folder that is not there.
    """
    path = parse_path(value, name)
    if path.is_dir():
        msg = f"{name} is {printable(path)}, which is a folder. Name a file in it."
        raise ConfigError(msg)
    if not path.parent.is_dir():
        msg = f"{name} is {printable(path)}, and there is no such folder. Make it: mkdir -p FOLDER"
        raise ConfigError(msg)
    return path


def check_database(path: str | Path) -> Path:
    """
    A path that a DuckDB file can have, as it was given.

    Opens nothing: to open a named pipe is to wait for whatever writes into it. A folder, and a file
    of another kind, are refused by what opens the file.

    Raises:
        ConfigError: It is an address, no name of a file, or names what is neither file nor folder.
    """
    shown = printable(path, limit=80)
    if _ADDRESS.match(str(path)):
        msg = (
            f"--database is {shown}, and it takes the path of a DuckDB file, such as "
            "harvest_data.duckdb. Tables are kept in a file; other databases are named with "
            "--destination. A file of this very name: ./NAME."
        )
        raise ConfigError(msg)
    try:
        size = len(Path(path).name.encode())
        str(path).encode()
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if size > _NAME_BYTES:
            msg = f"--database is a name of {size} bytes. Choose one of {_NAME_BYTES} at most."
            raise ConfigError(msg) from None
        return Path(path)  # To be made, or missed by what reads it.
    except UnicodeEncodeError as error:
        msg = f"--database is {shown!a}, which is not text in UTF-8. Give the file another name."
        raise ConfigError(msg) from error
    except (OSError, ValueError) as error:
        why = describe_os_error(error) if isinstance(error, OSError) else str(error)
        msg = f"--database is {shown}, which cannot be a file here ({why}). Name another file."
        raise ConfigError(msg) from error
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            msg = f"{shown} is {kind}, and no DuckDB file. Name another file with --database."
            raise ConfigError(msg)
    return Path(path)
