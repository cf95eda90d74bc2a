"""What the command line ends with, and which number stands when several apply."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """
    What the process ends with. Schedulers act on these numbers, so none of them ever changes.

    The docstring below each is its line in docs/command-line.md.
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


_GRAVEST_FIRST: Final = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.BUSY,
    ExitCode.DESTINATION,
    ExitCode.AUTHENTICATION,
    ExitCode.HARVEST,
    ExitCode.CHECK_FAILED,
)
"""An interrupt ends the run at once: it never stands beside others."""


def choose_exit_code(codes: Collection[int]) -> ExitCode:
    """The gravest of *codes*; :attr:`ExitCode.DONE` when there are none."""
    return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.DONE)
