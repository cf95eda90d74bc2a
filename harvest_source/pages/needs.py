"""Whether the optional libraries of the pages are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Final

from harvest_source.errors import ConfigError
from harvest_source.installation import advise_extra

_MODULES: Final[Mapping[str, Sequence[str]]] = {
    "report": ("altair", "vl_convert"),
    "app": ("altair", "vl_convert", "marimo"),
}
"""What each extra brings."""


def check_installed(extra: str) -> None:
    """
    Check that what *extra* brings can be imported.

    Raises:
        ConfigError: Something is missing; says how to install it.
    """
    if any(importlib.util.find_spec(each) is None for each in _MODULES[extra]):
        msg = f"This command needs the extra {extra}. Install it: {advise_extra(extra)}"
        raise ConfigError(msg)
