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
    Yield ``(value, key, provider)`` for each configuration provider that has a setting, in order.

    ``dlt.config[...]`` returns only the value; people need to know where it came from. Without the
    providers: return the key as dlt spells it and leave out the place.
    """
    for provider in dlt.config.config_providers:
        value, key = provider.get_value(name, str, "", *sections)
        if value is not None:
            yield value, key, provider.name


def iter_config_sections(*sections: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """
    Yield ``(place, content)`` for each configuration provider that has a section.

    The place is the file's absolute path, or the provider's name if it has no file. dlt merges a
    project's file with the user's own; the place then names both.

    ``dlt.config[...]`` returns only values. Without the providers: read the two files of the run
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
    Yield the configuration files that dlt looks for, existing or not, as absolute paths.

    Without ``locations``, which is not documented: name the run context's settings folder.
    """
    for provider in dlt.config.config_providers:
        yield from (Path(each).absolute() for each in provider.locations)


def find_unreadable_files(error: ConfigurationException) -> tuple[Path, ...]:
    """
    The configuration files, one of which dlt cannot read according to *error*; absolute paths.

    Without ``full_paths``: parse the error's message, which names them.
    """
    return tuple(Path(each).absolute() for each in getattr(error, "full_paths", ()))


def log_warning(message: str) -> None:
    """
    Write *message* to dlt's log, where users of plain dlt look.

    dlt sets up the log when it first reads its configuration; messages before that are dropped.

    Without dlt's logger: ``logging.getLogger("dlt")``, which dlt configures by the same settings.
    """
    logger.warning(message)


NAMING_ERRORS: Final = (NormalizersException, ValueError)
"""What dlt raises if its settings name a naming convention that does not exist, or none."""


def has_other_naming(schema: dlt.Schema) -> bool:
    """
    Whether the next load would rename tables and columns of *schema* by another naming convention.

    Without ``will_update_normalizers``: compare ``schema.naming`` with that of a new schema.
    """
    return schema.will_update_normalizers()


@dataclass(frozen=True, slots=True)
class FoundSetting:
    """
    One of dlt's own settings, as dlt would find it.

    Attributes:
        value: As the provider has it: text from the environment, or a TOML value.
        place: Key and provider, in words for people.
    """

    value: Any
    place: str


def find_setting(
    key: str, sections: tuple[str, ...], inner: str = "", pipeline: str = ""
) -> FoundSetting | None:
    """
    Find the value of *key* that dlt would use; None if no provider has one.

    Args:
        sections: The most specific sections; dlt drops them one by one, from the last.
        inner: Section that always stays between them and the key.
        pipeline: Name of a pipeline, which may precede all sections.

    The order is that of ``dlt.common.configuration.resolve``, whose own function records every
    place that it searched and takes four times as long. Without ``get_value_location``: the name of
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
                    return FoundSetting(value, f"{found} in {name_place(provider, location)}")
    return None


def name_place(provider: Any, location: str) -> str:
    """The absolute path of the file that has a value, or the provider's name in a sentence."""
    if not provider.present_locations:
        return "the environment" if provider.name.startswith("Env") else str(provider.name)
    # dlt gives file names without folders, and prefixes the file that all projects share "global:".
    at = -1 if location.startswith("global:") else 0
    return str(Path(provider.present_locations[at]).absolute())
