"""The names of profiles, which keep saved logins apart; without HTTP, for what only names one."""

from __future__ import annotations

import re
from typing import Final

from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, printable

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_profile(name: str, what: str = "--profile") -> str:
    """
    *name*, if it can name a profile: it becomes the name of a file and of a configuration section.

    Args:
        what: Where it was given, for the message.

    Raises:
        ConfigError: It cannot.
    """
    if not _NAME.fullmatch(name):
        msg = f"{what} cannot be {printable(name, limit=40)!r}. Use letters, digits, - and _ only."
        raise ConfigError(msg)
    return name


def build_auth_command(verb: str, profile: str) -> str:
    """The command to type: ``harvest-source auth login --profile work``."""
    return f"harvest-source auth {verb}" + ("" if profile == PROFILE else f" --profile {profile}")
