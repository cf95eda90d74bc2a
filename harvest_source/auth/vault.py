"""
Logins at rest: one file for each profile, every login in it sealed by itself.

AES-256-GCM with a fresh nonce at each write, under a key derived for that profile and account, with
both bound as associated data: a login that is changed, or moved under another name, does not open.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import platformdirs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from filelock import FileLock, Timeout

from harvest_source.auth.oauth import Tokens
from harvest_source.auth.private_files import check_private, make_folder, write_private
from harvest_source.auth.saved_login import (
    CONFIGURED,
    SavedLogin,
    build_auth_command,
    check_profile,
)
from harvest_source.auth.vault_keys import FilePlace, Keys, find_places
from harvest_source.errors import BusyError, ConfigError, SignInError, printable

FORMAT: Final = "harvest-source vault 1"
_LOCK_S: Final = 150.0
"""Longer than another process can take to renew a token."""

_NONCE_BYTES: Final = 12
_SUFFIX: Final = ".vault"


def default_folder() -> Path:
    """Where the vault is unless the configuration says otherwise."""
    return platformdirs.user_data_path("harvest-source", appauthor=False) / "vault"


class Vault:
    """
    The logins of one folder. Nothing is made or read before the first use.

    Args:
        folder: For its owner alone.
        keys: None: those of the system.
        on_warning: Told what a key in a file is worth, when one is made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keys: Keys | None = None,
        on_warning: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder.expanduser().absolute()
        self._keys = keys
        self._on_warning = on_warning

    def __repr__(self) -> str:
        return f"Vault({str(self.folder)!r})"

    @property
    def keys(self) -> Keys:
        """Looked for at the first use: a keyring may take its time, or ask for a password."""
        if self._keys is None:
            self._keys = Keys(find_places(self.folder), self._on_warning)
        return self._keys

    @property
    def key_warning(self) -> str:
        """What the key's place does not protect from; empty when there is nothing to say."""
        place = self.keys.place
        return place.warning if isinstance(place, FilePlace) and place.read() else ""

    def profiles(self) -> list[str]:
        """The profiles with a login, by name."""
        return sorted(path.stem for path in self.folder.glob(f"*{_SUFFIX}"))

    def accounts(self, profile: str) -> list[str]:
        """The accounts, as text, that *profile* has logins for."""
        return list(self._load(profile))

    def read(self, profile: str, account: str) -> SavedLogin | None:
        """
        A login; None when there is none.

        Raises:
            ConfigError: The vault is open to others, or the key is not at hand.
            SignInError: The login was changed, moved, or is no login.
        """
        sealed = self._load(profile).get(account)
        return None if sealed is None else self._open(profile, account, sealed)

    def write(self, profile: str, account: str, login: SavedLogin, *, alone: bool = False) -> None:
        """
        Keep a login; on the disk when this returns. Hold the lock of *profile*.

        Args:
            alone: Forget the profile's other logins, but the configured one.

        Raises:
            ConfigError: The vault is open to others.
            OSError: It cannot be written; what was there stays.
        """
        kept = {
            name: sealed
            for name, sealed in self._load(profile).items()
            if not alone or name == CONFIGURED
        }
        self._store(profile, kept | {account: self._seal(profile, account, login)})

    def forget(self, profile: str) -> bool:
        """Remove a profile's logins; whether there were any."""
        path = self._path(profile)
        was_there = path.exists()
        path.unlink(missing_ok=True)
        return was_there

    def lock(self, profile: str) -> AbstractContextManager[None]:
        """
        Keep other processes from *profile*.

        Raises:
            BusyError: One of them does not let go.
            OSError: The folder cannot be written.
        """
        return self._lock(check_profile(profile))

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Names that begin with a point are ours: no profile has one."""
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
        """Why nothing can be kept here; empty when it can."""
        try:
            make_folder(self.folder)
        except OSError as error:
            return error.strerror or type(error).__name__
        return "" if os.access(self.folder, os.W_OK) else "it is read-only"

    def rotate(self) -> int:
        """
        Seal every login anew with a new key, then forget the old ones; returns how many.

        A run that is interrupted leaves every login readable; run it again.

        Raises:
            ConfigError: The key is the user's to change.
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
            opened = {
                account: self._open(profile, account, sealed)
                for account, sealed in self._load(profile).items()
            }
            sealed = {name: self._seal(profile, name, login) for name, login in opened.items()}
            self._store(profile, sealed)
            return len(sealed)

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
            raise _broken(profile, "its file is not a vault's") from error
        except OSError as error:
            msg = f"The vault's file {path} cannot be read ({error.strerror})."
            raise ConfigError(msg) from error
        logins = content.get("logins") if isinstance(content, dict) else None
        if not isinstance(logins, dict) or content.get("format") != FORMAT:
            raise _broken(profile, "its file is not of a version this program knows")
        return logins

    def _store(self, profile: str, logins: Mapping[str, Any]) -> None:
        make_folder(self.folder)
        content = {"format": FORMAT, "profile": profile, "logins": logins}
        write_private(self._path(profile), json.dumps(content, indent=1).encode())

    def _seal(self, profile: str, account: str, login: SavedLogin) -> dict[str, str]:
        with self._lock(".key"):  # Two that make the first key at once would lose one.
            key = self.keys.sealing()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bind(profile, account)
        text = json.dumps(_to_json(login)).encode()
        sealed = AESGCM(key.derive(bound)).encrypt(nonce, text, bound)
        return {
            "key": key.id,
            "nonce": base64.b64encode(nonce).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }

    def _open(self, profile: str, account: str, sealed: Any) -> SavedLogin:
        where = f"account {account}" if account.isdigit() else account
        try:
            key_id, nonce, text = (sealed[name] for name in ("key", "nonce", "sealed"))
            nonce, text = (base64.b64decode(part, validate=True) for part in (nonce, text))
        except (KeyError, TypeError, ValueError) as error:
            raise _broken(profile, f"the login for {where} is damaged") from error
        key = self.keys.find(str(key_id))
        if key is None:
            msg = (
                f"The login of profile {profile} for {where} was sealed with key "
                f"{printable(key_id, limit=12)}, which is not at hand (looked in: "
                f"{self.keys.looked_in}). Bring that key back, or sign in again: "
                f"{build_auth_command('login', profile)}"
            )
            raise ConfigError(msg)
        bound = _bind(profile, account)
        try:
            return _from_json(json.loads(AESGCM(key.derive(bound)).decrypt(nonce, text, bound)))
        except (InvalidTag, ValueError, KeyError, TypeError) as error:
            why = f"the login for {where} was changed, or belongs to another profile or account"
            raise _broken(profile, why) from error


