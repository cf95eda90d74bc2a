"""The vault: saved logins on disk, one file per profile, each login in it sealed separately."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import platformdirs
from filelock import FileLock, Timeout

from harvest_source.api.http_context import ignore_warning
from harvest_source.auth.private_files import (
    check_private,
    make_folder,
    probe_folder,
    write_private,
)
from harvest_source.auth.saved_login import (
    CONFIGURED,
    SavedLogin,
    build_auth_command,
    check_profile,
)
from harvest_source.auth.sealing import FORMAT, build_damage_error, seal, unseal
from harvest_source.auth.vault_keys import FilePlace, Key, Keys, find_places
from harvest_source.errors import BusyError, ConfigError, SignInError, printable

_LOCK_S: Final = 150.0
"""Seconds to wait for another process: longer than it can take to renew a token."""

_SUFFIX: Final = ".vault"

_ROOM: Final = 64 * 1024
"""Bytes that a vault's file may grow by when a login is saved, with much to spare."""


class NoFolderError(ConfigError):
    """
    There is no folder for a vault; the message says which setting names one.

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
    Where the vault is unless the configuration says otherwise.

    Raises:
        NoFolderError: The user has no home folder: neither ``HOME`` nor an entry in the system's
            list of users, as in a container that runs under a number.
    """
    try:
        folder = find_data_folder()
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # Older platformdirs return the ~ that stands for nothing.
        raise NoFolderError("this user has no home folder (HOME is not set)")
    return folder / "vault"


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
        self.folder = folder.absolute()
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
            SignInError: Its key cannot be read, or is not at hand; what was there stays.
            OSError: It cannot be written; what was there stays.
        """
        others = self._load_kept(profile, alone=alone)
        others.pop(account, None)
        key = self._find_sealing_key(profile, others.values())
        self._store(profile, others | {account: seal(login, key, profile=profile, account=account)})

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
            SignInError: The folder cannot be written.
        """
        return self._lock(check_profile(profile))

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Lock *name*: a profile, or a name that begins with a dot, which no profile's does."""
        lock = FileLock(self.folder / f"{name}.lock", timeout=_LOCK_S, mode=0o600)
        try:
            make_folder(self.folder)
            lock.acquire()
        except Timeout as error:
            msg = (
                f"Another process has held {self.folder / name}.lock for {_LOCK_S:.0f} s. Wait for "
                "it, or end it, and run the same command again."
            )
            raise BusyError(msg) from error
        except OSError as error:
            msg = (
                f"The vault {self.folder} cannot be written "
                f"({printable(error.strerror or type(error).__name__)}). Set vault_path under "
                "[sources.harvest] to a folder that this user can write."
            )
            raise SignInError(msg) from error
        try:
            yield
        finally:
            lock.release()

    def find_barrier(self) -> str:
        """Why nothing can be read here; empty when it can, also when there is nothing yet."""
        try:
            is_in_the_way = self.folder.exists() and not self.folder.is_dir()
        except OSError as error:
            return f"{self.folder} is out of reach ({error.strerror or type(error).__name__})"
        return f"{self.folder} is not a folder" if is_in_the_way else ""

    def check_writable(self) -> str:
        """Why nothing can be saved here; empty when it can."""
        try:
            make_folder(self.folder)
        except OSError as error:
            return error.strerror or type(error).__name__
        return "" if os.access(self.folder, os.W_OK) else "it is read-only"

    def find_obstacle(self, profile: str, *, alone: bool = False) -> str:
        """
        Why a login of *profile* could not be saved now; empty when it could: a file was written.

        Makes the vault's key if there is none, because a login is sealed before it is saved.

        Args:
            alone: As for :meth:`write`.

        Raises:
            ConfigError: The vault is readable by others.
            SignInError: The key cannot be read, or is not at hand.
        """
        kept = self._load_kept(profile, alone=alone)
        try:
            probe_folder(self.folder, len(json.dumps(kept)) + _ROOM)
            self._find_sealing_key(profile, kept.values())
        except OSError as error:
            return f"{self.folder} cannot be written ({error.strerror or type(error).__name__})"
        return ""

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
            key = self._find_sealing_key(profile, ())
            sealed = {
                name: seal(login, key, profile=profile, account=name)
                for name, login in opened.items()
            }
            self._store(profile, sealed)
            return len(sealed)

    def _find_sealing_key(self, profile: str, kept: Iterable[Any]) -> Key:
        """
        The key that seals, made if there is none.

        Args:
            kept: The sealed logins of *profile* that stay as they are.
        """
        with self._lock(".key"):  # Two processes that make the first key at once would lose one.
            if not self.keys.place.read():
                self._check_no_key_is_missing(profile, kept)
            return self.keys.sealing()

    def _check_no_key_is_missing(self, profile: str, kept: Iterable[Any]) -> None:
        """
        Refuse to make a key while another one is away, with the keyring of a desktop for example.

        Raises:
            SignInError: A login is sealed with a key that is not at hand.
        """
        for name in self.profiles():
            for sealed in kept if name == profile else self._load(name).values():
                key_id = sealed.get("key") if isinstance(sealed, dict) else None
                if self.keys.find(str(key_id)) is None:
                    msg = (
                        f"The vault {self.folder} has a login of profile {name} that was sealed "
                        f"with key {printable(key_id, limit=12)}, which is not at hand (looked in: "
                        f"{self.keys.looked_in}). No new key was made beside it. Bring that key "
                        "back, or forget the login: "
                        f"{build_auth_command('logout', name)}"
                    )
                    raise SignInError(msg)

    def _path(self, profile: str) -> Path:
        return self.folder / f"{check_profile(profile)}{_SUFFIX}"

    def _load_kept(self, profile: str, *, alone: bool) -> dict[str, Any]:
        """The sealed logins of *profile* that stay when one is saved."""
        logins = self._load(profile)
        return {name: logins[name] for name in logins if not alone or name == CONFIGURED}

    def _load(self, profile: str) -> dict[str, Any]:
        if why := self.find_barrier():
            raise NoFolderError(why)
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
