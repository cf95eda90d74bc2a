"""Read ``[sources.harvest]`` from dlt's configuration providers, for one profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dlt.common.configuration import ConfigValueCannotBeCoercedException

from harvest_source.auth.profiles import check_profile
from harvest_source.config.known_keys import check_given, check_keys
from harvest_source.config.settings_files import (
    check_folder_access,
    check_runtime,
    explain_unreadable,
)
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import PROFILE
from harvest_source.dlt_internals import (
    ConfigurationException,
    ValueNotSecretException,
    fill_spec,
    find_source_section,
    find_source_setting,
    is_to_resolve,
    iter_config_values,
)
from harvest_source.errors import ConfigError, printable

SECTIONS: Final = ("sources", "harvest")

PROFILES: Final = "profiles"
"""Section below ours with the settings of each named profile."""

CREDENTIALS: Final = "credentials"


def read_configuration(
    overrides: Mapping[str, Any], *, sections: tuple[str, ...] = SECTIONS
) -> HarvestConfiguration:
    """
    The settings of ``[sources.harvest]``; their values are not yet checked.

    Nothing is read from other sections, nor from variables without a prefix, as dlt would do: a
    variable such as ``API_URL`` may be meant for another program.

    A named profile has its own credentials and accounts, from ``[sources.harvest.profiles.NAME]``
    or from *overrides*. Those of the general section belong to the default profile and are not used
    for another profile, or a run would read the wrong account. The app is an exception: see
    :func:`read_profile_credentials`.

    Args:
        overrides: Values by key that win over the providers; None, ``dlt.config.value`` and
            ``dlt.secrets.value`` count as not given.
        sections: Where the providers look; empty: as dlt's current context says.

    Raises:
        ConfigError: A value cannot be read, or nothing reads a key.
    """
    given = _keep_given(overrides)
    check_given(given)
    given = {name: value for name, value in given.items() if value is not None}
    is_renewed = _has_only_refresh_token(given.get(CREDENTIALS))
    try:
        check_runtime()
        check_folder_access()
        check_keys()
        config = _resolve(given, sections)
    except ConfigurationException as error:
        if why := explain_unreadable(error):
            raise ConfigError(why) from error
        raise ConfigError(f"The settings cannot be read: {_explain(error, sections)}") from error
    if is_renewed:
        config.credentials.access_token = None  # A provider's token would win over the given one.
    profile = check_profile(config.auth_profile, "--profile (auth_profile)")
    if profile != PROFILE:
        if CREDENTIALS not in given:
            config.credentials = read_profile_credentials(profile)
        if "account_id" not in given:
            config.account_id = find_value("account_id", profile)[0]
    return config


def _keep_given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's values, with None where dlt users say that a value is to be read."""
    given = {name: None if is_to_resolve(value) else value for name, value in overrides.items()}
    credentials = given.get(CREDENTIALS)
    if isinstance(credentials, Mapping) and not isinstance(credentials, HarvestCredentials):
        given[CREDENTIALS] = {
            name: None if is_to_resolve(value) else value for name, value in credentials.items()
        }
    return given


def _resolve(given: Mapping[str, Any], sections: tuple[str, ...]) -> HarvestConfiguration:
    credentials = given.get(CREDENTIALS)
    if not isinstance(credentials, HarvestCredentials) or not credentials.is_resolved():
        values = credentials or {}
        credentials = HarvestCredentials()
        fill_spec(credentials, values, sections, CREDENTIALS)
    config = HarvestConfiguration()
    fill_spec(config, {**given, CREDENTIALS: credentials}, sections)
    return config


def _has_only_refresh_token(credentials: Any) -> bool:
    """Whether the caller gave a refresh token and no access token."""
    if isinstance(credentials, HarvestCredentials):
        credentials = vars(credentials)
    given = {name for name, value in (credentials or {}).items() if value is not None}
    return "refresh_token" in given and "access_token" not in given


def read_profile_credentials(profile: str) -> HarvestCredentials:
    """
    The credentials of one named profile, from its own section.

    Only the app may come from the general section, if the profile has neither app nor refresh
    token: an app is a program and does not belong to an account.
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
    A value of a profile, and where it was found, in words for the user.

    Returns:
        ``(None, "")`` if there is none.
    """
    place = SECTIONS if profile == PROFILE else (*SECTIONS, PROFILES, profile)
    for value, key, provider in iter_config_values(name, *place, *sections):
        return value, key if provider.startswith("Env") else f"{key} in {provider}"
    return None, ""


def name_section(profile: str) -> str:
    """
    The name of a profile's section: ``sources.harvest.profiles.work``.

    That of the default profile is the section of the source that dlt is evaluating.
    """
    return ".".join(find_source_section() if profile == PROFILE else (*SECTIONS, PROFILES, profile))


def _explain(error: ConfigurationException, sections: tuple[str, ...]) -> str:
    """The first lines of dlt's message, without a value that may be a token, and what to do."""
    section = ".".join(sections or find_source_section())
    if isinstance(error, ValueNotSecretException):
        *place, name = error.key.split(".")
        return (
            f"{error.provider_name} has {printable(error.key, limit=100)}, which is a secret, and "
            "dlt reads secrets from other places only. Move "
            f"{name} into .dlt/secrets.toml under [{'.'.join(place)}], or into the "
            "environment."
        )
    files = f".dlt/config.toml or .dlt/secrets.toml under [{section}], or in the environment"
    if isinstance(error, ConfigValueCannotBeCoercedException):
        found = find_source_setting(error.field_name, sections)
        wanted = getattr(error.hint, "__name__", str(error.hint))
        where = f" ({found.place})" if found else ""
        return f"{error.field_name} is not of type {wanted}{where}. Correct it in {files}."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = printable(" ".join(lines[:2]) or type(error).__name__, limit=300).rstrip(".")
    return f"{text}. Correct it in {files}."
