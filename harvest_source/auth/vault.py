"""The vault: saved logins on disk, one file per profile, each login in it sealed separately."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import platformdirs
from filelock import FileLock, Timeout

from harvest_source.api.http_context import ignore_warning
from harvest_source.auth.private_files import check_private, make_folder, write_private
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin, check_profile
from harvest_source.auth.sealing import FORMAT, build_damage_error, seal, unseal
from harvest_source.auth.vault_keys import FilePlace, Keys, find_places
from harvest_source.errors import BusyError, ConfigError

_LOCK_S: Final = 150.0
"""Seconds to wait for another process: longer than it can take to renew a token."""

_SUFFIX: Final = ".vault"


def default_folder() -> Path:
    """Where the vault is unless the configuration says otherwise."""
    return platformdirs.user_data_path("harvest-source", appauthor=False) / "vault"


class Vault:
    """
    The saved logins in one folder. Nothing is created or read before the first use.

    Args:
        folder: Private to its owner.
        keys: None: those of the system.
        on_warning: Called when a new key goes into a file, with what that does not protect from.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keys: Keys | None = None,
        on_warning: Callable[[str], None] = ignore_warning,
    ) -> None:
        self.folder = folder.expanduser().absolute()
        self._keys = keys
        self._on_warning = on_warning

    def __repr__(self) -> str:
        return f"Vault({str(self.folder)!r})"

    @property
    def keys(self) -> Keys:
        """Looked up at the first use: a keyring may take a while, or ask for a password."""
        if self._keys is None:
            self._keys = Keys(find_places(self.folder), self._on_warning)
        return self._keys

    @property
    def key_warning(self) -> str:
        """What the key's place does not protect from; empty when there is nothing to warn of."""
        place = self.keys.place
        return place.warning if isinstance(place, FilePlace) and place.read() else ""

    def profiles(self) -> list[str]:
        """The profiles with a login, sorted by name."""
        return sorted(path.stem for path in self.folder.glob(f"*{_SUFFIX}"))

    def accounts(self, profile: str) -> list[str]:
        """The accounts, as text, that *profile* has logins for."""
        return list(self._load(profile))

    def read(self, profile: str, account: str) -> SavedLogin | None:
        """
        A login; None when there is none.

        Raises:
            ConfigError: The vault is readable by others, or the key is not available.
            SignInError: The login was changed, moved, or is not a login.
        """
        sealed = self._load(profile).get(account)
        if sealed is None:
            return None
        return unseal(sealed, self.keys, profile=profile, account=account)

    def write(self, profile: str, account: str, login: SavedLogin, *, alone: bool = False) -> None:
        """
        Save a login; it is on the disk when this returns. Hold the lock of *profile*.

        Args:
            alone: Forget the profile's other logins, except the configured one.

        Raises:
            ConfigError: The vault is readable by others.
            OSError: It cannot be written; what was there stays.
        """
        others = {
            name: sealed
            for name, sealed in self._load(profile).items()
            if not alone or name == CONFIGURED
        }
        self._store(profile, others | {account: self._seal(profile, account, login)})

    def forget(self, profile: str) -> bool:
        """Remove a profile's logins; returns whether there were any."""
        path = self._path(profile)
        was_there = path.exists()
        path.unlink(missing_ok=True)
        return was_there

    def lock(self, profile: str) -> AbstractContextManager[None]:
        """
        Keep other processes out of *profile*.

        Raises:
            BusyError: Another process holds the lock for too long.
            OSError: The folder cannot be written.
        """
        return self._lock(check_profile(profile))

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Lock *name*: a profile, or a name that begins with a dot, which no profile's does."""
        make_folder(self.folder)
        try:
            with FileLock(self.folder / f"{name}.lock", timeout=_LOCK_S, mode=0o600):
                yield
        except Timeout as error:
            msg = (
                f"Another process has held {self.folder / name}.lock for {_LOCK_S:.0f} s. Wait for "
                "it, or end it, and run the same command again."
            )
            raise BusyError(msg) from error

    def check_writable(self) -> str:
        """Why nothing can be saved here; empty when it can."""
        try:
            make_folder(self.folder)
        except OSError as error:
            return error.strerror or type(error).__name__
        return "" if os.access(self.folder, os.W_OK) else "it is read-only"

    def rotate(self) -> int:
        """
        Seal every login with a new key, then drop the old keys; returns how many logins.

        An interruption leaves every login readable; run it again.

        Raises:
            ConfigError: Only the user can change the key.
            SignInError: A login does not open; the old keys stay.
        """
        with self._lock(".rotation"):
            with self._lock(".key"):
                self.keys.begin_rotation()
            count = sum(self._reseal(profile) for profile in self.profiles())
            with self._lock(".key"):
                self.keys.end_rotation()
        return count

    def _reseal(self, profile: str) -> int:
        with self.lock(profile):
            # All are opened before any is sealed: one that does not open changes nothing.
            opened = {
                account: unseal(sealed, self.keys, profile=profile, account=account)
                for account, sealed in self._load(profile).items()
            }
            sealed = {name: self._seal(profile, name, login) for name, login in opened.items()}
            self._store(profile, sealed)
            return len(sealed)

    def _seal(self, profile: str, account: str, login: SavedLogin) -> dict[str, str]:
        with self._lock(".key"):  # Two processes that make the first key at once would lose one.
            key = self.keys.sealing()
        return seal(login, key, profile=profile, account=account)

    def _path(self, profile: str) -> Path:
        return self.folder / f"{check_profile(profile)}{_SUFFIX}"

    def _load(self, profile: str) -> dict[str, Any]:
        check_private(self.folder)
        path = self._path(profile)
        check_private(path)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise build_damage_error(profile, "its file is not a vault's") from error
        except OSError as error:
            msg = f"The vault's file {path} cannot be read ({error.strerror})."
            raise ConfigError(msg) from error
        logins = content.get("logins") if isinstance(content, dict) else None
        if not isinstance(logins, dict) or content.get("format") != FORMAT:
            raise build_damage_error(profile, "its file is not of a version this program knows")
        return logins

    def _store(self, profile: str, logins: Mapping[str, Any]) -> None:
        make_folder(self.folder)
        content = {"format": FORMAT, "profile": profile, "logins": logins}
        write_private(self._path(profile), json.dumps(content, indent=1).encode())
