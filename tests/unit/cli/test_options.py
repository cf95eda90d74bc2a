"""How command lines are parsed: defaults, names, and options that every command accepts."""

from __future__ import annotations

from typing import Any

import click
import pytest

from harvest_source.cli.auth_commands import auth
from harvest_source.cli.commands import COMMANDS, check, sync, verify
from harvest_source.cli.main import main
from harvest_source.cli.options import Context, choose_warehouse
from harvest_source.errors import ConfigError

PLACES = ("sync", "check", "verify")
EVERY_COMMAND = {command.name: command for command in (*COMMANDS, *auth.commands.values())}


def parse(command: click.Command, *arguments: str) -> dict[str, Any]:
    """The values with which *command* would be called."""
    # As people call it, below the group: click caches its first result for a command's --help.
    group = click.Context(main, obj=Context(), **main.context_settings)
    return command.make_context(str(command.name), list(arguments), parent=group).params


@pytest.mark.parametrize("name", PLACES)
def test_every_command_opens_the_same_warehouse_by_default(name: str) -> None:
    """Every command that opens a warehouse opens the same one by default."""
    found = parse(EVERY_COMMAND[name])
    assert (found["destination"], found["dataset"], found["account"]) == ("duckdb", "harvest", ())
    assert (found["database"], found["pipeline"]) == (None, None), "they depend on --sandbox"


@pytest.mark.parametrize(
    ("given", "sandbox", "chosen"),
    [
        ({}, False, (None, "harvest")),
        ({}, True, ("harvest_sandbox.duckdb", "harvest_sandbox")),
        ({"database": "a.duckdb", "pipeline": "p"}, True, ("a.duckdb", "p")),
        ({"destination": "postgres"}, True, (None, "harvest_sandbox")),
    ],
)
def test_the_sandbox_has_a_file_and_a_pipeline_of_its_own(
    given: dict[str, Any], sandbox: bool, chosen: tuple[Any, ...]
) -> None:
    """They are used where none is named; the options that were given stay as they are."""
    options = {"destination": "duckdb", "database": None, "pipeline": None, **given}
    before = dict(options)
    found = choose_warehouse(options, sandbox=sandbox)
    assert (found["database"], found["pipeline"]) == chosen
    assert options == before


def test_repeatable_options_keep_their_order() -> None:
    """Tables, columns and accounts may each be given several times."""
    found = parse(
        sync, "--table", "users", "--table", "roles", "--exclude", "users.email", "--account", "7"
    )
    assert found["table"] == ("users", "roles")
    assert found["exclude"] == ("users.email",)
    assert found["account"] == ("7",)


@pytest.mark.parametrize(
    ("arguments", "expected"), [((), None), (("--deletes",), True), (("--no-deletes",), False)]
)
def test_without_deletes_the_audit_follows_its_own_schedule(
    arguments: tuple[str, ...], expected: bool | None
) -> None:
    """Without the option, the audit follows its own schedule."""
    assert parse(sync, *arguments)["deletes"] is expected


@pytest.mark.parametrize("command", [sync, verify])
def test_commands_that_remove_rows_share_a_default_limit(command: click.Command) -> None:
    """Both commands that remove rows have the same guard with the same default."""
    assert parse(command)["max_deletes"] == "20%"
    assert parse(command, "--max-deletes", "100%")["max_deletes"] == "100%"


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "", "ä?"])
def test_a_pipeline_name_must_be_a_folder_name(name: str) -> None:
    """A name that is a path, or no folder's name, is refused before anything is created."""
    with pytest.raises(click.BadParameter, match="names a folder"):
        parse(check, "--pipeline", name)


@pytest.mark.parametrize("name", ["harvest", "harvest-2", "ernte_ü"])
def test_a_pipeline_name_has_letters_digits_hyphens_and_underscores(name: str) -> None:
    """A name has letters of any alphabet, digits, ``-`` and ``_``."""
    assert parse(check, "--pipeline", name)["pipeline"] == name


def test_an_empty_dataset_name_is_refused() -> None:
    """dlt would replace an empty name by its default."""
    with pytest.raises(click.BadParameter, match="cannot be empty"):
        parse(check, "--dataset", "  ")


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_command_takes_the_common_options(name: str) -> None:
    """``--json``, ``--quiet``, ``--debug`` and ``--profile`` work everywhere."""
    options = {option.name for option in EVERY_COMMAND[name].params}
    assert {"as_json", "quiet", "debug", "profile"} <= options


def take(context: Context, **said: Any) -> Context:
    context.take({"as_json": False, "quiet": False, "debug": False, "profile": None, **said})
    return context


def test_common_options_apply_before_and_after_the_command() -> None:
    """An option before the command's name applies as well as one after it."""
    context = take(take(Context(), as_json=True), quiet=True)
    assert (context.console.as_json, context.console.quiet) == (True, True)


def test_the_last_profile_counts() -> None:
    """``harvest-source --profile a sync --profile b`` is b's."""
    context = take(take(take(Context(), profile="a"), profile="b"))
    assert context.settings == {"auth_profile": "b"}


def test_without_a_profile_the_configuration_decides() -> None:
    """No key is set that would override the configured profile."""
    assert take(Context()).settings == {}


def test_a_profile_name_must_be_a_valid_file_name() -> None:
    """The name is a file in the vault and a section in the configuration."""
    with pytest.raises(ConfigError, match="profile"):
        take(Context(), profile="../other")
