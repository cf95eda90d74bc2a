"""Which settings apply, by profile and by the caller's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt
import pytest

from harvest_source.config.resolve import (
    find_value,
    name_section,
    read_configuration,
    read_profile_credentials,
)
from harvest_source.config.spec import HarvestCredentials
from harvest_source.defaults import API_URL, OVERLAP_S, PROFILE
from harvest_source.errors import ConfigError
from tests.support.configuration import Configure

pytestmark = pytest.mark.usefixtures("configure")

GENERAL, WORK = "1.pt.general-secret", "2.pt.work-secret"


def test_defaults_hold_where_nothing_is_set() -> None:
    """An empty configuration is valid, because the credentials may be in the vault."""
    config = read_configuration({})
    assert (config.overlap, config.api_url, config.auth_profile) == (OVERLAP_S, API_URL, PROFILE)
    assert config.credentials.access_token is None
    assert config.account_id is None


def test_a_callers_value_wins_unless_it_is_none(configure: Configure) -> None:
    """None means "as configured"."""
    configure(contact="configured@example.com", overlap="600")
    config = read_configuration({"contact": "given@example.com", "overlap": None})
    assert (config.contact, config.overlap) == ("given@example.com", 600)


@pytest.mark.parametrize("given", [{"access_token": WORK}, HarvestCredentials()])
def test_credentials_can_be_given(configure: Configure, given: Any) -> None:
    """Credentials are a mapping or the specification; they override the configured ones."""
    if isinstance(given, HarvestCredentials):
        given.access_token = WORK
    configure(credentials__access_token=GENERAL)
    assert read_configuration({"credentials": given}).credentials.access_token == WORK


def test_values_that_dlt_users_leave_to_the_configuration_are_read(configure: Configure) -> None:
    """``dlt.secrets.value`` and ``dlt.config.value`` mean that dlt's providers have the value."""
    configure(credentials__access_token=GENERAL, credentials__client_id="app", account_id="7")
    given = {"account_id": dlt.config.value, "overlap": dlt.config.value}
    config = read_configuration({"credentials": dlt.secrets.value, **given})
    assert (config.account_id, config.overlap) == ("7", OVERLAP_S)
    assert config.credentials.access_token == GENERAL
    part = {"access_token": dlt.secrets.value, "client_id": "given"}
    credentials = read_configuration({"credentials": part}).credentials
    assert (credentials.access_token, credentials.client_id) == (GENERAL, "given")
    with pytest.raises(ConfigError, match="exclud given in Python"):
        read_configuration({"exclud": dlt.config.value})


def test_a_named_profile_has_its_own_credentials_and_accounts(configure: Configure) -> None:
    """All other settings are shared."""
    configure(credentials__access_token=GENERAL, account_id="1", contact="me@example.com")
    configure("work", credentials__access_token=WORK, account_id="2")
    config = read_configuration({"auth_profile": "work"})
    assert config.credentials.access_token == WORK
    assert (config.account_id, config.contact) == ("2", "me@example.com")


def test_a_named_profile_never_falls_back_to_the_general_one(configure: Configure) -> None:
    """A general token or account would read what does not belong to the profile."""
    configure(credentials__access_token=GENERAL, credentials__refresh_token="r", account_id="1")
    config = read_configuration({"auth_profile": "work"})
    assert config.credentials.access_token is None
    assert config.credentials.refresh_token is None
    assert config.account_id is None


def test_a_callers_value_applies_to_a_named_profile(configure: Configure) -> None:
    """The caller's account applies even if the general section names it too."""
    configure(credentials__access_token=GENERAL, account_id="1")
    configure("work", credentials__access_token=WORK, account_id="2")
    given = {"auth_profile": "work", "account_id": "1", "credentials": {"access_token": "3.pt.x"}}
    config = read_configuration(given)
    assert (config.account_id, config.credentials.access_token) == ("1", "3.pt.x")


def test_a_profile_can_be_configured(configure: Configure) -> None:
    """``auth_profile`` in the general section selects a profile like ``--profile``."""
    configure(auth_profile="work")
    configure("work", credentials__access_token=WORK)
    assert read_configuration({}).credentials.access_token == WORK


def test_the_app_is_shared_by_profiles(configure: Configure) -> None:
    """An app is a program and belongs to no account; a profile's own app replaces it whole."""
    configure(credentials__client_id="app", credentials__client_secret="secret")
    shared = read_profile_credentials("work")
    assert (shared.client_id, shared.client_secret) == ("app", "secret")
    configure("work", credentials__client_id="own")
    own = read_profile_credentials("work")
    assert (own.client_id, own.client_secret) == ("own", None)


