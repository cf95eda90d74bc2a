"""Names of sign-ins: several people or tenants on one machine, kept apart."""

from __future__ import annotations

import re
from typing import Final

from harvest_source.errors import ConfigError, printable

DEFAULT: Final = "default"
"""The profile of those who name none."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_profile(name: str) -> str:
    """
    *name*, if it can be a profile's.

    Raises:
        ConfigError: It cannot: it names a file and a section of the configuration.
    """
    if not _NAME.fullmatch(name):
        msg = (
            f"--profile cannot be {printable(name, limit=40)!r}. Use letters, digits, - and _ only."
        )
        raise ConfigError(msg)
    return name


def build_command(verb: str, profile: str) -> str:
    """What to type to do *verb* to *profile*: ``harvest-source auth login --profile work``."""
    return f"harvest-source auth {verb}" + ("" if profile == DEFAULT else f" --profile {profile}")
