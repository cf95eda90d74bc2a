"""``harvest-source`` and ``python -m harvest_source``."""

from __future__ import annotations

import os
import sys
import warnings

from harvest_source.late_imports import put_off_imports
from harvest_source.startup import (
    compile_methods_late,
    leave_out_httpx_command,
    leave_out_modules,
)

DEFAULTS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # Our own report says what people need; dlt's log is for --debug.
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # Every table's request in flight at once: 16 lists at 300 ms take 0.6 s instead of 1.4 s.
    "EXTRACT__WORKERS": "16",
    # Loaded packages would fill the disk.
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    # Rows left in the staging tables would be written into the database file once more.
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
}
"""Of dlt and of Arrow; what the environment says goes."""

NOISE = (
    # dlt's merge into SQLAlchemy's databases; SQLAlchemy does what is meant.
    "implicitly coercing",
    "Coercing Subquery object",
    # SQLite has no decimals; harvest-source check says what that means.
    "Dialect sqlite.* does .not. support Decimal",
)
"""How warnings of libraries begin that people can do nothing about."""

if sys.platform == "linux":
    # Where the C library gives back what is free (see harvest_source.memory): 20 to 100 MB less
    # than Arrow's own allocators, which keep it for each thread, in the same processor time.
    DEFAULTS["ARROW_DEFAULT_MEMORY_POOL"] = "system"


def main() -> None:
    """Run the command line; exits with the code the README lists."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for message in NOISE:
        warnings.filterwarnings("ignore", message)
    compile_methods_late()
    leave_out_httpx_command()
    put_off_imports()
    leave_out_modules()
    from harvest_source.cli.main import run
    from harvest_source.cli.streams import prepare_streams
    from harvest_source.concurrency import has_threads
    from harvest_source.exit_codes import ExitCode

    prepare_streams()
    code = run(sys.argv[1:])
    if code == ExitCode.INTERRUPTED or (code and has_threads()):
        # Threads that still wait for an answer would hold a normal exit for minutes: the
        # interpreter waits for those of a pool.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
