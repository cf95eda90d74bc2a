"""Paths that people write, read by one rule wherever they are written."""

from __future__ import annotations

from pathlib import Path

from harvest_source.errors import ConfigError, printable


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
