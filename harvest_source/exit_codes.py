"""Exit codes of the command line, and which one wins when several apply."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """
    The exit code of the process. Schedulers act on these numbers, so they never change.

    The docstring below each member is its line in docs/command-line.md.
    """

    DONE = 0
    """Done. Also when tables were skipped for permission; each is named."""
    BUG = 1
    """A bug in harvest-source."""
    USAGE = 2
    """Usage or configuration."""
    AUTHENTICATION = 3
    """Harvest refused the token or the account."""
    HARVEST = 4
    """Harvest did not give a usable answer."""
    CHECK_FAILED = 5
    """
    A guard refused a removal, a list could not be proven complete, `verify` found a difference or
    had nothing to compare, a test of the models failed, a table is older than `--max-age`, or a
    table does not fit a sheet of Excel.
    """
    DESTINATION = 6
    """The destination refused."""
    BUSY = 7
    """Another sync of this pipeline is running."""
    INTERRUPTED = 130
    """Interrupted."""
    TERMINATED = 143
    """Ended by SIGTERM, as systemd, Docker and Kubernetes do."""


_GRAVEST_FIRST: Final = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.BUSY,
    ExitCode.DESTINATION,
    ExitCode.AUTHENTICATION,
    ExitCode.HARVEST,
    ExitCode.CHECK_FAILED,
)
"""A signal ends the run at once, so it never occurs together with another code."""


def choose_exit_code(codes: Collection[int]) -> ExitCode:
    """The gravest of *codes*; :attr:`ExitCode.DONE` when there are none."""
    return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.DONE)
