"""Names of profiles, which separate saved logins. Imports no HTTP code."""

from __future__ import annotations

import re
from typing import Final

from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, printable

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_profile(name: str, what: str = "--profile") -> str:
    """
    Return *name* if it is a valid profile name: it names a file and a configuration section.

    Args:
        what: Where the name was given, for the message.

    Raises:
        ConfigError: It is not valid.
    """
    if not _NAME.fullmatch(name):
        msg = f"{what} cannot be {printable(name, limit=40)!r}. Use letters, digits, - and _ only."
        raise ConfigError(msg)
    return name


def build_auth_command(verb: str, profile: str) -> str:
    """The command for the user to type: ``harvest-source auth login --profile work``."""
    return f"harvest-source auth {verb}" + ("" if profile == PROFILE else f" --profile {profile}")
