"""Settings of a run, from dlt's configuration providers and what the caller says on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from harvest_source.credentials import HarvestConfiguration
from harvest_source.errors import ConfigError, printable

SECTIONS: Final = ("sources", "harvest")

_NOTHING_TO_SIGN_IN_WITH = (
    "No Harvest access token was found. Make one at https://id.getharvest.com/developers and put "
    "it into .dlt/secrets.toml as access_token under [sources.harvest.credentials], or into the "
    "environment as SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN. Without an account: add --sandbox."
)


def resolve_settings(overrides: Mapping[str, Any]) -> HarvestConfiguration:
    """
    Read ``[sources.harvest]``.

    Args:
        overrides: Values that win over the providers; those that are None do not count.

    Raises:
        ConfigError: No token, or a value that cannot be read.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return resolve_configuration(
            HarvestConfiguration(), sections=SECTIONS, explicit_value=given or None
        )
    except ConfigFieldMissingException as error:
        raise ConfigError(_NOTHING_TO_SIGN_IN_WITH) from error
    except ConfigurationException as error:
        msg = (
            f"The settings cannot be read: {_what_is_wrong(error)}. Correct it in "
            ".dlt/config.toml or .dlt/secrets.toml under [sources.harvest], or in the environment."
        )
        raise ConfigError(msg) from error


def find_token_source() -> str:
    """Where the access token was read from, as people would look for it. Never the token."""
    context = Container()[PluggableRunContext]
    for provider in context.providers.providers:
        value, key = provider.get_value("access_token", str, "", *SECTIONS, "credentials")
        if value is not None:
            return key if provider.name.startswith("Env") else f"{key} in {provider.name}"
    return ""


def _what_is_wrong(error: ConfigurationException) -> str:
    """The lines of dlt's message that help; it never holds a value, so never the token."""
    if isinstance(error, ConfigValueCannotBeCoercedException):
        wanted = getattr(error.hint, "__name__", str(error.hint))
        return f"{error.field_name} is not of type {wanted}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = " ".join(lines[:2]) or type(error).__name__
    return printable(told, limit=300).rstrip(".")
