"""Where the tokens of a login are kept between runs; here: nowhere, or with a user's command."""

from __future__ import annotations

import errno
import shlex
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from harvest_source.auth.token_endpoint import Tokens
from harvest_source.errors import ConfigError, HarvestError

COMMAND_S: Final = 60.0
"""Seconds a token command may take; longer than any secrets manager. Every thread waits for it."""


class TokenStore(Protocol):
    """Keeps the tokens of one login between runs."""

    def lock(self) -> AbstractContextManager[object]:
        """Keep other processes out while a token is exchanged."""
        ...

    def read(self) -> Tokens:
        """The tokens as they are now, perhaps renewed by another process."""
        ...

    def find_obstacle(self) -> str:
        """
        Why new tokens could not be stored now; empty when they could: it was tried.

        Raises:
            SignInError: The vault's key cannot be read or made.
        """
        ...

    def write(self, tokens: Tokens) -> None:
        """
        Store *tokens*; they survive a crash after this returns.

        Raises:
            OSError: They could not be stored.
        """
        ...


@dataclass(frozen=True, slots=True)
class NowhereTokenStore:
    """
    Has tokens to begin with and no place for others.

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
    Another store, and a command that gets every new refresh token on its stdin.

    Stdin holds the token alone, without a line end. The command's output is dropped, because it may
    repeat the token.

    Args:
        command: Split as a shell would split it; run without a shell.

    Raises:
        ConfigError: *command* cannot be split.
    """

    def __init__(
        self,
        inner: TokenStore,
        command: str,
        on_warning: Callable[[str], None],
        timeout_s: float = COMMAND_S,
    ) -> None:
        self._inner = inner
        self._arguments = split_command(command)
        self._on_warning = on_warning
        self._timeout_s = timeout_s

    def lock(self) -> AbstractContextManager[object]:
        return self._inner.lock()

    def read(self) -> Tokens:
        return self._inner.read()

    def find_obstacle(self) -> str:
        """The command is a place of its own, whatever becomes of the other store."""
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
        # The command may be the only one that keeps it. An access token alone is no loss.
        is_kept = tokens.refresh_token == old or self._hand_over(tokens.refresh_token)
        if failure is not None and not is_kept:
            raise failure

    def _hand_over(self, token: str) -> bool:
        """Whether the command took *token*; if not, that is warned of."""
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
            self._on_warning(
                f"token_command {why}: it was to keep the new refresh token. If the next run takes "
                "its token from there, sign in again: harvest-source auth login"
            )
        return not why


def split_command(command: str) -> list[str]:
    """
    The words of a command line.

    Raises:
        ConfigError: There are none, or a quote is left open. The text is not repeated.
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
