"""Options shared by several commands, and the context that holds the common ones."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from harvest_source.api.rate_limit import LimiterMaker, build_general_limiter
from harvest_source.auth.profiles import check_profile
from harvest_source.cli.console import Console, check_log_level, log_to_stderr
from harvest_source.cli.json_log import JSON, OPTION
from harvest_source.defaults import (
    DATABASE,
    DATASET,
    DUCKDB,
    MAX_DELETES,
    PIPELINE,
    SANDBOX_DATABASE,
    SANDBOX_PIPELINE,
)
from harvest_source.exit_codes import ExitCode
from harvest_source.termination import ending_on_sigterm

_EMPTY = "It is empty. Write a value, or leave it out. (Is a shell variable not set?)"

_SERVERS: Final = frozenset({"app", "mcp", "sandbox"})
"""Commands that serve until a signal ends them, each in its own way."""

F = TypeVar("F", bound=Callable[..., Any])


class Context:
    """
    The common options of one command, and how far it has got.

    Attributes:
        console: Where the command prints.
        debug: Show tracebacks and dlt's log.
        profile: The named sign-in; None: the configured one.
        table_format: Format of tables in files; None: the configured one.
        exit_code: Exit code of the process if stdout is closed before everything is printed.
        is_done: Whether the command's work is done; its output is only a report of it.
        build_limiter: Makes the rate limiter of each account that is read.
    """

    def __init__(self, build_limiter: LimiterMaker = build_general_limiter) -> None:
        self.build_limiter = build_limiter
        self.console = Console()
        self.debug = False
        self.profile: str | None = None
        self.table_format: str | None = None
        self.exit_code: int = ExitCode.DONE
        self.is_done = False

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of ``[sources.harvest]`` that the command line sets."""
        named = {"auth_profile": self.profile, "table_format": self.table_format}
        return {name: value for name, value in named.items() if value is not None}

    def finish(self, exit_code: int = ExitCode.DONE) -> None:
        """Note that the work is done, before it is reported: a lost report does not undo it."""
        self.exit_code, self.is_done = exit_code, True

    def take(self, options: dict[str, Any]) -> None:
        """Move the common options from *options* into this context."""
        self.console.as_json |= options.pop("as_json")
        self.console.quiet |= options.pop("quiet")
        self.debug |= options.pop("debug")
        profile = options.pop("profile")
        if profile is not None:
            self.profile = check_profile(profile)
        if self.debug:
            log_to_stderr()
        check_log_level()


def common_options(function: F) -> F:
    """Add the common options, which are accepted both before and after the command's name."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
    @click.option("--quiet", is_flag=True, help="Print only the result, as one line, and errors.")
    @click.option("--debug", is_flag=True, help="Show tracebacks and dlt's log.")
    @click.option("--profile", metavar="NAME", help="Named sign-in, made with auth login.")
    @click.pass_obj
    @functools.wraps(function)
    def wrapped(context: Context, /, **options: Any) -> Any:
        context.take(options)
        _refuse_empty(click.get_current_context())
        is_server = function.__name__ in _SERVERS
        try:
            with nullcontext() if is_server else ending_on_sigterm():
                return function(context, **options)
        except KeyboardInterrupt as error:
            raise click.Abort from error  # For a KeyboardInterrupt click prints an empty line.

    return wrapped  # type: ignore[return-value]


class PathType(click.Path):
    """A :class:`pathlib.Path`. Refuses empty text, which would mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


