"""The command that serves the warehouse to agents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harvest_source.cli.asking import find_caller, open_access, readable_file
from harvest_source.cli.options import Context, everywhere
from harvest_source.errors import ConfigError
from harvest_source.installation import advise_extra


@click.command()
@click.option(
    "--audit-log",
    metavar="PATH",
    help="File with one line for each call.  [default: mcp.log in the user's log folder]",
)
@readable_file
@everywhere
def mcp(context: Context, audit_log: str | None, **options: Any) -> int:
    """
    Serve the warehouse to agents, read-only.

    Speaks the Model Context Protocol on stdin and stdout. Needs the extra mcp.
    """
    try:
        import anyio

        from harvest_source.ask.mcp.audit_log import AuditLog
        from harvest_source.ask.mcp.server import AskServer, serve_stdio
    except ModuleNotFoundError as error:
        msg = f"This command needs the extra mcp. Install it: {advise_extra('mcp')}"
        raise ConfigError(msg) from error
    from platformdirs import user_log_path

    from harvest_source.clock import SystemClock

    context.console.quiet = True  # stdout belongs to the protocol.
    caller = find_caller(context, options, "stdio")
    access, clock = open_access(options), SystemClock()
    access.runner.keeps_one_ready = True
    place = Path(audit_log) if audit_log else user_log_path("harvest-source") / "mcp.log"
    audit = AuditLog(place, now=clock.now)
    try:
        anyio.run(serve_stdio, AskServer(access, lambda _: caller, audit, clock))
    finally:
        access.runner.close()
        audit.close()
    return 0
