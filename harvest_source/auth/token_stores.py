"""Where the tokens of a login are kept between runs; here: in memory, or with a user's command."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from harvest_source.auth.token_endpoint import Tokens
from harvest_source.errors import ConfigError

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

    def write(self, tokens: Tokens) -> None:
        """
        Store *tokens*; they survive a crash after this returns.

        Raises:
            OSError: They could not be stored.
        """
        ...


class MemoryTokenStore:
    """Keeps tokens for this process only: a renewed token is lost when it ends."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    def read(self) -> Tokens:
        return self._tokens

    def write(self, tokens: Tokens) -> None:
        self._tokens = tokens


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

    def write(self, tokens: Tokens) -> None:
        old = self._inner.read().refresh_token
        try:
            self._inner.write(tokens)
        finally:
            # Also when the inner store failed: the command may be the only one that keeps it.
            if tokens.refresh_token != old:
                self._hand_over(tokens.refresh_token)

    def _hand_over(self, token: str) -> None:
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
                f"token_command {why}: it was to keep the new refresh token. Where that command "
                "is what the next run takes its token from, sign in again: harvest-source auth "
                "login"
            )


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
    if not words:
        msg = (
            "token_command is not a command. Write it as on a command line, without a shell's "
            "pipes; it gets the new refresh token on its stdin."
        )
        raise ConfigError(msg)
    return words
