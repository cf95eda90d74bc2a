"""
Encryption of saved logins.

AES-256-GCM with a fresh nonce for each write and a key derived for the profile and account, which
are also the associated data: a login that was changed or moved to another name cannot be opened.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.auth.vault_keys import KeyMissingError, Keys, MasterKey
from harvest_source.errors import SignInError, printable

FORMAT: Final = "harvest-source vault 1"
"""Format of the vault's files; part of the authenticated data."""

_NONCE_BYTES: Final = 12


def seal(login: SavedLogin, key: MasterKey, *, profile: str, account: str) -> dict[str, str]:
    """Encrypt *login* with *key*, bound to *profile* and *account*; returns JSON values."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    binding = _bind(profile, account)
    plain = json.dumps(_to_json(login)).encode()
    sealed = AESGCM(key.derive(binding)).encrypt(nonce, plain, binding)
    return {
        "key": key.id,
        "nonce": base64.b64encode(nonce).decode(),
        "sealed": base64.b64encode(sealed).decode(),
    }


def unseal(sealed: Any, keys: Keys, *, profile: str, account: str) -> SavedLogin:
    """
    Decrypt the login that :func:`seal` encrypted for *profile* and *account*.

    Raises:
        ConfigError: Its key is not available.
        SignInError: It was changed or moved, or is not a login.
    """
    where = f"account {account}" if account.isdigit() else account
    try:
        key_id, nonce, text = (sealed[name] for name in ("key", "nonce", "sealed"))
        nonce, text = (base64.b64decode(part, validate=True) for part in (nonce, text))
    except (KeyError, TypeError, ValueError) as error:
        raise build_damage_error(profile, f"the login for {where} is damaged") from error
    key = keys.find(str(key_id))
    if key is None:
        msg = (
            f"The login of profile {profile} for {where} was sealed with key "
            f"{printable(key_id, limit=12)}, which is missing (looked in: {keys.looked_in}). "
            f"Restore that key, or sign in again: {build_auth_command('login', profile)}"
        )
        raise KeyMissingError(msg)
    binding = _bind(profile, account)
    try:
        return _from_json(json.loads(AESGCM(key.derive(binding)).decrypt(nonce, text, binding)))
    except (InvalidTag, ValueError, KeyError, TypeError) as error:
        why = f"the login for {where} was changed, or belongs to another profile or account"
        raise build_damage_error(profile, why) from error


def build_damage_error(profile: str, why: str) -> SignInError:
    """The error for a saved login that cannot be trusted, with the commands that replace it."""
    msg = (
        f"The vault refuses profile {profile}: {why}. Nothing was sent. Forget it and sign in "
        f"again: {build_auth_command('logout', profile)}, then "
        f"{build_auth_command('login', profile)}"
    )
    return SignInError(msg)


def make_digest(secret: str) -> str:
    """A salted digest for :func:`matches_digest`; the salt prevents looking it up in a table."""
    salt = secrets.token_hex(16)
    return f"{salt}:{_hmac(salt, secret)}"


def matches_digest(digest: str, secret: str) -> bool:
    """Whether *digest* was made from *secret*."""
    salt, _, made = digest.partition(":")
    return bool(made) and hmac.compare_digest(made, _hmac(salt, secret))


def _hmac(salt: str, secret: str) -> str:
    return hmac.digest(salt.encode(), secret.encode(), "sha256").hex()


def _bind(profile: str, account: str) -> bytes:
    """Associated data. Neither name can contain a zero byte, so each pair gets different data."""
    return b"\0".join((FORMAT.encode(), profile.encode(), account.encode()))


def _to_json(login: SavedLogin) -> dict[str, Any]:
    tokens = login.tokens
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": _format_time(tokens.expires_at),
        "obtained_at": _format_time(tokens.obtained_at),
        "client_id": login.client_id,
        "client_secret": login.client_secret,
        "scope": login.scope,
        "account_id": login.account_id,
        "account_name": login.account_name,
        "user": login.user,
        "roles": list(login.roles),
        "signed_in_at": _format_time(login.signed_in_at),
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


def _format_time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _read_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
