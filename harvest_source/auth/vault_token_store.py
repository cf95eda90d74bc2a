"""Token stores that keep their tokens in the vault."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin
from harvest_source.auth.sealing import make_digest, matches_digest
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.auth.token_stores import SignedOutError
from harvest_source.auth.vault import Vault


@dataclass(frozen=True, slots=True)
class VaultTokenStore:
    """Keeps the tokens of a login that ``harvest-source auth login`` made."""

    vault: Vault
    profile: str
    account: str

    def lock(self) -> AbstractContextManager[object]:
        return _lock(self.vault, self.profile)

    def find_obstacle(self) -> str:
        return self.vault.find_obstacle(self.profile)

    def read(self) -> Tokens:
        return self._login().tokens

    def write(self, tokens: Tokens) -> None:
        login = replace(self._login(), tokens=tokens)
        self.vault.write(self.profile, self.account, login)

    def _login(self) -> SavedLogin:
        login = self.vault.read(self.profile, self.account)
        if login is None:
            msg = (
                f"Profile {self.profile} was signed out during this run. Sign in again: "
                f"{build_auth_command('login', self.profile)}"
            )
            raise SignedOutError(msg)
        return login


@dataclass(frozen=True, slots=True)
class SeededTokenStore:
    """
    Keeps the tokens for which a configured refresh token (the seed) was exchanged.

    They are used until the configuration has another refresh token or another app.
    """

    vault: Vault
    profile: str
    client_id: str
    seed: str = field(repr=False)

    def lock(self) -> AbstractContextManager[object]:
        return _lock(self.vault, self.profile)

    def find_obstacle(self) -> str:
        return self.vault.find_obstacle(self.profile)

    def read(self) -> Tokens:
        login = self.vault.read(self.profile, CONFIGURED)
        if login is None or login.client_id != self.client_id:
            return Tokens(refresh_token=self.seed)
        # If the seed is the newest token, a token_command has put it into the configuration.
        if matches_digest(login.seed, self.seed) or login.tokens.refresh_token == self.seed:
            return login.tokens
        return Tokens(refresh_token=self.seed)

    def write(self, tokens: Tokens) -> None:
        login = SavedLogin(tokens, client_id=self.client_id, seed=make_digest(self.seed))
        self.vault.write(self.profile, CONFIGURED, login)


def _lock(vault: Vault, profile: str) -> AbstractContextManager[object]:
    """The profile's lock; none for a read-only vault, where other processes cannot write either."""
    return nullcontext() if vault.files.check_writable() else vault.lock(profile)
