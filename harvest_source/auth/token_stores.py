"""
Stores that keep the tokens of a login between runs.

This module has the interface, a store that keeps nothing, and one that calls the user's command.
"""

from __future__ import annotations

import errno
import shlex
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, HarvestError, SignInError

COMMAND_S: Final = 60.0
"""Seconds a token command may take: longer than any secrets manager. Every thread waits for it."""


class SignedOutError(SignInError):
    """The login was removed from its store during this run."""


class TokenStore(Protocol):
    """Keeps the tokens of one login between runs."""

    def lock(self) -> AbstractContextManager[object]:
        """
        Keep other processes out while a token is exchanged.

        Raises:
            BusyError: Another process holds the lock for too long.
            HarvestError: The store cannot be used now.
        """
        ...

    def read(self) -> Tokens:
        """
        The current tokens, which another process may have renewed.

        Raises:
            SignedOutError: There are none any more.
            HarvestError: They cannot be read now.
        """
        ...

    def find_obstacle(self) -> str:
        """
        Test whether new tokens can be stored now; return why not, or an empty text.

        Raises:
            HarvestError: The vault or its key cannot be read, or the key cannot be made.
        """
        ...

    def write(self, tokens: Tokens) -> None:
        """
        Store *tokens*; once this returns, they survive a crash.

        Raises:
            HarvestError: They could not be stored: the vault's key cannot be read.
            OSError: They could not be stored.
        """
        ...


@dataclass(frozen=True, slots=True)
class NowhereTokenStore:
    """
    Holds the first tokens and cannot store others.

    Attributes:
        why: What is missing, as the end of a sentence.
    """

    tokens: Tokens
    why: str

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    def read(self) -> Tokens:
        return self.tokens

    def find_obstacle(self) -> str:
        return self.why

    def write(self, tokens: Tokens) -> None:
        del tokens
        raise OSError(errno.EROFS, self.why)


class CommandTokenStore:
    """
    Wraps another store and passes every new refresh token to a command on its stdin.

    Stdin contains only the token, without a line end. The command's output is discarded, because it
    may repeat the token.

    Args:
        command: Split as a shell would split it, but run without a shell.

    Raises:
        ConfigError: *command* cannot be split.
    """

    def __init__(
        self,
        inner: TokenStore,
        command: str,
        on_warning: Callable[[str], None],
        timeout_s: float = COMMAND_S,
        profile: str = PROFILE,
    ) -> None:
        self._inner = inner
        self._arguments = split_command(command)
        self._on_warning = on_warning
        self._timeout_s = timeout_s
        self._profile = profile

    def lock(self) -> AbstractContextManager[object]:
        return self._inner.lock()

    def read(self) -> Tokens:
        return self._inner.read()

    def find_obstacle(self) -> str:
        """Empty if the command exists: it can keep tokens even if the other store cannot."""
        if shutil.which(self._arguments[0]):
            return ""
        why = self._inner.find_obstacle()
        return f"{why}, and the program of token_command was not found" if why else ""

    def write(self, tokens: Tokens) -> None:
        old, failure = "", None
        try:
            old = self._inner.read().refresh_token
            self._inner.write(tokens)
        except (OSError, HarvestError) as error:
            failure = error
        # The command may be the only place that keeps the refresh token. Losing only an access
        # token is harmless.
        is_kept = tokens.refresh_token == old or self._hand_over(tokens.refresh_token)
        if failure is not None and not is_kept:
            raise failure

    def _hand_over(self, token: str) -> bool:
        """Pass *token* to the command; warn and return False if that fails."""
        why = ""
        try:
            done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
                self._arguments,
                input=token.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout_s,
                check=False,
            )
            why = f"ended with code {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            why = f"took more than {self._timeout_s:.0f} s"
        except OSError as error:
            why = f"could not be started ({error.strerror})"
        if why:
            command = build_auth_command("login", self._profile)
            self._on_warning(
                f"token_command {why}: it should have saved the new refresh token. If the next "
                f"run takes its token from there, sign in again: {command}"
            )
        return not why


def split_command(command: str) -> list[str]:
    """
    The words of a command line.

    Raises:
        ConfigError: There are no words, a quote is not closed, or there is a zero byte. The message
            does not repeat the text.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words or "\0" in command:
        msg = (
            "token_command is not a command. Write it as on a command line, without a shell's "
            "pipes; it gets the new refresh token on its stdin."
        )
        raise ConfigError(msg)
    return words
