"""
Bearer tokens of our own server: which caller each one stands for, and how to recognize it.

The file contains digests, never a token: a token is shown once, when it is made. The file is
private to its owner and read on every call, so that revoking a token takes effect at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from harvest_source.auth.private_files import (
    check_no_folder,
    check_private,
    check_private_file,
    make_folder,
    write_private,
)
from harvest_source.auth.profiles import check_profile
from harvest_source.errors import BusyError, ConfigError, describe_os_error, printable

PREFIX: Final = "hsa"
"""Prefix of every token, so that people and secret scanners recognize it."""
FILE: Final = "server_tokens.json"
_FORMAT: Final = 1
_LOCK_S: Final = 10.0
_SECRET_BYTES: Final = 32
_UNKNOWN_DIGEST: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ServerToken:
    """
    What is stored about a token; never the token itself.

    Attributes:
        id: Random part of the token, unique even among tokens of the same name.
        name: Name of the caller that uses it.
        profile: The sign-in that identifies the person.
        url: The server that the token is for.
        digest: Digest of the whole token.
        expires_at: When it expires; None: never.
    """

    id: str
    name: str
    scope: str
    profile: str
    url: str
    digest: str
    created_at: datetime
    expires_at: datetime | None

    def has_expired(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and now >= self.expires_at

    def as_dict(self) -> dict[str, Any]:
        """Everything except the digest, for display."""
        shown = {name: value for name, value in asdict(self).items() if name != "digest"}
        return shown | {
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "expires_at": self.expires_at and self.expires_at.isoformat(timespec="seconds"),
        }


class ServerTokens:
    """
    The tokens of one folder. Thread-safe, and processes may share the folder.

    Args:
        now: Current time, to date tokens and to tell which have expired.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._now = now

    def add(self, name: str, *, scope: str, profile: str, url: str, days: int | None) -> str:
        """
        Make a token and return it. It cannot be retrieved again.

        Raises:
            ConfigError: A token with this name exists, or the file cannot be written.
        """
        check_profile(name, "NAME")
        with self._lock():
            tokens = self.read()
            if any(each.name == name for each in tokens):
                command = f"harvest-source mcp token revoke {name}"
                msg = f"There is already a token named {name}. Revoke it: {command}"
                raise ConfigError(msg)
            token_id = secrets.token_hex(6)
            text = f"{PREFIX}_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
            now = self._now()
            expires_at = None if days is None else now + timedelta(days=days)
            made = ServerToken(
                token_id, name, scope, check_profile(profile), url, _digest(text), now, expires_at
            )
            self._store([*tokens, made])
        return text

    def read(self) -> list[ServerToken]:
        """
        Every token, including expired ones.

        Raises:
            ConfigError: The file is accessible to other users, cannot be read, or is not ours.
        """
        check_private(self._folder)
        check_private_file(self._path)
        try:
            content = json.loads(self._path.read_bytes())
            if content["format"] != _FORMAT:
                raise ValueError(content["format"])
            return [_parse(each) for each in content["tokens"]]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            why = describe_os_error(error)
            raise ConfigError(f"{self._path} cannot be read ({why}).") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            msg = (
                f"{self._path} is not a token file that this version can read. Make the tokens "
                "again."
            )
            raise ConfigError(msg) from error

    def revoke(self, *, name: str = "", profile: str = "") -> list[str]:
        """Revoke the token with a name, or all tokens of a profile; returns the revoked names."""
        with self._lock():
            tokens = self.read()
            ended = [
                each
                for each in tokens
                if (name and each.name == name) or (profile and each.profile == profile)
            ]
            if ended:
                self._store([each for each in tokens if each not in ended])
        return [each.name for each in ended]

    def find(self, text: str) -> ServerToken | None:
        """The token that matches *text*, unless expired; digests are compared in constant time."""
        prefix, _, rest = text.partition("_")
        token_id, _, secret = rest.partition("_")
        found = next((each for each in self.read() if each.id == token_id), None)
        is_right = hmac.compare_digest(found.digest if found else _UNKNOWN_DIGEST, _digest(text))
        if found is None or not is_right or prefix != PREFIX or not secret:
            return None
        return None if found.has_expired(self._now()) else found

    def get(self, token_id: str) -> ServerToken | None:
        """The token with this id, unless it has expired."""
        found = next((each for each in self.read() if each.id == token_id), None)
        return None if found is None or found.has_expired(self._now()) else found

    def _store(self, tokens: list[ServerToken]) -> None:
        content = {"format": _FORMAT, "tokens": [_dump(each) for each in tokens]}
        write_private(self._path, json.dumps(content, indent=1).encode())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """
        Keep other processes from changing the file.

        Raises:
            BusyError: Another process holds the lock for too long.
            ConfigError: The file cannot be written, or the lock is a folder.
        """
        path = self._folder / f"{FILE}.lock"
        check_no_folder(path, "locked")
        lock = FileLock(path, timeout=_LOCK_S, mode=0o600)
        try:
            make_folder(self._folder)
            with lock:
                yield
        except Timeout as error:
            msg = f"Another process holds {printable(self._path)}.lock. Run the command again."
            raise BusyError(msg) from error
        except OSError as error:
            why = describe_os_error(error)
            msg = (
                f"{printable(self._path)} cannot be written ({why}); its content is unchanged. "
                "Set vault_path under [sources.harvest] to a folder that this user can write."
            )
            raise ConfigError(msg) from error


def _digest(text: str) -> str:
    """A plain digest is enough: tokens are long and random, so it cannot be reversed."""
    return hashlib.sha256(text.encode()).hexdigest()


def _dump(token: ServerToken) -> dict[str, Any]:
    return {**token.as_dict(), "digest": token.digest}


def _parse(value: dict[str, Any]) -> ServerToken:
    expires_at = value["expires_at"]
    return replace(
        ServerToken(**value),
        created_at=datetime.fromisoformat(value["created_at"]),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
    )
