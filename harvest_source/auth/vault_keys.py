"""
The vault's keys and where they are kept: the system's keyring, the environment, or a file.

A keyring that cannot be read never counts as empty: a new key in it would replace the key that
opens every saved login.

Keys are written as text, newest first, separated by commas. The first key seals. Each key opens
what it has sealed, so a new key can be put before the old one at any time.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import keyring
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from keyring.backend import KeyringBackend
from keyring.errors import PasswordSetError

from harvest_source.auth.private_files import check_private_file, write_private
from harvest_source.errors import ConfigError, SignInError, describe_os_error, printable

VARIABLE: Final = "HARVEST_SOURCE_VAULT_KEY"
SERVICE: Final = "harvest-source"
SIZE: Final = 32
"""Bytes of a key, as AES-256 needs them."""

_LEAST_PRIORITY: Final = 1
"""keyring's own minimum for default backends; "none" and plain text files are below it."""


@dataclass(frozen=True, slots=True, repr=False)
class MasterKey:
    """One master key. It seals nothing itself: each login is sealed with a key derived from it."""

    value: bytes

    @property
    def id(self) -> str:
        """Identifies the key without revealing it."""
        return self.derive(b"key id").hex()[:8]

    def derive(self, purpose: bytes) -> bytes:
        """A key of :data:`SIZE` bytes for one *purpose*."""
        info = b"harvest-source vault 1\0" + purpose
        return HKDF(algorithm=SHA256(), length=SIZE, salt=None, info=info).derive(self.value)

    def to_text(self) -> str:
        """The key as text."""
        return base64.urlsafe_b64encode(self.value).rstrip(b"=").decode()


def make_key() -> MasterKey:
    """A new random key."""
    return MasterKey(secrets.token_bytes(SIZE))


def parse_keys(text: str, where: str) -> tuple[MasterKey, ...]:
    """
    Parse keys, in the order given.

    Args:
        where: Where the text came from, for the message.

    Raises:
        ConfigError: A part of it is not a key. The message does not repeat the text.
    """
    return tuple(_parse_key(part.strip(), where) for part in text.split(",") if part.strip())


