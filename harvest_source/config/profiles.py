"""The named profiles of the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from harvest_source.config.resolve import PROFILES, SECTIONS
from harvest_source.dlt_internals import iter_config_sections

_PREFIX: Final = "__".join((*SECTIONS, PROFILES, "")).upper()


def list_configured_profiles() -> tuple[str, ...]:
    """
    The names below ``[sources.harvest.profiles]``, sorted; those of the environment in lower case.

    If a name from the environment differs only in case from one in a file, it is that profile.
    """
    found = set(_iter_profiles_of_files())
    spelt = {name.lower() for name in found}
    return tuple(sorted(found | (set(_iter_profiles_of_environment()) - spelt)))


def _iter_profiles_of_files() -> Iterator[str]:
    for _, section in iter_config_sections(*SECTIONS, PROFILES):
        yield from (name for name, content in section.items() if isinstance(content, Mapping))


def _iter_profiles_of_environment() -> Iterator[str]:
    for variable in os.environ:
        name, *key = variable.removeprefix(_PREFIX).split("__")
        if variable.startswith(_PREFIX) and key:
            yield name.lower()
