"""The exit code and the message for every way in which the process ends."""

from __future__ import annotations

import click
import pytest

from harvest_source.cli.main import explain_error
from harvest_source.errors import (
    AuthError,
    BusyError,
    ConfigError,
    DestinationError,
    GuardError,
    HarvestError,
    ServerError,
)
from harvest_source.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HarvestError("x"), 1),
        (ConfigError("x"), 2),
        (AuthError("x"), 3),
        (ServerError("x"), 4),
        (GuardError("x"), 5),
        (DestinationError("x"), 6),
        (BusyError("x"), 7),
    ],
)
def test_our_own_error_has_its_exit_code_and_message(error: HarvestError, code: int) -> None:
    """The exit codes are those of the contract."""
    assert explain_error(error) == (code, "x")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_130(error: BaseException) -> None:
    """The message says that the same command continues."""
    code, message = explain_error(error)
    assert code == int(ExitCode.INTERRUPTED) == 130
    assert "the same command goes on from here" in message


def test_an_error_that_an_interrupt_led_to_is_an_interrupt() -> None:
    """dlt closes what is still running, and raises its own errors meanwhile."""
    error = RuntimeError("pool is closed")
    error.__context__ = KeyboardInterrupt()
    assert explain_error(error)[0] == ExitCode.INTERRUPTED


def test_any_other_exception_is_reported_as_our_bug() -> None:
    """Exit code 1 names the type and how to report it, not the text, which may hold a secret."""
    code, message = explain_error(ZeroDivisionError("secret"))
    assert code == 1
    assert "bug in harvest-source: ZeroDivisionError" in message
    assert "--debug" in message
    assert "secret" not in message


def test_a_command_line_that_cannot_be_parsed_names_the_help() -> None:
    """Exit code 2 has click's own message, and where to look up the options."""
    context = click.Context(click.Command("sync"), info_name="harvest-source sync")
    code, message = explain_error(click.UsageError("No such option: --tables.", context))
    assert (code, message) == (2, "No such option: --tables. See: harvest-source sync --help")
    code, message = explain_error(click.FileError("a.txt", "cannot be opened"))
    assert code == 2
    assert message.endswith("See: harvest-source --help")
