"""Settings that nothing would read: values in place of sections, and variables almost right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harvest_source.config.known_keys import check_keys
from harvest_source.errors import ConfigError
from tests.support.dlt_project import enter_project

SECRET = "1.pt.secret"


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Write ``.dlt/secrets.toml`` and have dlt read it in this process."""
    path = tmp_path / ".dlt" / "secrets.toml"
    path.parent.mkdir()
    with ExitStack() as project:

        def fill(text: str) -> None:
            path.write_text(text)
            project.enter_context(enter_project(tmp_path))

        yield fill


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[sources.harvest]]\nexclude = ["users.cost_rate"]', r"\[sources.harvest\]"),
        (f'[sources]\nharvest = "{SECRET}"', r"\[sources.harvest\]"),
        (f'[sources.harvest]\ncredentials = "{SECRET}"', r"\[sources.harvest.credentials\]"),
        (f'[sources.harvest]\ncredentials = ["{SECRET}"]', r"\[sources.harvest.credentials\]"),
        ('[Sources.Harvest]\nexclude = ["users.cost_rate"]', r"\[sources.harvest\]"),
    ],
)
def test_a_value_in_place_of_a_section_is_refused(
    write: Callable[[str], None], text: str, says: str
) -> None:
    """Its ``exclude`` would not apply. The value may be a token and is not repeated."""
    write(text)
    with pytest.raises(ConfigError, match=says) as caught:
        check_keys()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [SECRET, f'{{"access_token": "{SECRET}"}}'])
def test_credentials_in_one_variable_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Text was not read, and JSON ended in a ``TypeError`` of dlt."""
    monkeypatch.setenv("SOURCES__HARVEST__CREDENTIALS", value)
    with pytest.raises(ConfigError, match="SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN") as caught:
        check_keys()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "SOURCES__HARVEST_EXCLUDE",
        "SOURCES__HARVEST_CREDENTIALS__ACCESS_TOKEN",
        "sources__harvest__exclude",
        " SOURCES__HARVEST__EXCLUDE",
    ],
)
def test_a_variable_almost_right_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The columns that it names would be loaded."""
    monkeypatch.setenv(name, "users.cost_rate")
    with pytest.raises(ConfigError, match="is not read"):
        check_keys()


@pytest.mark.parametrize("name", ["SOURCES__HARVEST_FORECAST__EXCLUDE", "HARVEST_EXCLUDE"])
def test_a_variable_of_another_source_is_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A project may have further sources, with names that begin like ours."""
    monkeypatch.setenv(name, "x")
    check_keys()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates of deployments set variables that are not used to an empty text."""
    monkeypatch.setenv("SOURCES__HARVEST__CREDENTIALS", " ")
    check_keys()
