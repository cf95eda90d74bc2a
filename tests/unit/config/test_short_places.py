"""Nothing of ours is read from places without ``sources.harvest``, which dlt itself would read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dlt
import pytest
from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext

from harvest_source.config.effective import list_settings
from harvest_source.config.known_keys import check_keys
from harvest_source.config.missing_token import explain_missing_token
from harvest_source.config.resolve import read_configuration
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.errors import ConfigError
from tests.support.configuration import Configure
from tests.support.dlt_project import enter_project

pytestmark = pytest.mark.usefixtures("configure")

SECRET = "1.pt.other-programs-secret"
KEYS = sorted(set(HarvestConfiguration.get_resolvable_fields()) - {"credentials", "vault_path"})
CREDENTIALS = sorted(HarvestCredentials.get_resolvable_fields())
SOURCE = ("sources", "harvest", "harvest")
"""The sections that dlt has while it evaluates ``harvest()``."""

Read = Callable[[], HarvestConfiguration]


@pytest.fixture(params=["sync", "source", "source in a pipeline"])
def read(request: pytest.FixtureRequest) -> Iterator[Read]:
    """Read the configuration as a command or as dlt's source does."""
    if request.param == "sync":
        yield lambda: read_configuration({})
        return
    name = "mine" if request.param.endswith("pipeline") else None
    context = ConfigSectionContext(pipeline_name=name, sections=SOURCE)
    with Container().injectable_context(context):
        yield lambda: read_configuration({}, sections=())


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Write a file of ``.dlt`` and have dlt read it in this process."""
    (tmp_path / ".dlt").mkdir()
    with ExitStack() as project:

        def fill(name: str, text: str) -> None:
            (tmp_path / ".dlt" / name).write_text(text)
            project.enter_context(enter_project(tmp_path))

        yield fill


@pytest.mark.parametrize("prefix", ["", "SOURCES__", "MINE__", "MINE__SOURCES__"])
@pytest.mark.parametrize("key", KEYS)
def test_a_variable_of_another_program_is_not_used(
    monkeypatch: pytest.MonkeyPatch, read: Read, key: str, prefix: str
) -> None:
    """``API_URL`` would otherwise say where the access token is sent."""
    expected = getattr(read(), key)
    monkeypatch.setenv(f"{prefix}{key}".upper(), "7")
    assert getattr(read(), key) == expected


@pytest.mark.parametrize("prefix", ["", "CREDENTIALS__", "SOURCES__", "SOURCES__CREDENTIALS__"])
@pytest.mark.parametrize("key", CREDENTIALS)
def test_a_credential_of_another_program_is_not_used(
    monkeypatch: pytest.MonkeyPatch, read: Read, key: str, prefix: str
) -> None:
    """It would be sent to Harvest."""
    monkeypatch.setenv(f"{prefix}{key}".upper(), SECRET)
    assert getattr(read().credentials, key) is None


@pytest.mark.parametrize("section", ["", "[sources]\n"])
def test_a_key_of_a_file_is_not_used_outside_our_section(
    write: Callable[[str, str], None], read: Read, section: str
) -> None:
    """dlt shares such keys among all sources of a project."""
    write("config.toml", f'{section}api_url = "https://other.example/v2"\nexclude = ["*.log"]\n')
    config = read()
    assert config.exclude is None
    assert "other" not in config.api_url


def test_a_short_name_does_not_hide_our_own(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[str, str], None], read: Read
) -> None:
    """dlt asks the environment for the short names before it asks a file for the long ones."""
    monkeypatch.setenv("CONTACT", "other@example.com")
    monkeypatch.setenv("CREDENTIALS__ACCESS_TOKEN", SECRET)
    ours = '[sources.harvest]\ncontact = "me@example.com"\noverlap = 600\n'
    write("secrets.toml", f'{ours}[sources.harvest.credentials]\naccess_token = "1.pt.ours"\n')
    config = read()
    assert (config.contact, config.overlap) == ("me@example.com", 600)
    assert config.credentials.access_token == "1.pt.ours"


def test_our_own_places_are_read_as_dlt_reads_them(configure: Configure, read: Read) -> None:
    """Types are converted alike, so that dlt's documentation of settings holds for ours."""
    texts = dict.fromkeys(KEYS, "8") | {"account_id": "[1, 2]", "issuer_scopes": '{"a": "b"}'}
    configure(**{name: text for name, text in texts.items() if name != "auth_profile"})
    configure(**{f"credentials__{name}": f"{name}-secret" for name in CREDENTIALS})
    by_dlt = resolve_configuration(HarvestConfiguration(), sections=SOURCE[:2])
    found = read()
    for key in KEYS:
        assert getattr(found, key) == getattr(by_dlt, key), key
    for key in CREDENTIALS:
        assert getattr(found.credentials, key) == f"{key}-secret"


