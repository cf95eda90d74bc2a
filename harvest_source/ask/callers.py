"""
Who asks: the person that Harvest names for a sign-in, cached for a minute at most.

Scopes that limit rows by person depend on it. If Harvest refuses the credentials or does not
answer, that person sees nothing; others are not affected.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.ask.row_rules import Person
from harvest_source.clock import Clock
from harvest_source.errors import AuthError, HarvestError

KEEP_S: Final = 60.0
"""How long Harvest's answer is cached: a person who lost access sees rows no longer than that."""

PATIENCE: Final = RetryLimits(attempts=2, total_s=10.0, attempt_s=5.0)
"""Retry limits for these requests: Harvest is asked twice at most, because a caller waits."""

_MANAGING: Final = frozenset({"administrator", "manager"})
_Managed = tuple[tuple[int, ...], tuple[int, ...]] | None

Fetch = Callable[[str, bool], tuple[Person, ...]]
"""Asks Harvest who owns a profile's sign-in and, if the flag is set, what they manage."""


class NotConfirmedError(AuthError):
    """Harvest did not confirm who asks. The message contains nothing secret of the sign-in."""


class People:
    """
    People by profile; Harvest is asked for each once a minute at most. Thread-safe.

    Args:
        fetch: Asks Harvest.
    """

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, bool], threading.Lock] = {}
        self._known: dict[tuple[str, bool], tuple[float, tuple[Person, ...]]] = {}

    def find(self, profile: str, *, is_managing: bool) -> tuple[Person, ...]:
        """
        Find the owner of *profile*, in each of their accounts.

        Raises:
            NotConfirmedError: Harvest refused the sign-in, or did not answer in time.
        """
        key = (profile, is_managing)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:  # Calls for one person share a request; they do not block other people.
            asked_at, people = self._known.get(key, (0.0, ()))
            now = self._clock.monotonic()
            if people and now - asked_at < KEEP_S:
                return people
            self._known.pop(key, None)
            try:
                people = self._fetch(*key)
            except HarvestError as error:
                why = "refuses" if isinstance(error, AuthError) else "did not confirm"
                msg = (
                    f"Harvest {why} the sign-in of profile {profile}, so nothing is shown. Its "
                    f"owner can sign in again: harvest-source auth login --profile {profile}"
                )
                raise NotConfirmedError(msg) from error
            self._known[key] = (now, people)
            return people


def fetch_people(profile: str, is_managing: bool, *, clock: Clock) -> tuple[Person, ...]:
    """
    Ask Harvest, with the sign-in of *profile*, who its owner is in each account that it reads.

    Args:
        is_managing: Also ask for the projects and people that they manage.

    Raises:
        HarvestError: The sign-in does not exist, or Harvest refuses it or does not answer.
    """
    from harvest_source.auth.sessions import Session, Sessions
    from harvest_source.config.resolve import read_configuration
    from harvest_source.load.settings import build_connection

    config = read_configuration({"auth_profile": profile})
    http = HttpContext(clock=clock, contact=config.contact, retry_limits=PATIENCE)
    sessions = Sessions(build_connection(config, http))

    def build(session: Session) -> Person:
        # Members manage nothing, and Harvest refuses to list people for them.
        may_manage = not _MANAGING.isdisjoint(session.owner.access_roles)
        managed: _Managed = ((), ())
        if is_managing and may_manage and session.managed is not None:
            managed = session.managed.read()
        if managed is None:
            raise AuthError("Harvest does not say what this person manages.")
        projects, people = managed
        return Person(session.account_id, session.owner.user_id, people, projects)

    with sessions.in_use():
        return tuple(build(sessions.open(each)) for each in sessions.account_ids())
