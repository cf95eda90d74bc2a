"""Entry point of ``harvest-source`` and ``python -m harvest_source``."""

from __future__ import annotations

import os
import sys
import warnings

from harvest_source.lazy_imports import defer_imports
from harvest_source.startup import (
    compile_methods_lazily,
    freeze_modules,
    skip_httpx_command,
)

DEFAULTS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # Our own report says what users need to know; dlt's log is for --debug.
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # One request per table in flight at once: 16 lists at 300 ms take 0.6 s instead of 1.4 s.
    "EXTRACT__WORKERS": "16",
    # Completed load packages would fill the disk.
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    # Rows left in the staging tables would be written to the database file a second time.
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
}
"""Default settings of dlt and Arrow; environment variables that are set and not blank win."""

NOISE = (
    # From dlt's merge through SQLAlchemy, which does the right thing despite the warning.
    "implicitly coercing",
    "Coercing Subquery object",
    # SQLite has no decimal type; harvest-source check explains the consequences.
    "Dialect sqlite.* does .not. support Decimal",
)
"""Beginnings (regular expressions) of library warnings that users can do nothing about."""

_INTERRUPTED = 130
"""``ExitCode.INTERRUPTED``, which may not have been imported yet."""

if sys.platform == "linux":
    # The C library returns free memory to the system (see harvest_source.memory). That takes 20 to
    # 100 MB less than Arrow's own allocators, which keep it per thread, in the same CPU time.
    DEFAULTS["ARROW_DEFAULT_MEMORY_POOL"] = "system"


def main() -> None:
    """Run the command line and exit with one of the codes listed in the README."""
    try:
        _main()
    except KeyboardInterrupt:  # While modules were imported; later :func:`run` handles it.
        print("error: Interrupted.", file=sys.stderr, flush=True)
        os._exit(_INTERRUPTED)


def _main() -> None:
    for name, value in DEFAULTS.items():
        if not os.environ.get(name, "").strip():
            os.environ[name] = value
    for message in NOISE:
        warnings.filterwarnings("ignore", message)
    compile_methods_lazily()
    skip_httpx_command()
    defer_imports()
    freeze_modules()
    from harvest_source.cli.main import run
    from harvest_source.cli.streams import prepare_streams
    from harvest_source.concurrency import has_threads
    from harvest_source.exit_codes import ExitCode

    prepare_streams()
    code = run(sys.argv[1:])
    if code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED} or (code and has_threads()):
        # The interpreter waits for pool threads when it exits. Threads that still wait for an
        # answer would delay a normal exit by minutes.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
