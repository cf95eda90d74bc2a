"""
What the last check of each sign-in found, so that the next check can report what has changed.

There is one file per profile, beside its logins. It contains role names and times, and no secret. A
file that cannot be parsed counts as missing: it neither grants nor refuses anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from harvest_source.auth.private_files import check_private, make_folder, write_private
from harvest_source.auth.vault_files import VaultFiles

_FORMAT: Final = "harvest-source looks 1"


@dataclass(frozen=True, slots=True)
class LastCheck:
    """
    What was found when Harvest was last asked about one sign-in.

    Attributes:
        login: Identifies the login, without its secrets. A check of another login is ignored.
        roles: Access roles, by account and person: ``1000001:2001``.
        worked_at: When Harvest last accepted the login; None: no check has seen that.
        refused_since: Time of the first check that found it refused; None: it is not refused.
            Harvest does not say when it was revoked: that was between *worked_at* and this time.
    """

    login: str = ""
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    worked_at: datetime | None = None
    refused_since: datetime | None = None


def read_last_check(files: VaultFiles, profile: str, place: str, login: str) -> LastCheck:
    """
    The last check of a sign-in; an empty one if there was none, or if it was of another login.

    Args:
        place: Where the sign-in is kept: a profile may have one in the configuration and another
            in the vault.
        login: As :attr:`LastCheck.login`.

    Raises:
        ConfigError: Other users can access the file.
    """
    try:
        check = _parse(_load(files, profile).get(place))
    except (TypeError, ValueError, AttributeError):
        check = LastCheck()
    return check if check.login == login else LastCheck(login)


def write_last_check(files: VaultFiles, profile: str, place: str, check: LastCheck) -> None:
    """
    Store *check*; it is on disk when this returns. The caller must hold the lock of *profile*.

    Raises:
        ConfigError: Other users can access the file or its folder.
        OSError: The file cannot be written.
    """
    make_folder(files.folder)
    content = _load(files, profile) | {"format": _FORMAT, place: _to_json(check)}
    write_private(files.locate_last_check(profile), json.dumps(content, indent=1).encode())


def _load(files: VaultFiles, profile: str) -> dict[str, Any]:
    """The content of a profile's file; empty if it is missing or cannot be parsed."""
    path = files.locate_last_check(profile)
    check_private(path)
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and content.get("format") == _FORMAT else {}


def _to_json(check: LastCheck) -> dict[str, Any]:
    return {
        "login": check.login,
        "roles": {key: list(roles) for key, roles in check.roles.items()},
        "worked_at": check.worked_at.isoformat() if check.worked_at else None,
        "refused_since": check.refused_since.isoformat() if check.refused_since else None,
    }


def _parse(content: Any) -> LastCheck:
    if content is None:
        return LastCheck()
    return LastCheck(
        str(content.get("login")),
        {str(key): tuple(map(str, roles)) for key, roles in content.get("roles", {}).items()},
        _parse_time(content.get("worked_at")),
        _parse_time(content.get("refused_since")),
    )


def _parse_time(text: str | None) -> datetime | None:
    moment = datetime.fromisoformat(text) if text else None
    if moment is not None and moment.tzinfo is None:
        msg = "A time without a zone."
        raise ValueError(msg)
    return moment