def _parse_key(text: str, where: str) -> MasterKey:
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != SIZE:
        msg = (
            f"{where} holds no key: {SIZE} random bytes in base64 are needed. Make one: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
        raise ConfigError(msg)
    return MasterKey(value)


class KeyMissingError(ConfigError):
    """No place has the key that a login was sealed with, and all places could be read."""


class KeyringUnusableError(SignInError):
    """The system's keyring is locked, unreachable or broken. Nothing in it was changed."""

    def __init__(self, place: str, error: Exception) -> None:
        why = printable(f"{type(error).__name__}: {error}", limit=120)
        super().__init__(
            f"{place} cannot be used ({why}), so saved sign-ins cannot be opened. Nothing was "
            "changed. Unlock it and run the same command again. Where there is no desktop "
            f"session, as under cron, set {VARIABLE} to the vault's key; or set "
            "PYTHON_KEYRING_BACKEND to keyring.backends.fail.Keyring, which keeps keys in a "
            "file, and sign in again."
        )


class KeyPlace(Protocol):
    """A place that keeps keys."""

    @property
    def name(self) -> str:
        """Name of the place, for messages."""
        ...

    def read(self) -> tuple[MasterKey, ...]:
        """
        The keys in this place, newest first; empty if there are none.

        Raises:
            ConfigError: They cannot be read, or are not keys.
            SignInError: The keyring cannot be read.
        """
        ...

    def write(self, keys: Sequence[MasterKey]) -> None:
        """
        Replace all keys in this place with *keys*.

        Raises:
            ConfigError: Only the user can change them.
        """
        ...


class KeyringPlace:
    """
    The operating system's keyring.

    Args:
        folder: The vault's folder. It names the entry, so each vault has its own key.
    """

    def __init__(self, backend: KeyringBackend, folder: Path) -> None:
        self.name = f"the keyring ({backend.name})"
        self._backend = backend
        self._user = f"vault {folder}"

    def read(self) -> tuple[MasterKey, ...]:
        try:
            text = self._backend.get_password(SERVICE, self._user) or ""
        except Exception as error:  # Backends raise D-Bus errors, socket errors and their own.
            raise KeyringUnusableError(self.name, error) from error
        return parse_keys(text, self.name)

    def write(self, keys: Sequence[MasterKey]) -> None:
        try:
            self._backend.set_password(SERVICE, self._user, ",".join(key.to_text() for key in keys))
        except Exception as error:
            raise KeyringUnusableError(self.name, error) from error
        # Some backends fail silently. A login sealed with a key that was not kept would be lost.
        if self.read() != tuple(keys):
            reason = PasswordSetError("it did not keep the key that was written")
            raise KeyringUnusableError(self.name, reason)


@dataclass(frozen=True, slots=True)
class BrokenKeyringPlace:
    """A keyring that is configured but cannot be loaded."""

    error: Exception
    name: str = "the keyring of PYTHON_KEYRING_BACKEND"

    def read(self) -> tuple[MasterKey, ...]:
        raise KeyringUnusableError(self.name, self.error) from self.error

    def write(self, keys: Sequence[MasterKey]) -> None:
        del keys
        raise KeyringUnusableError(self.name, self.error) from self.error


class VariablePlace:
    """The environment, which only the user can change."""

    name = VARIABLE

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def read(self) -> tuple[MasterKey, ...]:
        return parse_keys(self._environment.get(VARIABLE, ""), self.name)

    def write(self, keys: Sequence[MasterKey]) -> None:  # noqa: ARG002 - the protocol has it
        msg = (
            f"The vault's key comes from {VARIABLE}, which only you can change. Put a new key "
            "before the old one, separated by a comma, and run harvest-source auth rotate-key; "
            "then remove the old one. A new key: python -c 'import secrets; "
            "print(secrets.token_urlsafe(32))'"
        )
        raise ConfigError(msg)


class FilePlace:
    """A file in the vault's folder."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def read(self) -> tuple[MasterKey, ...]:
        check_private_file(self._path)
        try:
            return parse_keys(self._path.read_text("ascii").replace("\n", ","), self.name)
        except FileNotFoundError:
            return ()
        except (UnicodeDecodeError, OSError) as error:
            why = describe_os_error(error) if isinstance(error, OSError) else "it is not text"
            msg = (
                f"The vault's key cannot be read from {self.name} ({why}). Restore it from a "
                "backup, or move it away and sign in again, once for each profile: "
                "harvest-source auth login"
            )
            raise ConfigError(msg) from error

    def write(self, keys: Sequence[MasterKey]) -> None:
        write_private(self._path, "".join(f"{key.to_text()}\n" for key in keys).encode())

    @property
    def warning(self) -> str:
        """What a key in a file protects against, and what not."""
        return (
            f"The vault's key is stored beside it, in {self.name}, readable by you alone. That "
            "protects a copy of the vault without the key (a backup, an upload by mistake). It "
            "does not protect against a program that can read your files: for that use the "
            f"system's keyring, or set {VARIABLE} from a secrets manager."
        )


def find_places(
    folder: Path, environment: Mapping[str, str] = os.environ, backend: KeyringBackend | None = None
) -> tuple[KeyPlace, ...]:
    """
    The places to look for keys: keyring, environment, file. New keys go into the first.

    Args:
        backend: None: the system's keyring.
    """
    places: list[KeyPlace] = []
    if keyring_place := _find_keyring(folder, backend):
        places.append(keyring_place)
    if environment.get(VARIABLE, "").strip():
        places.append(VariablePlace(environment))
    return (*places, FilePlace(folder / "key"))


def _find_keyring(folder: Path, backend: KeyringBackend | None) -> KeyPlace | None:
    try:
        backend = backend or keyring.get_keyring()
    except Exception as error:  # PYTHON_KEYRING_BACKEND may name anything.
        return BrokenKeyringPlace(error)
    return KeyringPlace(backend, folder) if backend.priority >= _LEAST_PRIORITY else None


class Keys:
    """
    All keys of one vault.

    Args:
        places: As :func:`find_places` returns them; new keys go into :attr:`place`.
        on_warning: Called when a new key is stored in a file.
    """

    def __init__(self, places: Sequence[KeyPlace], on_warning: Callable[[str], None]) -> None:
        self._places = tuple(places)
        self._on_warning = on_warning

    @property
    def place(self) -> KeyPlace:
        """Place of the key that seals: the first, or the environment if the keyring is unusable."""
        first, *others = self._places
        stand_in = next((each for each in others if isinstance(each, VariablePlace)), None)
        if stand_in is None:
            return first
        try:
            first.read()
        except KeyringUnusableError:
            return stand_in
        return first

    @property
    def looked_in(self) -> str:
        """The names of all places, for messages."""
        return ", ".join(place.name for place in self._places)

    def find(self, key_id: str) -> MasterKey | None:
        """
        The key with that id from any place; None if no place has it.

        Raises:
            ConfigError: A place before it has what is not a key, or cannot be read.
            KeyringUnusableError: No readable place has it, and the keyring cannot be read.
        """
        unusable: KeyringUnusableError | None = None
        for place in self._places:
            try:
                keys = place.read()
            except KeyringUnusableError as error:
                unusable = error
                continue
            if found := next((key for key in keys if key.id == key_id), None):
                return found
        if unusable is not None:
            raise unusable
        return None

    def get_sealing_key(self) -> MasterKey:
        """
        The key that seals, created if there is none. The caller must hold the vault's key lock.

        Raises:
            ConfigError: The keys in the environment or the file cannot be read.
            KeyringUnusableError: The keyring cannot be read.
        """
        place = self.place
        keys = place.read()
        if keys:
            return keys[0]
        place.write([make_key()])
        if isinstance(place, FilePlace):
            self._on_warning(place.warning)
        return place.read()[0]

    def begin_rotation(self) -> MasterKey:
        """
        Put a new key before the old ones, unless the user has done so in the environment.

        Raises:
            ConfigError: The keys are in the environment, and the user has not added a new one; or
                they cannot be read.
            KeyringUnusableError: The keyring cannot be read.
        """
        keys = self.place.read()
        if not (isinstance(self.place, VariablePlace) and len(keys) > 1):
            self.place.write([make_key(), *keys])
        return self.get_sealing_key()

    def end_rotation(self) -> None:
        """
        Drop all keys except the newest; keys in the environment are left alone.

        Call it when nothing is sealed with the other keys.
        """
        if not isinstance(self.place, VariablePlace):
            self.place.write(self.place.read()[:1])
        for place in self._places[1:]:
            if isinstance(place, FilePlace) and place.read():
                place.write([])