def test_a_value_for_one_pipeline_applies_to_it(
    monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    """dlt reads ``<pipeline>.sources.harvest.<key>`` first, and so do we."""
    configure(contact="all@example.com")
    monkeypatch.setenv("MINE__SOURCES__HARVEST__CONTACT", "mine@example.com")
    with Container().injectable_context(ConfigSectionContext("mine", SOURCE)):
        assert read_configuration({}, sections=()).contact == "mine@example.com"
    assert read_configuration({}).contact == "all@example.com"


@pytest.mark.parametrize("section", ["second_company", "second"])
def test_a_clone_reads_its_section_or_its_name(
    monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    """dlt admits both for ``harvest.clone(name="second", section="second_company")``."""
    monkeypatch.setenv(f"SOURCES__{section}__CONTACT".upper(), "second@example.com")
    context = ConfigSectionContext(sections=("sources", "second_company", "second"))
    with Container().injectable_context(context):
        assert read_configuration({}, sections=()).contact == "second@example.com"


def test_check_lists_only_what_is_used(
    monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    """A place is named only if the value is in effect."""
    configure(credentials__access_token="1.pt.ours")
    for name in ("API_URL", "SOURCES__CONTACT", "CREDENTIALS__ACCESS_TOKEN"):
        monkeypatch.setenv(name, "https://other.example")
    listed = {each.name: each.source for each in list_settings(read_configuration({}), ())}
    assert (listed["api_url"], listed["contact"]) == ("default", "default")
    assert listed["credentials.access_token"].startswith("SOURCES__HARVEST__CREDENTIALS__")


@pytest.mark.parametrize("prefix", ["", "CREDENTIALS__", "SOURCES__", "SOURCES__CREDENTIALS__"])
@pytest.mark.parametrize("key", ["ACCESS_TOKEN", "REFRESH_TOKEN"])
def test_the_message_about_the_missing_token_names_one_that_is_not_read(
    monkeypatch: pytest.MonkeyPatch, key: str, prefix: str
) -> None:
    """It may have been meant for us."""
    monkeypatch.setenv(prefix + key, SECRET)
    said = explain_missing_token("the vault")
    assert f" {prefix}{key} is set, but without sources.harvest it is not read." in said
    assert SECRET not in said


def test_the_message_about_the_missing_token_names_one_in_a_file(
    write: Callable[[str, str], None],
) -> None:
    """A section ``[credentials]`` reads well, but says nothing of Harvest."""
    write("secrets.toml", f'[credentials]\naccess_token = "{SECRET}"\n')
    said = explain_missing_token("the vault")
    assert "credentials.access_token in secrets.toml is set, but without" in said
    assert SECRET not in said


@pytest.mark.parametrize("name", ["CREDENTIALS__CLIENT_SECRET", "TOKEN_COMMAND"])
def test_the_message_about_the_missing_token_calls_no_setting_unread(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An app's secret in the environment is used by the sign-in that the message advises."""
    monkeypatch.setenv(f"SOURCES__HARVEST__{name}", SECRET)
    assert name not in explain_missing_token("the vault")
    monkeypatch.setenv(f"HARVEST__{name}", SECRET)
    assert f" HARVEST__{name} is set, but that name is not read." in explain_missing_token("x")


def test_the_message_about_the_missing_token_says_which_profile_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A token of a named profile is read only for that profile."""
    variable = "SOURCES__HARVEST__PROFILES__ADA__CREDENTIALS__ACCESS_TOKEN"
    monkeypatch.setenv(variable, SECRET)
    assert f" {variable} is read only with --profile ada." in explain_missing_token("the vault")


def test_a_token_in_the_file_without_secrets_is_refused(
    write: Callable[[str, str], None], read: Read
) -> None:
    """As dlt does: ``config.toml`` is usually committed."""
    write("config.toml", f'[sources.harvest.credentials]\naccess_token = "{SECRET}"\n')
    with pytest.raises(ConfigError, match=r"access_token.*secret") as caught:
        read()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("section", ["", "[sources]\n"])
def test_columns_of_ours_to_exclude_are_refused_in_the_wrong_place(
    write: Callable[[str, str], None], section: str
) -> None:
    """Ignored, the rates of all people would be loaded."""
    write("config.toml", f'{section}exclude = ["users.cost_rate"]\n')
    with pytest.raises(ConfigError, match=r"exclude in config.toml names .* SOURCES__HARVEST__EX"):
        check_keys()


@pytest.mark.parametrize("name", ["EXCLUDE", "SOURCES__EXCLUDE"])
def test_a_variable_with_columns_of_ours_to_exclude_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The same for the environment, while another program's own values are ignored."""
    monkeypatch.setenv(name, "*.log,tasks.py")
    check_keys()
    monkeypatch.setenv(name, "users.cost_rate")
    with pytest.raises(ConfigError, match=f"^{name} names columns of Harvest"):
        check_keys()


def test_the_source_ignores_a_variable_of_another_program(
    monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    """``harvest()`` and its arguments, evaluated by dlt itself."""
    from harvest_source import harvest

    configure(credentials__access_token="1.pt.ours", account_id="1")
    dlt.pipeline("mine")
    for name in ("API_URL", "SOURCES__API_URL", "MINE__API_URL", "START_DATE", "OVERLAP"):
        monkeypatch.setenv(name, "no value that could work")
    assert "time_entries" in harvest().resources
