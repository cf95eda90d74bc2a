"""
Open the accounts of a run, so that one that cannot be opened does not block the others.

Imports neither Arrow nor DuckDB: ``sync`` does that while Harvest answers its first request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harvest_source.api.rate_limit import never
from harvest_source.auth.sessions import ACCOUNTS_AT_ONCE, Session, Sessions
from harvest_source.concurrency import in_parallel
from harvest_source.errors import HarvestError
from harvest_source.operations.run import Run


def open_accounts(
    run: Run, is_cancelled: Callable[[], bool] = never, *, with_company: bool = False
) -> tuple[int, ...]:
    """
    Open every account. One that cannot be opened fails alone, and the run goes on without it.

    Args:
        with_company: Ask each account which modules are on at the same time.

    Returns:
        The accounts of the run, including those that failed.

    Raises:
        HarvestError: No account can be opened.
    """
    account_ids = run.sessions.account_ids()
    open_one = partial(_try_open, run.sessions, is_cancelled, with_company)
    failures: list[HarvestError] = []
    opened = in_parallel(open_one, account_ids, workers=ACCOUNTS_AT_ONCE)
    for account_id, session in zip(account_ids, opened, strict=True):
        if isinstance(session, HarvestError):
            failures.append(session)
            run.run_log.fail("", account_id, session)
            run.sessions.drop_account(account_id)
    if len(failures) == len(account_ids):
        raise failures[0]
    return account_ids


def _try_open(
    sessions: Sessions, is_cancelled: Callable[[], bool], with_company: bool, account_id: int
) -> Session | HarvestError:
    """The session of one account, or why it cannot be opened."""
    try:
        return sessions.open(account_id, cancelled=is_cancelled, with_company=with_company)
    except HarvestError as error:
        return error
