"""The vault: saved logins on disk, one file per profile, with each login sealed separately."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from harvest_source.api.http_context import ignore_warning
from harvest_source.auth.private_files import probe_folder
from harvest_source.auth.profiles import build_auth_command, check_profile
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin
from harvest_source.auth.sealing import seal, unseal
from harvest_source.auth.vault_files import VaultFiles
from harvest_source.auth.vault_keys import FilePlace, Keys, MasterKey, find_places
from harvest_source.errors import SignInError, describe_os_error, printable

_ROOM: Final = 64 * 1024
"""Generous upper bound, in bytes, on how much a vault file grows when a login is saved."""


class Vault:
    """
    The saved logins in one folder. Nothing is created or read before the first use.

    Attributes:
        files: The files that hold the sealed logins.

    Args:
        folder: Must be private to its owner.
        keys: None: found by :func:`~harvest_source.auth.vault_keys.find_places`.
        on_warning: Called when a new key is stored in a file, with the risks of that.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keys: Keys | None = None,
        on_warning: Callable[[str], None] = ignore_warning,
    ) -> None:
        self.files = VaultFiles(folder)
        self._keys = keys
        self._on_warning = on_warning

    def __repr__(self) -> str:
        return f"Vault({str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """The folder, as an absolute path."""
        return self.files.folder

    @property
    def keys(self) -> Keys:
        """The keys, looked up on first use: a keyring may be slow, or ask for a password."""
        if self._keys is None:
            self._keys = Keys(find_places(self.folder), self._on_warning)
        return self._keys

    @property
    def key_warning(self) -> str:
        """Warning about a key that is stored in a file; empty if there is nothing to warn about."""
        place = self.keys.place
        return place.warning if isinstance(place, FilePlace) and place.read() else ""

    def accounts(self, profile: str) -> list[str]:
        """The accounts, as text, for which *profile* has logins."""
        return list(self.files.load(profile))

    def read(self, profile: str, account: str) -> SavedLogin | None:
        """
        A login; None if there is none.

        Raises:
            ConfigError: The vault is accessible to other users, or the key is not available.
            SignInError: The login was changed or moved, or is not a login; or the keyring cannot be
                read.
        """
        sealed = self.files.load(profile).get(account)
        if sealed is None:
            return None
        return unseal(sealed, self.keys, profile=profile, account=account)

    def write(self, profile: str, account: str, login: SavedLogin, *, alone: bool = False) -> None:
        """
        Save a login; it is on disk when this returns. The caller must hold the lock of *profile*.

        Args:
            alone: Forget the profile's other logins, except the configured one.

        Raises:
            ConfigError: The vault is accessible to other users, or the file of its key cannot be
                read; the vault is unchanged.
            SignInError: The keyring cannot be read, or the key is not available; the vault is
                unchanged.
            OSError: It cannot be written; the vault is unchanged.
        """
        others = self._load_kept(profile, alone=alone)
        others.pop(account, None)
        key = self._find_sealing_key(profile, others.values())
        self.files.store(
            profile, others | {account: seal(login, key, profile=profile, account=account)}
        )

    def lock(self, profile: str) -> AbstractContextManager[None]:
        """
        Keep other processes out of *profile*.

        Raises:
            BusyError: Another process holds the lock for too long.
            ConfigError: The folder is accessible to other users.
            SignInError: The folder cannot be written.
        """
        return self.files.lock(check_profile(profile))

    def find_obstacle(self, profile: str, *, alone: bool = False) -> str:
        """
        Test with a probe file whether a login can be saved; return why not, or an empty text.

        Makes the vault's key if there is none, because a login is sealed before it is saved.

        Args:
            alone: As for :meth:`write`.

        Raises:
            ConfigError: The vault is accessible to other users, or the file of its key cannot be
                read.
            SignInError: The keyring cannot be read, or the key is not available.
        """
        kept = self._load_kept(profile, alone=alone)
        try:
            probe_folder(self.folder, len(json.dumps(kept)) + _ROOM)
            self._find_sealing_key(profile, kept.values())
        except OSError as error:
            return f"{self.folder} cannot be written ({describe_os_error(error)})"
        return ""

    def rotate(self) -> int:
        """
        Seal every login with a new key, then drop the old keys; returns the number of logins.

        If it is interrupted, every login stays readable; run it again.

        Raises:
            ConfigError: Only the user can change the key, or keys cannot be read; the old stay.
            SignInError: A login cannot be opened, or a file cannot be written; the old keys stay.
        """
        try:
            with self.files.lock(".rotation"):
                with self.files.lock(".key"):
                    self.keys.begin_rotation()
                count = sum(self._reseal(profile) for profile in self.files.profiles())
                with self.files.lock(".key"):
                    self.keys.end_rotation()
        except OSError as error:
            msg = (
                f"The vault {self.folder} cannot be written "
                f"({printable(describe_os_error(error))}). Every sign-in stays "
                "readable. Make room, and run the same command again."
            )
            raise SignInError(msg) from error
        return count

    def _reseal(self, profile: str) -> int:
        with self.lock(profile):
            # Open all logins before sealing any: if one cannot be opened, nothing changes.
            opened = {
                account: unseal(sealed, self.keys, profile=profile, account=account)
                for account, sealed in self.files.load(profile).items()
            }
            key = self._find_sealing_key(profile, ())
            sealed = {
                name: seal(login, key, profile=profile, account=name)
                for name, login in opened.items()
            }
            self.files.store(profile, sealed)
            return len(sealed)

    def _find_sealing_key(self, profile: str, kept: Iterable[Any]) -> MasterKey:
        """
        The key that seals, made if there is none.

        Args:
            kept: The sealed logins of *profile* that stay unchanged.
        """
        # If two processes made the first key at the same time, one of the keys would be lost.
        with self.files.lock(".key"):
            if not self.keys.place.read():
                self._check_no_key_is_missing(profile, kept)
            return self.keys.get_sealing_key()

    def _check_no_key_is_missing(self, profile: str, kept: Iterable[Any]) -> None:
        """
        Refuse to make a key while the present one is unavailable, as with a desktop's keyring.

        Raises:
            SignInError: A login is sealed with a key that is not available.
        """
        for name in self.files.profiles():
            for sealed in kept if name == profile else self.files.load(name).values():
                key_id = sealed.get("key") if isinstance(sealed, dict) else None
                if self.keys.find(str(key_id)) is None:
                    msg = (
                        f"The vault {self.folder} has a login of profile {name} that was sealed "
                        f"with key {printable(key_id, limit=12)}, which is missing (looked in: "
                        f"{self.keys.looked_in}). No new key was made beside it. Restore that "
                        f"key, or forget the login: {build_auth_command('logout', name)}"
                    )
                    raise SignInError(msg)

    def _load_kept(self, profile: str, *, alone: bool) -> dict[str, Any]:
        """The sealed logins of *profile* that are kept when another is saved."""
        logins = self.files.load(profile)
        return {name: logins[name] for name in logins if not alone or name == CONFIGURED}
