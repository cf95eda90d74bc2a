"""The sections ``[sources.harvest.scopes.NAME]`` of the configuration files, as they are there."""

from __future__ import annotations

from typing import Any

from harvest_source.config.known_keys import check_keys
from harvest_source.dlt_internals import iter_config_sections


def read_scopes() -> dict[str, Any]:
    """
    Each scope's section by its name; the first file that has a name counts, whole.

    Raises:
        ConfigError: A key that nothing reads.
    """
    check_keys()
    found: dict[str, Any] = {}
    for _, section in iter_config_sections("sources", "harvest", "scopes"):
        for name, value in section.items():
            found.setdefault(str(name), value)
    return found
