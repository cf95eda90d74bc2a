"""Settings that cannot be read, and files with secrets that other users can read."""

from __future__ import annotations

import codecs
import os
import shlex
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harvest_source.dlt_internals import (
    ConfigurationException,
    find_unreadable_files,
    find_unusable_runtime,
    iter_config_files,
)
from harvest_source.errors import ConfigError, printable

_SECRETS: Final = "secrets.toml"

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (codecs.BOM_UTF8, "UTF-8 with a byte order mark"),
)
"""
Byte order marks that Windows editors and PowerShell write. UTF-32 comes first, because its mark
begins with that of UTF-16.
"""

_SAVE_AS: Final = (
    "Save it as UTF-8 without a byte order mark: in an editor by 'Save as', in PowerShell 7 with "
    "-Encoding utf8NoBOM."
)


def explain_unreadable(error: ConfigurationException) -> str:
    """
    Which settings file dlt cannot read, and why, without quoting its content.

    Returns:
        An empty text if *error* has another cause.
    """
    found = (_explain(path) for path in find_unreadable_files(error) if path.is_file())
    return next((why for why in found if why), "")


def check_runtime() -> None:
    """
    Refuse settings of ``[runtime]`` with which dlt cannot start: everything else needs dlt.

    Raises:
        ConfigError: Names the setting and its place, and never repeats the value: the address of a
            log service contains a key.
    """
    found = find_unusable_runtime()
    if found is None:
        return
    what = (
        f"dlt's setting {found.name} cannot be used ({found.place})"
        if found.name
        else (
            "dlt cannot start with its settings in [runtime] of .dlt/config.toml and in variables "
            "RUNTIME__..."
        )
    )
    msg = (
        f"{what}: {printable(found.why).rstrip('.')}. No table was read and nothing changed. "
        "Correct or remove it, or unset it for this command."
    )
    raise ConfigError(msg)


def check_folder_access() -> None:
    """
    Refuse settings that dlt would ignore silently: in a folder that this user cannot access, or
    under a name that is not a file.

    Without the file, ``exclude`` would not apply, for example, and the columns would be loaded.

    Raises:
        ConfigError: There is such a folder or name; the message names it.
    """
    for path in iter_config_files():
        try:
            mode = path.stat().st_mode
        except PermissionError as error:
            msg = (
                f"{path.parent} cannot be read ({error.strerror}), and it may contain settings. "
                "Have its owner give this user the right: chmod u+rx "
                f"{shlex.quote(str(path.parent))}; or work in another folder."
            )
            raise ConfigError(msg) from error
        except OSError:
            mode = 0  # The file does not exist, or reading it will report the error.
        if what := _describe_other(path, mode):
            msg = (
                f"{path} {what}, so no settings are read from there. Put the file there, or remove "
                "what is in its place."
            )
            raise ConfigError(msg)


def _describe_other(path: Path, mode: int) -> str:
    """What is at the place of a settings file instead of one; empty if it is a file or nothing."""
    if not mode:
        if path.is_symlink():
            return "is a link to a file that does not exist"
        return f"cannot exist: {path.parent} is not a folder" if path.parent.is_file() else ""
    if stat.S_ISDIR(mode):
        # Docker makes a folder in place of a file that is to be mounted and does not exist.
        return "is a folder"
    # A link to /dev/null, a character device, is a usual way to have no settings.
    return "" if stat.S_ISREG(mode) or stat.S_ISCHR(mode) else "is not a file"


def iter_open_secrets() -> Iterator[str]:
    """Yield a warning for each file of secrets that every user of the machine can read."""
    if os.name != "posix":
        return
    for path in iter_config_files():
        if path.name == _SECRETS and path.is_file():
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & stat.S_IROTH:
                yield (
                    f"{path} can be read by every user of this machine (mode {mode:04o}), and it "
                    f"contains secrets. Restrict it: chmod 600 {shlex.quote(str(path))}"
                )


def _explain(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}). Give this user the right to read it."
    marked = (name for mark, name in _MARKS if content.startswith(mark))
    if name := next(marked, "UTF-16" if b"\0" in content else ""):
        return f"{path} is in {name}, and settings are read as plain UTF-8. {_SAVE_AS}"
    try:
        tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"{path} is not in UTF-8 (line {line}). {_SAVE_AS}"
    except tomllib.TOMLDecodeError as error:
        return f"{path} is not TOML: {error}. Correct it there."
    return ""