def make_digest(secret: str) -> str:
    """Tells whether a secret is still the same; keyed, so that it cannot be looked up."""
    key = secrets.token_hex(16)
    return f"{key}:{_hmac(key, secret)}"


def is_digest(digest: str, secret: str) -> bool:
    """Whether *digest* was made from *secret*."""
    key, _, made = digest.partition(":")
    return bool(made) and hmac.compare_digest(made, _hmac(key, secret))


def _hmac(key: str, secret: str) -> str:
    return hmac.digest(key.encode(), secret.encode(), "sha256").hex()


def _bind(profile: str, account: str) -> bytes:
    """Neither name can hold a zero, so no two pairs are bound alike."""
    return b"\0".join((FORMAT.encode(), profile.encode(), account.encode()))


def _broken(profile: str, why: str) -> SignInError:
    msg = (
        f"The vault refuses profile {profile}: {why}. Nothing was sent. Forget it and sign in "
        f"again: {build_auth_command('logout', profile)}, then "
        f"{build_auth_command('login', profile)}"
    )
    return SignInError(msg)


def _to_json(login: SavedLogin) -> dict[str, Any]:
    tokens = login.tokens
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": _write_time(tokens.expires_at),
        "obtained_at": _write_time(tokens.obtained_at),
        "client_id": login.client_id,
        "client_secret": login.client_secret,
        "scope": login.scope,
        "account_id": login.account_id,
        "account_name": login.account_name,
        "user": login.user,
        "roles": list(login.roles),
        "signed_in_at": _write_time(login.signed_in_at),
        "seed": login.seed,
    }


def _from_json(content: Mapping[str, Any]) -> SavedLogin:
    return SavedLogin(
        tokens=Tokens(
            content["access_token"],
            content["refresh_token"],
            _read_time(content["expires_at"]),
            _read_time(content["obtained_at"]),
        ),
        client_id=content["client_id"],
        client_secret=content["client_secret"],
        scope=content["scope"],
        account_id=content["account_id"],
        account_name=content["account_name"],
        user=content["user"],
        roles=tuple(content["roles"]),
        signed_in_at=_read_time(content["signed_in_at"]),
        seed=content["seed"],
    )


def _write_time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _read_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
