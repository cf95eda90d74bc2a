"""Shared by the commands that answer questions: which file, who asks, and in which scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click

from harvest_source.cli.explaining import ExplainingCommand
from harvest_source.cli.options import (
    Context,
    choose_warehouse,
    database_option,
    dataset_option,
    refuse_given,
    sandbox_warehouse_option,
)
from harvest_source.defaults import DUCKDB, PROFILE
from harvest_source.errors import ConfigError

if TYPE_CHECKING:
    from harvest_source.ask import Runner
    from harvest_source.ask.access import Access, Caller
    from harvest_source.ask.audit_log import AuditLog
    from harvest_source.warehouse.target import Target


class AskingCommand(ExplainingCommand):
    """A command that answers questions from a DuckDB file."""

    lacks: ClassVar[Mapping[str, str]] = {
        "--destination": "questions are answered from a DuckDB file, which --database names. To "
        "ask another database, use a client of its own, or load a file as well: harvest-source "
        "sync --pipeline harvest_questions.",
        "--pipeline": "the file of --database is read, whichever pipeline filled it. Leave it out.",
        "--account": "all accounts of the file are read. Add a condition on account_id, or use a "
        "scope with accounts: --scope NAME.",
    }


F = TypeVar("F", bound=Callable[..., Any])

_scope_option = click.option(
    "--scope",
    metavar="NAME",
    help="See what [sources.harvest.scopes.NAME] allows.  [default: the whole file]",
)
_as_option = click.option(
    "--as",
    "as_profile",
    metavar="PROFILE",
    help="Sign-in of the person whose rows a scope shows.  [default: that of --profile]",
)


def read_only_file_options(function: F) -> F:
    """Add the options that say which warehouse is read, and who asks."""
    options = (database_option, dataset_option, sandbox_warehouse_option, _scope_option, _as_option)
    for option in reversed(options):
        function = option(function)
    return function


def find_target(options: Mapping[str, Any]) -> Target:
    """Find the warehouse that the options name."""
    from harvest_source.warehouse.target import build_target

    chosen = choose_warehouse(options, sandbox=options["sandbox"])
    return build_target(DUCKDB, chosen["database"], chosen["dataset"], chosen["pipeline"])


def open_access(options: dict[str, Any]) -> Access:
    """Open access to the warehouse that the options name."""
    from functools import partial

    from harvest_source.ask import Runner
    from harvest_source.ask.access import Access
    from harvest_source.ask.callers import People, fetch_people
    from harvest_source.clock import SystemClock
    from harvest_source.warehouse.dataset_name import find_rewritten

    target = find_target(options)
    assert target.database is not None
    clock = SystemClock()
    people = People(partial(fetch_people, clock=clock), clock)
    rewritten = find_rewritten(target.dataset)
    return Access(Runner(target.database, target.dataset, rewritten), people)


def find_caller(context: Context, options: dict[str, Any], name: str) -> Caller:
    """
    Find who asks, and in which scope, from the options.

    Raises:
        ConfigError: The scope does not exist, or its configuration is invalid.
    """
    from harvest_source.ask.access import Caller
    from harvest_source.ask.scopes import UNLIMITED, choose_scope, parse_scopes
    from harvest_source.auth.profiles import check_profile

    profile = check_profile(options["as_profile"] or context.profile or PROFILE, "--as")
    if options["scope"] is None:
        # Without a scope, every row would be shown, not those of the person.
        refuse_given(["as_profile"], "name what the person may see, with --scope.")
        return Caller(name, UNLIMITED, profile)
    from harvest_source.config.scopes import read_scopes

    return Caller(name, choose_scope(parse_scopes(read_scopes()), options["scope"]), profile)


def open_runner(context: Context, options: dict[str, Any], tool: str) -> Runner:
    """
    Open the runner that answers a command.

    Raises:
        StatementRefused: The scope does not have the command's *tool*.
        NotConfirmedError: Harvest does not confirm who asks, and the scope depends on it.
    """
    from harvest_source.ask.access import check_tool

    caller = find_caller(context, options, "command")
    check_tool(caller.scope, tool, context_command())
    return open_access(options).open(caller)


def find_audit_log(path: str | None) -> Path:
    """
    Find the audit log: the file with one line for each call of the server.

    Raises:
        ConfigError: No file is named, and the user has no home folder.
    """
    from platformdirs import user_log_path

    if path:
        return Path(path)
    try:
        folder = user_log_path("harvest-source")
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():
        msg = "This user has no home folder (HOME is not set). Name a file: --audit-log PATH"
        raise ConfigError(msg)
    return folder / "mcp.log"


def open_audit_log(context: Context, path: str | None, now: Callable[[], datetime]) -> AuditLog:
    """
    Open the server's audit log for appending.

    Raises:
        AuditFailed: The file cannot be written.
        ConfigError: It is a file of another kind.
    """
    from harvest_source.ask.audit_log import AuditLog
    from harvest_source.config.paths import check_kind
    from harvest_source.rotated_file import JSON_LINE

    place = find_audit_log(path)
    check_kind(place, "--audit-log", beginning=JSON_LINE)
    return AuditLog(place, now, context.console.error)


def context_command() -> str:
    """The name of the running command."""
    return click.get_current_context().info_name or ""