def test_a_refresh_token_is_never_used_with_another_app(configure: Configure) -> None:
    """A refresh token works only with the app for which it was issued."""
    configure(credentials__client_id="app", credentials__client_secret="secret")
    configure("work", credentials__refresh_token="r")
    assert read_profile_credentials("work").client_id is None


@pytest.mark.parametrize("name", ["../work", "", "a b", "x" * 65, ".hidden"])
def test_an_invalid_profile_name_is_refused(name: str) -> None:
    """The profile's name becomes a file and a section."""
    with pytest.raises(ConfigError, match="--profile"):
        read_configuration({"auth_profile": name})


def test_an_unreadable_value_is_named_by_key_and_type(configure: Configure) -> None:
    """The error has key and type, but not the value: it may be a token in the wrong place."""
    configure(overlap="very-secret")
    with pytest.raises(ConfigError, match="overlap is not of type int") as caught:
        read_configuration({})
    assert "very-secret" not in str(caught.value)


def test_a_value_comes_with_the_place_it_was_found(configure: Configure) -> None:
    """The place is what people search for: an environment variable, or a key and its file."""
    configure(credentials__access_token=GENERAL)
    configure("work", account_id="2")
    place = "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"
    assert find_value("access_token", PROFILE, "credentials") == (GENERAL, place)
    assert find_value("account_id", "work")[1] == "SOURCES__HARVEST__PROFILES__WORK__ACCOUNT_ID"
    assert find_value("account_id", PROFILE) == (None, "")


def test_each_profile_has_its_own_section() -> None:
    """The sections are named as in a TOML file."""
    assert name_section(PROFILE) == "sources.harvest"
    assert name_section("work") == "sources.harvest.profiles.work"


def test_the_credentials_are_of_our_type(configure: Configure) -> None:
    """Its text hides the token."""
    configure(credentials__access_token=GENERAL)
    config = read_configuration({})
    assert type(config.credentials) is HarvestCredentials
    assert GENERAL not in f"{config.credentials!r} {config.credentials}"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"exclud": ["users.cost_rate"]}, r"exclud given in Python .* Did you mean exclude\?"),
        ({"exclud": None}, "exclud given in Python"),
        ({"access_token": WORK}, r"credentials\.access_token"),
        ({"credentials": {"acces_token": WORK}}, r"credentials\.acces_token .* access_token\?"),
        ({"credentials": {"token": WORK}}, r"credentials\.token given in Python"),
        ({"credentials": WORK}, "credentials have to be a mapping"),
        ({"profiles": {}, "credentials": {}}, "profiles given in Python"),
    ],
)
def test_an_unknown_key_given_in_python_is_refused(
    configure: Configure, given: dict[str, Any], says: str
) -> None:
    """Otherwise excluded columns would be loaded, or another person's token used."""
    configure(credentials__access_token=GENERAL)
    with pytest.raises(ConfigError, match=says) as caught:
        read_configuration(given)
    assert WORK not in str(caught.value)


@pytest.mark.parametrize("value", [5, b"x", True, ["x"], {"x": 1}, Path("x"), object()])
@pytest.mark.parametrize("name", ["api_url", "auth_profile", "contact", "token_command"])
def test_a_value_in_python_that_is_not_text_is_refused(name: str, value: object) -> None:
    """dlt converts what its providers have, not what a caller gives."""
    with pytest.raises(ConfigError, match=f"{name} has to be text, and what was given in Python"):
        read_configuration({name: value})


def test_texts_may_be_paths_where_paths_are_wanted(configure: Configure, tmp_path: Path) -> None:
    """The id of an app may be a number; a token may not, and it is not repeated."""
    configure(credentials__access_token=GENERAL)
    config = read_configuration(
        {"access_log": tmp_path / "a.log", "vault_path": tmp_path, "credentials": {"client_id": 7}}
    )
    assert Path(str(config.access_log)) == tmp_path / "a.log"
    with pytest.raises(ConfigError, match="refresh_token has to be text") as caught:
        read_configuration({"credentials": {"refresh_token": 12345}})
    assert "12345" not in str(caught.value)


def test_a_callers_refresh_token_wins_over_the_environment(configure: Configure) -> None:
    """The environment's access token would take precedence, but may be another person's."""
    configure(credentials__access_token=GENERAL, credentials__client_id="app")
    credentials = read_configuration({"credentials": {"refresh_token": "r"}}).credentials
    assert (credentials.access_token, credentials.refresh_token) == (None, "r")
    assert credentials.client_id == "app"