class FiniteRange(click.FloatRange):
    """A number. Refuses ``nan``, which no bound of its base class refuses, and ``inf``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _refuse_empty(command: click.Context) -> None:
    """
    Refuse an empty value of any option or argument, such as an unset shell variable.

    Otherwise ``--exclude ""`` would load the column, and ``export ""`` fill the current folder.

    Raises:
        click.BadParameter: Names the option.
    """
    for parameter in command.command.params:
        value = command.params.get(parameter.name or "")
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, str) and not each.strip():
                raise click.BadParameter(_EMPTY, ctx=command, param=parameter)


def refuse_given(names: Sequence[str], why: str) -> None:
    """
    Refuse options that were given on the command line but have no effect in this call.

    Args:
        names: Names of the command's parameters.
        why: The reason, or what to do; it ends the message.

    Raises:
        click.UsageError: One was given; the message names the first.
    """
    command = click.get_current_context()
    written = click.core.ParameterSource.COMMANDLINE
    for parameter in command.command.params:
        if parameter.name in names and command.get_parameter_source(parameter.name) == written:
            raise click.UsageError(f"{parameter.opts[0]} has no effect here: {why}", command)


def check_name(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """
    Check the name of a pipeline or dataset; None if none was given.

    Raises:
        click.BadParameter: The name is empty, or a pipeline name is not safe as a folder name.
    """
    if value is None:
        return None
    if parameter.name == "pipeline" and not re.fullmatch(r"[\w-]+", value):
        msg = "Letters, digits, - and _ only: it names a folder."
        raise click.BadParameter(msg)
    if not value.strip():
        msg = f"It cannot be empty. Leave it out to use {DATASET}."
        raise click.BadParameter(msg)
    return value


database_option = click.option(
    "--database", metavar="PATH", help=f"DuckDB file.  [default: {DATABASE}]"
)

dataset_option = click.option(
    "--dataset",
    default=DATASET,
    show_default=True,
    metavar="NAME",
    callback=check_name,
    help="Schema that holds the tables.",
)


def warehouse_options(function: F) -> F:
    """Add the options that say where the tables are, and which accounts to use."""
    options = (
        click.option(
            "--destination",
            default=DUCKDB,
            show_default=True,
            metavar="NAME",
            help="Any dlt destination.",
        ),
        database_option,
        dataset_option,
        click.option(
            "--pipeline",
            metavar="NAME",
            callback=check_name,
            help=f"dlt pipeline that keeps the cursors.  [default: {PIPELINE}]",
        ),
        click.option(
            "--account",
            multiple=True,
            metavar="ID",
            help="Use this account, not account_id; repeatable.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _take_table_format(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.find_object(Context).table_format = value  # type: ignore[union-attr]


table_format_option = click.option(
    "--table-format",
    type=click.Choice(("delta", "iceberg")),
    metavar="FORMAT",
    expose_value=False,
    callback=_take_table_format,
    help="delta or iceberg; needs --destination filesystem.",
)


def refuse_table_format(destination: str) -> None:
    """
    Refuse ``--table-format`` for DuckDB; the warehouse checks it for other destinations.

    ``table_format`` in a configuration file is accepted: it may be meant for another destination.

    Raises:
        click.UsageError: The option was given for DuckDB.
    """
    if destination == DUCKDB:
        refuse_given(["table_format"], "DuckDB has its own format. Add --destination filesystem.")


publish_option = click.option(
    "--publish",
    metavar="PATH",
    type=PathType(),
    help="Afterwards copy the DuckDB file to PATH, for readers.",
)

sandbox_option = click.option(
    "--sandbox", is_flag=True, help="Use a simulated account: no token needed."
)

sandbox_warehouse_option = click.option(
    "--sandbox", is_flag=True, help="Use the warehouse of sync --sandbox."
)


def choose_warehouse(options: Mapping[str, Any], *, sandbox: bool) -> dict[str, Any]:
    """
    Return *options* with the file and the pipeline that a command uses if none is named.

    Args:
        sandbox: Those of a sandbox run. The file stays None where the destination is not DuckDB,
            and without *sandbox*: which one is the default depends on what is there.
    """
    chosen = dict(options)
    if sandbox and chosen.get("destination", DUCKDB) == DUCKDB:
        chosen["database"] = chosen["database"] or SANDBOX_DATABASE
    chosen["pipeline"] = chosen.get("pipeline") or (SANDBOX_PIPELINE if sandbox else PIPELINE)
    return chosen


log_format_option = click.option(
    OPTION,
    type=click.Choice(["text", JSON]),
    default="text",
    show_default=True,
    expose_value=False,  # :func:`main.run` reads it before the command line is parsed.
    help="Format of stderr; json: one object per line.",
)


def max_deletes_option(remover: str) -> Callable[[F], F]:
    """The option that limits deletions; *remover* names what removes rows, for the help."""
    return click.option(
        "--max-deletes",
        default=MAX_DELETES,
        show_default=True,
        metavar="PERCENT",
        help=f"Largest share of a table that {remover} may remove, beyond 25 rows.",
    )
