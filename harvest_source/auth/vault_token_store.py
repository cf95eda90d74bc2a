"""Logins of the vault as :class:`harvest_source.auth.oauth.Safe`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from harvest_source.auth.oauth import Tokens
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin, build_auth_command
from harvest_source.auth.vault import Vault, is_digest, make_digest
from harvest_source.errors import SignInError


@dataclass(frozen=True, slots=True)
class VaultTokenStore:
    """A login that ``harvest-source auth login`` made."""

    vault: Vault
    profile: str
    account: str

    def lock(self) -> AbstractContextManager[object]:
        # Where nothing can be written nobody else can, either; that is told elsewhere.
        return nullcontext() if self.vault.check_writable() else self.vault.lock(self.profile)

    def read(self) -> Tokens:
        return self._login().tokens

    def write(self, tokens: Tokens) -> None:
        login = replace(self._login(), tokens=tokens)
        self.vault.write(self.profile, self.account, login)

    def _login(self) -> SavedLogin:
        login = self.vault.read(self.profile, self.account)
        if login is None:
            msg = (
                f"Profile {self.profile} was signed out meanwhile. Sign in again: "
                f"{build_auth_command('login', self.profile)}"
            )
            raise SignInError(msg)
        return login


@dataclass(frozen=True, slots=True)
class SeededTokenStore:
    """
    A login that began with a refresh token of the configuration.

    What that was exchanged for counts, until the configuration says another; the same app's.
    """

    vault: Vault
    profile: str
    client_id: str
    seed: str = field(repr=False)

    def lock(self) -> AbstractContextManager[object]:
        return self.vault.lock(self.profile)

    def read(self) -> Tokens:
        login = self.vault.read(self.profile, CONFIGURED)
        if login is None or login.client_id != self.client_id:
            return Tokens(refresh_token=self.seed)
        # The second: a token_command has put the newest one into the configuration.
        if is_digest(login.seed, self.seed) or login.tokens.refresh_token == self.seed:
            return login.tokens
        return Tokens(refresh_token=self.seed)

    def write(self, tokens: Tokens) -> None:
        login = SavedLogin(tokens, client_id=self.client_id, seed=make_digest(self.seed))
        self.vault.write(self.profile, CONFIGURED, login)
