"""Read the sections ``[sources.harvest.scopes.NAME]`` of the configuration files, unchecked."""

from __future__ import annotations

from typing import Any

from harvest_source.config.known_keys import check_keys
from harvest_source.dlt_internals import iter_config_sections


def read_scopes() -> dict[str, Any]:
    """
    Each scope's section, by name. If several files have the same name, the first file's section
    is used and the others are ignored.

    Raises:
        ConfigError: Nothing reads a key.
    """
    check_keys()
    found: dict[str, Any] = {}
    for _, section in iter_config_sections("sources", "harvest", "scopes"):
        for name, value in section.items():
            found.setdefault(str(name), value)
    return found
