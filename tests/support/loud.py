"""The command line as loud as it gets: the debug log of every library on stderr, tracebacks."""

from __future__ import annotations

import logging
import sys

from harvest_source.cli.main import run

SETTINGS = {"LOAD__DELETE_COMPLETED_JOBS": "false", "RUNTIME__LOG_LEVEL": "DEBUG"}
"""dlt logs as much, and its files are kept."""


def main() -> None:
    """``harvest-source --debug``."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    sys.exit(run(["--debug", *sys.argv[1:]]))
