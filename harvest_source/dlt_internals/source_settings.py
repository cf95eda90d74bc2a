"""The settings of a dlt source, from that source's own sections only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ValueNotSecretException as ValueNotSecretException
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.configuration.specs.base_configuration import extract_inner_hint, is_secret_hint
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.configuration.utils import deserialize_value
from dlt.common.typing import ConfigValueSentinel

from harvest_source.dlt_internals.settings import FoundSetting, name_place

_USUAL: Final = ("sources", "harvest")
_NAMED: Final = 3
"""Sections of a source that dlt evaluates: ``sources``, its section and its name."""


def is_to_resolve(value: object) -> bool:
    """
    Whether a caller's value is ``dlt.secrets.value`` or ``dlt.config.value``: read the settings.

    dlt replaces these two in the arguments of its own resolver only. Without the class: compare
    with the two objects, which dlt makes once.
    """
    return isinstance(value, ConfigValueSentinel)


def find_source_setting(
    key: str, sections: tuple[str, ...] = (), *inner: str, hint: Any = str
) -> FoundSetting | None:
    """
    Find the value of *key* in a source's own sections; None if no provider has one there.

    dlt goes on to ``sources.<key>`` and to the key alone, so that ``API_URL``, meant for another
    program, would say where a token is sent.

    Args:
        sections: The source's sections; empty: those of the source that dlt is evaluating.
        inner: Sections below the source's.
        hint: The value's type; some providers are asked for secrets only.

    Raises:
        ValueNotSecretException: A secret stands where dlt allows none, such as ``config.toml``.

    Without ``ConfigSectionContext``: read ``sources.harvest`` in any case, without the pipeline's
    name before it. Without ``get_value``: see :func:`find_setting`.
    """
    context = Container()[ConfigSectionContext]
    sections = sections or _find_own_sections(context)
    places = [place + inner for place in _iter_places(sections)]
    for name in dict.fromkeys((context.pipeline_name or "", "")):
        for provider in dlt.config.config_providers:
            if provider.is_empty or not provider.supports_sections:
                continue
            for place in places:
                value, found = provider.get_value(key, hint, name, *place)
                if value is None:
                    continue
                if is_secret_hint(hint) and not provider.supports_secrets:
                    raise ValueNotSecretException(provider.name, found)
                location = provider.get_value_location(key, name, *place)
                return FoundSetting(value, f"{found} in {name_place(provider, location)}")
    return None


def fill_spec(
    spec: BaseConfiguration,
    given: Mapping[str, Any],
    sections: tuple[str, ...],
    *inner: str,
) -> None:
    """
    Set the fields of *spec* that a caller gave, or that are found in the source's own sections.

    Args:
        given: Values by field, as they are to be used.
        sections: As for :func:`find_source_setting`.

    Raises:
        ConfigurationException: A value does not have the field's type, or is a misplaced secret.

    Without ``deserialize_value``: convert text to whole numbers, the only other type of ours.
    """
    for name, hint in spec.get_resolvable_fields().items():
        if (value := given.get(name)) is None:
            found = find_source_setting(name, sections, *inner, hint=hint)
            if found is None:
                continue
            inner_hint = extract_inner_hint(hint, preserve_literal=True)
            value = deserialize_value(name, found.value, inner_hint)
        setattr(spec, name, value)
    spec.resolve()


def find_source_section() -> tuple[str, ...]:
    """
    The section for the settings of the source that dlt is evaluating, as a person writes it.

    Two names, such as ``sources.harvest``; a cloned source may have another than the usual one.
    """
    return _find_own_sections(Container()[ConfigSectionContext])[: len(_USUAL)]


def _find_own_sections(context: ConfigSectionContext) -> tuple[str, ...]:
    return context.sections if context.sections[:1] == _USUAL[:1] else _USUAL


def _iter_places(sections: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The sections that name the source, from the most specific one, as dlt orders them."""
    yield sections
    if len(sections) == _NAMED:
        top, section, name = sections
        yield top, section
        if name != section:
            yield top, name
