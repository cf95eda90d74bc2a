"""dlt's configuration, and its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common import logger
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.specs.base_configuration import is_secret_hint as is_secret_hint
from dlt.common.normalizers.naming.exceptions import NormalizersException


def iter_config_values(name: str, *sections: str) -> Iterator[tuple[Any, str, str]]:
    """
    ``(value, key, provider)`` of a setting, of each configuration provider that has it, in order.

    ``dlt.config[...]`` gives the value only; people need to know where it came from. Without the
    providers: give the key as dlt spells it and leave out the place.
    """
    for provider in dlt.config.config_providers:
        value, key = provider.get_value(name, str, "", *sections)
        if value is not None:
            yield value, key, provider.name


def iter_config_sections(*sections: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """
    ``(place, content)`` of a section, of each configuration file that has it.

    A place is the file's absolute path, or the provider's name where it has no file. dlt merges a
    project's file with the user's own: then both are named.

    ``dlt.config[...]`` gives values only. Without the providers: read the two files of the run
    context's settings folder.
    """
    for provider in dlt.config.config_providers:
        content, _ = provider.get_value(sections[-1], dict, "", *sections[:-1])
        if isinstance(content, Mapping):
            found = [Path(each).absolute() for each in provider.locations]
            yield (
                " or ".join(str(each) for each in found if each.exists()) or provider.name,
                content,
            )


def iter_config_files() -> Iterator[Path]:
    """
    The configuration files that dlt looks for, there or not, as absolute paths.

    Without ``locations``, which is not documented: name the run context's settings folder.
    """
    for provider in dlt.config.config_providers:
        yield from (Path(each).absolute() for each in provider.locations)


def find_unreadable_files(error: ConfigurationException) -> tuple[Path, ...]:
    """
    The configuration files of which *error* says that dlt cannot read one; absolute paths.

    Without ``full_paths``: its message has them.
    """
    return tuple(Path(each).absolute() for each in getattr(error, "full_paths", ()))


def log_warning(message: str) -> None:
    """
    Put *message* into dlt's log, where users of plain dlt look; dropped while dlt has none.

    dlt sets it up when it first reads its configuration.

    Without dlt's logger: ``logging.getLogger("dlt")``, which dlt configures by the same settings.
    """
    logger.warning(message)


NAMING_ERRORS: Final = (NormalizersException,)
"""What dlt raises where it is told to use a naming convention that does not exist."""


def has_other_naming(schema: dlt.Schema) -> bool:
    """
    Whether dlt would rename what is in *schema* at the next load, by another naming convention.

    Without ``will_update_normalizers``: compare ``schema.naming`` with that of a new schema.
    """
    return schema.will_update_normalizers()


@dataclass(frozen=True, slots=True)
class FoundSetting:
    """
    A setting of dlt's own, as it would find it.

    Attributes:
        value: As the provider has it: text from the environment, a value of TOML.
        place: Key and provider, in words for people.
    """

    value: Any
    place: str


def find_setting(
    key: str, sections: tuple[str, ...], inner: str = "", pipeline: str = ""
) -> FoundSetting | None:
    """
    The value of *key* that dlt would use; None when no provider has one.

    Args:
        sections: The most special ones; dlt leaves them out one by one, from the last.
        inner: Section that stays between them and the key.
        pipeline: Name of a pipeline, which may stand before all sections.

    The order is that of ``dlt.common.configuration.resolve``, whose own function notes every place
    that it looked in, which takes four times as long. Without ``get_value_location``: the name of
    the provider.
    """
    tail = (inner,) if inner else ()
    places = [sections[:length] + tail for length in range(len(sections), -1, -1)]
    for name in (pipeline, "") if pipeline else ("",):
        for provider in dlt.config.config_providers:
            for place in () if provider.is_empty else places:
                value, found = provider.get_value(key, str, name, *place)
                if value is not None:
                    location = provider.get_value_location(key, name, *place)
                    return FoundSetting(value, f"{found} in {_name_place(provider, location)}")
    return None


def _name_place(provider: Any, location: str) -> str:
    """The absolute path of the file that has a value; else the provider, as in a sentence."""
    if not provider.present_locations:
        return "the environment" if provider.name.startswith("Env") else str(provider.name)
    # dlt names files without their folders, with "global:" before the one that other projects read.
    at = -1 if location.startswith("global:") else 0
    return str(Path(provider.present_locations[at]).absolute())
