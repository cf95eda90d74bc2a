"""The settings of a run: one entry point for harvest(), sync(), verify and check."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harvest_source import harvest
from harvest_source.api.http_context import Exchange
from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.auth.vault import Vault
from harvest_source.config.resolve import read_configuration
from harvest_source.defaults import API_URL, AUDIT_REQUESTS, DESTINATION_WAIT_S, OVERLAP_S
from harvest_source.errors import ConfigError
from harvest_source.extract.run_log import RunLog
from harvest_source.load.settings import (
    Hooks,
    RunArguments,
    Settings,
    Upkeep,
    build_http_context,
    build_settings,
)
from harvest_source.schema.endpoints import SECRET_COLUMNS
from tests.clocks import START, FakeClock
from tests.support.configuration import Configure

TOKEN = {"credentials__access_token": "1.pt.general-secret"}


def build(**arguments: Any) -> Settings:
    return build_settings(RunArguments(**arguments), Hooks(clock=FakeClock()), RunLog())


def test_everything_is_read_with_only_a_token_set(configure: Configure) -> None:
    """With only a token, everything is read, and deletions are searched for once a day."""
    configure(**TOKEN)
    settings = build()
    assert (settings.connection.account_ids, settings.connection.api_url) == ((), API_URL)
    assert settings.options.overlap == timedelta(seconds=OVERLAP_S)
    assert settings.options.exclude == SECRET_COLUMNS
    assert (settings.options.start_date, settings.options.isolate) == (None, True)
    assert settings.upkeep == Upkeep(None, Decimal("0.2"), AUDIT_REQUESTS, None, keep_content=True)
    assert settings.destination_wait_s == DESTINATION_WAIT_S


def test_every_key_is_read_from_the_environment(configure: Configure) -> None:
    """An environment variable of any key arrives checked, in its type."""
    configure(
        **TOKEN,
        account_id="[7, 8]",
        contact="me@example.com",
        start_date="2024-01-31",
        overlap="600",
        rate_limit="50",
        exclude="users.cost_rate",
        include='["invoices.client_key"]',
        full_walk="3",
        history="projects",
        audit_requests="5",
        keep_deleted_days="30",
        keep_deleted="ids",
        keep_runs_days="400",
        shrink_file="never",
        destination_wait="1",
        api_url="https://api.example/v2",
        id_url="https://id.example",
    )
    settings = build()
    connection, options = settings.connection, settings.options
    assert (connection.account_ids, connection.rate_limit) == ((7, 8), 50)
    assert (connection.api_url, connection.id_url) == (
        "https://api.example/v2",
        "https://id.example",
    )
    assert connection.http.contact == "me@example.com"
    assert connection.token_source == "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"
    assert options.start_date == date(2024, 1, 31)
    assert (options.overlap, options.sweep_every) == (timedelta(minutes=10), timedelta(days=3))
    assert options.exclude == SECRET_COLUMNS - {"invoices.client_key"} | {"users.cost_rate"}
    assert options.history == {"projects"}
    assert settings.upkeep == Upkeep(None, Decimal("0.2"), 5, 30, False, 400, False)
    assert settings.destination_wait_s == 1


def test_arguments_of_a_run_win_over_the_configuration(configure: Configure) -> None:
    """Accounts and start date replace the configured ones; excluded columns are added."""
    configure(**TOKEN, account_id="7", start_date="2020-01-01", exclude="users.cost_rate")
    settings = build(
        account=["8", 9],
        since="2024-01-31",
        exclude=["clients.address"],
        full_refresh=True,
        deletes=False,
        max_deletes="50%",
        isolate=False,
    )
    assert settings.connection.account_ids == (8, 9)
    assert settings.options.start_date == date(2024, 1, 31)
    assert settings.options.exclude == SECRET_COLUMNS | {"users.cost_rate", "clients.address"}
    assert (settings.options.full_refresh, settings.options.isolate) == (True, False)
    assert (settings.upkeep.deletes, settings.upkeep.max_deletes) == (False, Decimal("0.5"))


def test_excluding_wins_over_including(configure: Configure) -> None:
    """A column that is both stays out, as the careful choice."""
    configure(**TOKEN)
    both = "clients.statement_key"
    assert both in build(settings={"include": both, "exclude": both}).options.exclude


def test_a_named_profile_is_read_with_its_own_account(configure: Configure) -> None:
    """So is its token; the general section's unused account is not even checked."""
    configure(**TOKEN, account_id="nonsense")
    configure("work", credentials__access_token="2.pt.work-secret", account_id="2")
    connection = build(settings={"auth_profile": "work"}).connection
    assert connection.account_ids == (2,)
    assert connection.token_source.startswith("SOURCES__HARVEST__PROFILES__WORK__")


def test_a_configured_account_wins_over_the_saved_one(configure: Configure, tmp_path: Path) -> None:
    """The account chosen at login applies if the configuration names none."""
    configure(vault_path=str(tmp_path / "vault"))
    vault = Vault(tmp_path / "vault")
    with vault.lock("default"):
        vault.write("default", "7", SavedLogin(Tokens("3.pt.saved-secret"), account_id=7))
    assert build().connection.account_ids == (7,)
    configure(account_id="8")
    assert build().connection.account_ids == (8,)


