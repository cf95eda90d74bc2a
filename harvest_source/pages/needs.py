"""Whether the optional libraries of the pages are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Final

from harvest_source.errors import ConfigError
from harvest_source.installation import build_extra_command

_MODULES: Final[Mapping[str, Sequence[str]]] = {
    "report": ("altair", "vl_convert"),
    "app": ("altair", "vl_convert", "marimo"),
}
"""Modules that each extra installs."""


def check_installed(extra: str) -> None:
    """
    Check that the modules of *extra* are installed.

    Raises:
        ConfigError: One is missing; the message says how to install it.
    """
    if any(importlib.util.find_spec(each) is None for each in _MODULES[extra]):
        msg = f"This command needs the extra {extra}. Install it: {build_extra_command(extra)}"
        raise ConfigError(msg)
