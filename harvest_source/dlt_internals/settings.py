"""dlt's configuration, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import dlt
from dlt.common import logger
from dlt.common.configuration.resolve import resolve_single_provider_value
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


def log_warning(message: str) -> None:
    """
    Put *message* into dlt's log, where users of plain dlt look.

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

    Looks with dlt's own function, which is internal. Without it: :func:`iter_config_values` for
    each shorter list of sections.
    """
    look: Any = resolve_single_provider_value  # dlt's annotations leave out None.
    for name in (pipeline, None) if pipeline else (None,):
        for provider in dlt.config.config_providers:
            value, looked = look(provider, key, str, name, inner or None, sections)
            if value is not None:
                found = looked[-1]
                place = found.provider_location or found.provider
                return FoundSetting(value, f"{found.key} in {place}")
    return None