def test_plain_dlt_use_has_the_same_profiles(configure: Configure) -> None:
    """``harvest(auth_profile=...)`` uses no account or token of the general section."""
    configure(**TOKEN, account_id="nonsense")
    with pytest.raises(ConfigError, match="no sign-in named work"):
        harvest(auth_profile="work")
    configure("work", credentials__access_token="2.pt.work-secret")
    assert "time_entries" in harvest(auth_profile="work").resources
    with pytest.raises(ConfigError, match="account_id"):
        harvest(auth_profile="work", account_id="nonsense")
    with pytest.raises(ConfigError, match="account_id"):
        harvest()


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_id": "x"},
        {"start_date": "yesterday"},
        {"overlap": 59},
        {"overlap": "600"},
        {"rate_limit": "fast"},
        {"exclude": "users.id"},
        {"include": ["clients.name"]},
        {"full_walk": 0},
        {"history": "time_entries"},
        {"auth_profile": "no/name"},
        {"credentials": {"access_token": " "}},
    ],
)
def test_plain_dlt_use_and_sync_refuse_alike(configure: Configure, wrong: dict[str, Any]) -> None:
    """The same value gives the same message: one function reads the settings."""
    configure(**TOKEN)
    with pytest.raises(ConfigError) as by_source:
        harvest(**wrong)
    with pytest.raises(ConfigError) as by_sync:
        build(settings=wrong)
    assert str(by_source.value) == str(by_sync.value)


def test_a_cloned_source_reads_its_own_section(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt's ``clone(section=...)`` reads that section."""
    configure(**TOKEN)
    monkeypatch.setenv("SOURCES__OTHER__START_DATE", "yesterday")
    with pytest.raises(ConfigError, match="start_date is not a day"):
        harvest.clone(section="other")()
    assert "time_entries" in harvest().resources
    second = harvest.clone(name="second", section="second_company")
    monkeypatch.setenv("SOURCES__SECOND_COMPANY__OVERLAP", "long")
    with pytest.raises(ConfigError, match=r"under \[sources\.second_company\]"):
        second()
    monkeypatch.delenv("SOURCES__SECOND_COMPANY__OVERLAP")
    with pytest.raises(ConfigError, match="Looked for it in: SOURCES__SECOND_COMPANY__CRED") as no:
        second()
    assert "[sources.second_company.credentials]" in str(no.value)
    assert "or into the environment as SOURCES__HARVEST" not in str(no.value)
    monkeypatch.setenv("SOURCES__SECOND_COMPANY__CREDENTIALS__ACCESS_TOKEN", "1.pt.second")
    monkeypatch.setenv("SOURCES__SECOND_COMPANY__ACCOUNT_ID", "acme")
    with pytest.raises(ConfigError, match=r"Set account_id under \[sources\.second_company\] in"):
        second()


def test_a_misspelt_argument_is_an_error(configure: Configure) -> None:
    """Otherwise it would be ignored silently."""
    configure(**TOKEN)
    misspelt: dict[str, Any] = {"acount_id": 1}
    with pytest.raises(TypeError, match="acount_id"):
        harvest(**misspelt)


def test_requests_go_to_the_access_log_and_the_caller(configure: Configure, tmp_path: Path) -> None:
    """Both see every attempt; without a log only the caller does."""
    seen: list[Exchange] = []
    exchange = Exchange(START, "GET", "/v2/users/me", 200, 0.5, 1, 7, account="7", rows=1)
    path = tmp_path / "access.log"
    for config in ({}, {"access_log": str(path), "auth_profile": "work"}):
        configure("work", **TOKEN)
        http = build_http_context(read_configuration(config), on_response=seen.append)
        assert http.on_response is not None
        http.on_response(exchange)
    assert seen == [exchange] * 2
    line = json.loads(path.read_text())
    assert (line["profile"], line["path"], line["ms"]) == ("work", "/v2/users/me", 500)


def test_without_a_log_or_a_listener_nothing_is_counted(configure: Configure) -> None:
    """Counting the rows of every page for nothing would cost time."""
    configure(**TOKEN)
    assert build_http_context(read_configuration({})).on_response is None


@pytest.mark.parametrize(
    "given",
    [
        {"account": "12", "exclude": "users.cost_rate"},
        {"account": 12, "exclude": {"users.cost_rate"}},
        {"account": iter(["12"]), "exclude": iter(["users.cost_rate"])},
        {"settings": {"account_id": 12, "exclude": {"users.cost_rate"}}, "lists_settings": True},
        {"account": iter(["12"]), "exclude": ["users.cost_rate"], "lists_settings": True},
    ],
)
def test_python_arguments_may_be_one_value_or_several(
    configure: Configure, given: dict[str, Any]
) -> None:
    """A string or a number is one value; an iterator is read once and not lost."""
    configure(**TOKEN)
    settings = build(**given)
    assert settings.connection.account_ids == (12,)
    assert "users.cost_rate" in settings.options.exclude
    found = {each.name: (each.value, each.source) for each in settings.in_effect}
    assert found.get("account_id") in (None, ("12", "option"))


@pytest.mark.parametrize("given", [{"exclude": ""}, {"exclude": [""]}, {"account": ""}])
def test_an_empty_argument_is_refused(configure: Configure, given: dict[str, Any]) -> None:
    """It would load columns, or read accounts, that the caller did not mean."""
    configure(**TOKEN)
    with pytest.raises(ConfigError, match="has an empty value"):
        build(**given)


def test_settings_that_are_not_a_mapping_are_refused(configure: Configure) -> None:
    """The error says that another object is not a mapping."""
    configure(**TOKEN)
    with pytest.raises(ConfigError, match="mapping of keys to values"):
        build(settings="exclude")


@pytest.mark.parametrize("place", [".", "missing/access.log"])
def test_an_unusable_access_log_is_refused(
    configure: Configure, tmp_path: Path, place: str
) -> None:
    """It is an error, as for any unusable value: ``--quiet`` would hide a warning."""
    configure(**TOKEN, access_log=str(tmp_path / place))
    with pytest.raises(ConfigError, match="access_log is"):
        build()
