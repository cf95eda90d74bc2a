"""Settings of a run, from dlt's configuration providers and what the caller says on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import (
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from harvest_source.auth.saved_login import check_profile
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, printable

SECTIONS: Final = ("sources", "harvest")

PROFILES: Final = "profiles"
"""The section below ours that holds what belongs to one named profile alone."""

CREDENTIALS: Final = "credentials"


def resolve_settings(overrides: Mapping[str, Any]) -> HarvestConfiguration:
    """
    Read ``[sources.harvest]``; of a named profile, ``[sources.harvest.profiles.NAME]`` on top.

    A named profile has no credentials and accounts but its own: those of the general section are
    somebody else's.

    Args:
        overrides: Values that win over the providers; those that are None do not count.

    Raises:
        ConfigError: A value that cannot be read.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        config = resolve_configuration(
            HarvestConfiguration(), sections=SECTIONS, explicit_value=given or None
        )
    except ConfigurationException as error:
        msg = (
            f"The settings cannot be read: {_what_is_wrong(error)}. Correct it in "
            ".dlt/config.toml or .dlt/secrets.toml under [sources.harvest], or in the environment."
        )
        raise ConfigError(msg) from error
    if check_profile(config.auth_profile) != PROFILE:
        if CREDENTIALS not in given:
            config.credentials = read_credentials(config.auth_profile)
        if "account_id" not in given:
            config.account_id = find_value("account_id", config.auth_profile)[0]
    return config


def read_credentials(profile: str) -> HarvestCredentials:
    """
    The credentials of one named profile, from its own section alone.

    Only the app may be the general one: it is a program, and nobody's account.
    """
    credentials = HarvestCredentials()
    for name in HarvestCredentials.get_resolvable_fields():
        setattr(credentials, name, find_value(name, profile, CREDENTIALS)[0])
    if credentials.client_id is None and credentials.refresh_token is None:
        for name in ("client_id", "client_secret"):
            setattr(credentials, name, find_value(name, PROFILE, CREDENTIALS)[0])
    return credentials


def find_value(name: str, profile: str, *sections: str) -> tuple[Any, str]:
    """
    A value of a profile, and where it was read from as people would look for it.

    Returns:
        ``(None, "")`` when there is none.
    """
    place = SECTIONS if profile == PROFILE else (*SECTIONS, PROFILES, profile)
    for provider in Container()[PluggableRunContext].providers.providers:
        value, key = provider.get_value(name, str, "", *place, *sections)
        if value is not None:
            return value, key if provider.name.startswith("Env") else f"{key} in {provider.name}"
    return None, ""


def _what_is_wrong(error: ConfigurationException) -> str:
    """The lines of dlt's message that help; it never holds a value, so never the token."""
    if isinstance(error, ConfigValueCannotBeCoercedException):
        wanted = getattr(error.hint, "__name__", str(error.hint))
        return f"{error.field_name} is not of type {wanted}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = " ".join(lines[:2]) or type(error).__name__
    return printable(told, limit=300).rstrip(".")
