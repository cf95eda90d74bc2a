"""
Open a run: every operation gets its target, settings, sessions and run log from here.

Imports neither Arrow nor DuckDB: ``sync`` does that while Harvest answers its first request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from harvest_source.auth.oauth import refuse_lost_sign_in
from harvest_source.auth.sessions import Sessions
from harvest_source.errors import SignInError
from harvest_source.extract.run_log import RunLog
from harvest_source.load.settings import Hooks, RunArguments, Settings, build_settings
from harvest_source.warehouse.target import Target


@dataclass(frozen=True, slots=True)
class Run:
    """What every operation starts from. Nothing was sent and the warehouse is not open yet."""

    target: Target
    settings: Settings
    sessions: Sessions
    run_log: RunLog
    hooks: Hooks
    started_at: datetime
    started_s: float
    """``hooks.clock.monotonic()`` when the run began."""


def open_run(target: Target, arguments: RunArguments, hooks: Hooks | None = None) -> Run:
    """
    Resolve the settings of a run and prepare its sessions. Sends nothing.

    Raises:
        ConfigError: A setting or an argument cannot work, or there is no credential.
        SignInError: The vault has a login that cannot be trusted.
    """
    hooks = hooks or Hooks()
    started_at, started_s = hooks.clock.now(), hooks.clock.monotonic()
    run_log = RunLog(on_progress=hooks.on_progress, activity=hooks.activity)
    settings = build_settings(arguments, hooks, run_log)
    connection = settings.connection
    hooks.activity.allowed = connection.build_limiter(hooks.clock, connection.rate_limit).limit
    sessions = Sessions(connection)
    target = replace(
        target,
        table_format=settings.table_format,
        profile=connection.profile,
        accounts=connection.account_ids if "account_id" in arguments.overrides else (),
    )
    return Run(target, settings, sessions, run_log, hooks, started_at, started_s)


def note_lost_sign_in(run: Run, account_ids: Sequence[int]) -> None:
    """Record as a failure that no later run can sign in, although this one could read."""
    connection = run.settings.connection
    try:
        refuse_lost_sign_in(connection.auth, connection.profile)
    except SignInError as error:
        run.run_log.fail("", account_ids[0], error)
