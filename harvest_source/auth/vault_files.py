"""The vault on disk: a private folder with one file per profile, and its locks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import platformdirs
from filelock import FileLock, Timeout

from harvest_source.auth.private_files import (
    check_no_folder,
    check_private,
    check_private_file,
    make_folder,
    write_private,
)
from harvest_source.auth.profiles import check_profile
from harvest_source.auth.sealing import FORMAT, build_damage_error
from harvest_source.errors import BusyError, ConfigError, SignInError, describe_os_error, printable

_LOCK_S: Final = 150.0
"""Seconds to wait for another process: longer than renewing a token can take."""

_SUFFIX: Final = ".vault"
_CHECK_SUFFIX: Final = ".look"
"""As in earlier versions, whose files are read."""


class NoFolderError(ConfigError):
    """
    There is no folder for a vault; the message names the setting for one.

    Attributes:
        why: What is missing, as the end of a sentence.
    """

    def __init__(self, why: str) -> None:
        super().__init__(
            f"There is no folder to keep sign-ins in: {why}. Set vault_path under "
            "[sources.harvest] to a folder that this user can write."
        )
        self.why = why


def _find_data_folder() -> Path:
    return platformdirs.user_data_path("harvest-source", appauthor=False)


def default_folder(find_data_folder: Callable[[], Path] = _find_data_folder) -> Path:
    """
    The default folder of the vault.

    Raises:
        NoFolderError: The user has no home folder: neither ``HOME`` nor an entry in the system's
            user database, as in a container that runs under a numeric user id.
    """
    try:
        folder = find_data_folder()
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # Older platformdirs return a ~ that could not be expanded.
        raise NoFolderError("this user has no home folder (HOME is not set)")
    return folder / "vault"


class VaultFiles:
    """
    The files of one vault, with sealed logins. Nothing is created before the first use.

    Args:
        folder: Must be private to its owner.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def profiles(self) -> list[str]:
        """
        The profiles with a login, sorted by name.

        Raises:
            ConfigError: The folder cannot be listed; it does not count as empty.
        """
        try:
            names = [path.name for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            msg = f"The vault {self.folder} cannot be listed ({error.strerror})."
            raise ConfigError(msg) from error
        return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))

    def forget(self, profile: str) -> bool:
        """
        Remove a profile's logins and its last check; returns whether there were any logins.

        Raises:
            ConfigError: They cannot be removed.
        """
        removed = [_remove(path) for path in (self._path(profile), self.locate_last_check(profile))]
        return removed[0]

    def locate_last_check(self, profile: str) -> Path:
        """The file of :mod:`harvest_source.auth.last_check` for *profile*; it may not exist."""
        return self.folder / f"{check_profile(profile)}{_CHECK_SUFFIX}"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """
        Lock *name*, a profile or a name that begins with a dot, against other processes.

        Raises:
            BusyError: Another process holds the lock for too long.
            ConfigError: The folder is accessible to other users, or the lock is a folder.
            SignInError: The folder cannot be written.
        """
        path = self.folder / f"{name}.lock"
        check_no_folder(path, "locked")
        lock = FileLock(path, timeout=_LOCK_S, mode=0o600)
        try:
            make_folder(self.folder)
            lock.acquire()
        except Timeout as error:
            msg = (
                f"Another process has held {path} for {_LOCK_S:.0f} s. Wait for "
                "it, or end it, and run the same command again."
            )
            raise BusyError(msg) from error
        except OSError as error:
            msg = (
                f"The vault {self.folder} cannot be written "
                f"({printable(describe_os_error(error))}). Set vault_path under "
                "[sources.harvest] to a folder that this user can write."
            )
            raise SignInError(msg) from error
        try:
            yield
        finally:
            lock.release()

    def find_barrier(self) -> str:
        """Why the folder cannot be read; empty if it can, or if it does not exist yet."""
        try:
            is_in_the_way = self.folder.exists() and not self.folder.is_dir()
        except OSError as error:
            return f"{self.folder} cannot be accessed ({describe_os_error(error)})"
        return f"{self.folder} is not a folder" if is_in_the_way else ""

    def check_writable(self) -> str:
        """Create the folder; return why it cannot be written, or an empty text."""
        if why := self.find_barrier():
            return why
        try:
            make_folder(self.folder)
        except OSError as error:
            return describe_os_error(error)
        return "" if os.access(self.folder, os.W_OK) else "it is read-only"

    def load(self, profile: str) -> dict[str, Any]:
        """
        The sealed logins of *profile*, by account; empty if it has none.

        Raises:
            ConfigError: The folder or file is accessible to other users, or cannot be read.
            SignInError: The file is not a vault file.
        """
        if why := self.find_barrier():
            raise NoFolderError(why)
        check_private(self.folder)
        path = self._path(profile)
        check_private_file(path)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise build_damage_error(profile, "its file is not a vault file") from error
        except OSError as error:
            msg = f"The vault's file {path} cannot be read ({error.strerror})."
            raise ConfigError(msg) from error
        logins = content.get("logins") if isinstance(content, dict) else None
        if not isinstance(logins, dict) or content.get("format") != FORMAT:
            raise build_damage_error(
                profile, "its file has a version that this program does not know"
            )
        return logins

    def store(self, profile: str, logins: Mapping[str, Any]) -> None:
        """Write the sealed *logins* of *profile*; they are on disk when this returns."""
        make_folder(self.folder)
        content = {"format": FORMAT, "profile": profile, "logins": logins}
        write_private(self._path(profile), json.dumps(content, indent=1).encode())

    def _path(self, profile: str) -> Path:
        return self.folder / f"{check_profile(profile)}{_SUFFIX}"


def _remove(path: Path) -> bool:
    """
    Remove a file; returns whether it was there.

    Raises:
        ConfigError: It cannot be removed.
    """
    check_no_folder(path, "removed")
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        msg = f"{path} cannot be removed ({error.strerror}). Remove it yourself."
        raise ConfigError(msg) from error
    return True
