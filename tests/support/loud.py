"""The command line at its most verbose: every library's debug log on stderr, with tracebacks."""

from __future__ import annotations

import logging
import sys

from harvest_source.cli.main import run

SETTINGS = {"LOAD__DELETE_COMPLETED_JOBS": "false", "RUNTIME__LOG_LEVEL": "DEBUG"}
"""dlt logs at the same level, and its files are kept."""


def main() -> None:
    """Run ``harvest-source --debug``."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    sys.exit(run(["--debug", *sys.argv[1:]]))
