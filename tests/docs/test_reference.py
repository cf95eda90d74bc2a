"""The pages that repeat the code are complete."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import click
import pytest

from harvest_source.__main__ import DEFAULTS
from harvest_source.ask.runner import Limits
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.exit_codes import ExitCode
from harvest_source.pages.live import PAGE_WAIT_S
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS, ENDPOINTS
from tests.agents.bundle import SERVER_JSON, build_server_json
from tests.docs import reference
from tests.docs.destinations import build_destinations
from tests.docs.drivers import PROPERTIES, build_properties
from tests.docs.pages import FOLDER, REPOSITORY

COMMANDS = dict(reference.iter_commands())

MARK = re.compile(r"Unverified\s+against\s+a\s+live\s+account")
UNVERIFIED = {
    "auth/browser_login.py": "supports PKCE",
    "auth/token_endpoint.py": "an app can end a sign-in",
    "extract/incremental.py": "a running timer",
    "extract/proof.py": "every change that moves a row",
    "extract/visibility.py": "a module that is switched off",
    "operations/project_reports.py": "sums of rounded amounts",
    "operations/revocation.py": "an app can end a sign-in",
    "schema/columns.py": "moves when something they show changes elsewhere",
}
"""By file that says what could not be verified, the words for it in the list of open points."""


def read(page: str) -> str:
    return (FOLDER / f"{page}.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str) -> None:
    """docs/command-line.md shows the help of each command, with each of its options."""
    text = read("command-line")
    assert f"<!-- begin help {command} -->" in text
    shown = text.split(f"<!-- begin help {command} -->")[1].split("<!-- end help")[0]
    for parameter in COMMANDS[command].params:
        is_option = isinstance(parameter, click.Option)
        word = parameter.make_metavar(click.Context(COMMANDS[command])) if not is_option else ""
        assert (parameter.opts[-1] if is_option else word) in shown


def test_every_key_is_documented_with_its_default() -> None:
    """docs/configuration.md has one line for each key that is read, and no other line."""
    lines = re.findall(r"^\| `([\w.]+)` \| (.+) \| (.+) \|$", read("configuration"), re.MULTILINE)
    documented = {name: default for name, _, default in lines}
    fields = HarvestConfiguration.get_resolvable_fields().keys() - {"credentials"}
    secrets = {f"credentials.{name}" for name in HarvestCredentials.get_resolvable_fields()}
    assert documented.keys() == fields | secrets
    for name in fields:
        default = getattr(HarvestConfiguration, name)
        assert default is None or documented[name] == f"`{default}`"


def test_waits_that_no_setting_changes_are_documented() -> None:
    """The line of destination_wait says how long questions and pages of the app wait instead."""
    said = f"`mcp` wait {Limits().wait_s:.0f} seconds, and a page of `app` {PAGE_WAIT_S:.0f} second"
    assert said in read("configuration")


def test_every_table_and_column_is_documented() -> None:
    """docs/tables.md has a line for each table, docs/columns.md for each of its columns."""
    sections = re.split(r"^##+ ", read("columns"), flags=re.MULTILINE)
    columns = {
        name: set(re.findall(r"^\| `(\w+)`", body, re.MULTILINE))
        for name, body in map(split_section, sections)
    }
    for endpoint in ENDPOINTS:
        assert f"| [`{endpoint.name}`]" in read("tables")
        assert columns[endpoint.name] == {column.name for column in endpoint.columns}
        for child in endpoint.record.children:
            found = columns[f"{endpoint.name}__{child.name}"]
            assert found == {column.name for column in endpoint.child_columns(child)}


def split_section(section: str) -> tuple[str, str]:
    """Split a section into heading and body."""
    heading, _, body = section.partition("\n")
    return heading, body


def test_the_diagram_shows_every_reference() -> None:
    """There is a line for each reference between default tables, and no table is missing."""
    diagram = reference.build_diagram()
    for endpoint in DEFAULT_ENDPOINTS:
        for name in (endpoint.name, *endpoint.child_tables):
            assert re.search(rf"\b{name}\b", diagram), name
        for each in endpoint.references:
            assert f" {each.to} |o--o{{ {each.table} : {each.column}\n" in diagram


def test_every_exit_code_is_documented() -> None:
    """docs/command-line.md has every exit code with its meaning."""
    section = read("command-line").split("| Exit code | Meaning |")[1]
    found = re.findall(r"^\| (\d+) \| \w", section, re.MULTILINE)
    assert set(map(int, found)) == set(ExitCode)


def read_settings(name: str) -> Any:
    """Read a file of ``.dlt``, including its commented-out examples."""
    text = (REPOSITORY / ".dlt" / name).read_text()
    return tomllib.loads(re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE))


def test_the_example_settings_are_valid_keys() -> None:
    """Every key in ``.dlt/config.toml`` and in the example of secrets is one that is read."""
    settings = read_settings("config.toml")["sources"]["harvest"]
    secrets = read_settings("example.secrets.toml")["sources"]["harvest"]
    known = {key.name for key in reference.read_keys()}
    assert settings.keys() <= known
    for section in (secrets, *secrets["profiles"].values()):
        assert {f"credentials.{name}" for name in section["credentials"]} <= known


def test_dlt_scripts_run_with_the_settings_of_the_command() -> None:
    """``.dlt/config.toml`` sets for plain dlt what the command sets for itself."""
    settings = read_settings("config.toml")
    for name, value in DEFAULTS.items():
        section, _, key = name.lower().partition("__")
        if key and key != "log_level":  # A script has no report of its own, so it warns.
            assert settings[section][key] == tomllib.loads(f"value = {value}")["value"], name


def test_every_folder_of_tests_is_described() -> None:
    """docs/development.md has a line for each folder of tests, and each marker's command."""
    text = read("development")
    for folder in (REPOSITORY / "tests").iterdir():
        if folder.is_dir() and any(folder.rglob("test_*.py")):
            assert f"| `tests/{folder.name}` |" in text
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    for marker in project["tool"]["pytest"]["ini_options"]["markers"]:
        assert f"`python -m pytest -m {marker.partition(':')[0]}`" in text


