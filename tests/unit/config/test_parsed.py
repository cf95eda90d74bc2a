"""A value that cannot work is refused with the place it comes from."""

from __future__ import annotations

import pytest

from harvest_source.config.parsed import parse_settings
from harvest_source.config.resolve import read_configuration
from harvest_source.errors import ConfigError

WRONG = {
    "account_id": "acme",
    "api_url": "harvest",
    "exclude": "*.log",
    "full_walk": "0",
    "history": "/root/.history",
    "id_url": "harvest",
    "include": "/usr/include",
    "keep_deleted": "all",
    "notify_on": "push",
    "notify_style": "loud",
    "overlap": "3",
    "rate_limit": "0",
    "start_date": "monday",
    "table_format": "wide",
}


@pytest.mark.parametrize("name", WRONG)
def test_the_message_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Users look for the value in their files, although it is in the environment."""
    monkeypatch.setenv("SOURCES__HARVEST__NOTIFY_URL", "https://example.com/secret")
    variable = f"sources__harvest__{name}".upper()
    monkeypatch.setenv(variable, WRONG[name])
    with pytest.raises(ConfigError) as caught:
        parse_settings(read_configuration({}))
    assert f"{variable} in the environment: " in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_value_that_dlt_cannot_convert_is_refused_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """dlt's own error does not say where the value is."""
    monkeypatch.setenv("SOURCES__HARVEST__OVERLAP", "long")
    with pytest.raises(
        ConfigError, match=r"overlap is not of type int .SOURCES__HARVEST__OVERLAP in"
    ):
        read_configuration({})


def test_a_value_given_in_python_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a caller overrides is not to blame."""
    monkeypatch.setenv("SOURCES__HARVEST__OVERLAP", "600")
    with pytest.raises(ConfigError, match=r"^overlap is 3 s"):
        parse_settings(read_configuration({"overlap": 3}))