def test_drivers_properties_lead_to_keys_and_options_that_exist() -> None:
    """docs/drivers.md names only keys and options that exist."""
    keys = {key.name for key in reference.read_keys()}
    options = {
        name
        for command in COMMANDS.values()
        for parameter in command.params
        for name in parameter.opts
    }
    for each in PROPERTIES:
        assert {*each.keys} <= keys, each.names
        assert {*each.options} <= options, each.names


def test_the_registry_entry_has_the_current_version_and_command() -> None:
    """server.json has this version and the current command."""
    assert json.loads(SERVER_JSON.read_text()) == build_server_json()


def test_explanations_in_generated_tables_are_sentences() -> None:
    """Notes on destinations, drivers' properties and dlt's settings end with a full stop."""
    tables = (build_destinations(), build_properties(), reference.build_dlt_settings())
    cells = [
        line.strip("| ").split(" | ")[-1] for table in tables for line in table.split("\n")[2:]
    ]
    assert len(cells) > 60
    sentence = re.compile(r"-|([A-Z`]|dlt).* .*\.")
    assert [cell for cell in cells if not sentence.fullmatch(cell)] == []


def test_every_unverified_assumption_is_an_open_point() -> None:
    """What the connector's code marks as unverified is in the list; the sandbox assumes more."""
    package = REPOSITORY / "harvest_source"
    files = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    marked = {name for name, path in files.items() if MARK.search(path.read_text())}
    assert {each for each in marked if not each.startswith("sandbox/")} == UNVERIFIED.keys()
    points = read("guarantees").partition("\n## Unverified against a live account\n")[2]
    assert [words for words in UNVERIFIED.values() if words not in points] == []
