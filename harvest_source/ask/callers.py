"""
Who asks: Harvest's own answer to a person's credentials, kept for a minute at most.

A scope that shows rows by person rests on it. When Harvest refuses the credentials, or does not
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
"""How long an answer counts: a person who lost access sees rows no longer than that."""

PATIENCE: Final = RetryLimits(attempts=2, total_s=10.0, attempt_s=5.0)
"""A caller waits for the answer, so Harvest is asked twice at most."""

_MANAGING: Final = frozenset({"administrator", "manager"})
_Managed = tuple[tuple[int, ...], tuple[int, ...]] | None

Fetch = Callable[[str, bool], tuple[Person, ...]]
"""Asks Harvest who the owner of a profile's sign-in is, and perhaps what they manage."""


class NotConfirmedError(AuthError):
    """Harvest did not confirm who asks. The message holds nothing of the sign-in."""


class People:
    """
    People by profile, each asked for once a minute at most. Thread-safe.

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
        Who the owner of *profile* is, in each of their accounts.

        Raises:
            NotConfirmedError: Harvest refuses the sign-in, or did not answer in time.
        """
        key = (profile, is_managing)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:  # One question for all calls that wait; other people are not held up.
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
        is_managing: Ask for the projects and people that they manage, too.

    Raises:
        HarvestError: There is no such sign-in, or Harvest refuses it, or does not answer.
    """
    from harvest_source.auth.sessions import Session, Sessions
    from harvest_source.config.resolve import read_configuration
    from harvest_source.load.settings import build_connection

    config = read_configuration({"auth_profile": profile})
    http = HttpContext(clock=clock, contact=config.contact, retry_limits=PATIENCE)
    sessions = Sessions(build_connection(config, http))

    def build(session: Session) -> Person:
        # Members manage nothing, and Harvest refuses to list people to them.
        may_manage = not _MANAGING.isdisjoint(session.owner.access_roles)
        managed: _Managed = ((), ())
        if is_managing and may_manage and session.managed is not None:
            managed = session.managed.read()
        if managed is None:
            raise AuthError("Harvest does not tell what this person manages.")
        projects, people = managed
        return Person(session.account_id, session.owner.user_id, people, projects)

    with sessions.in_use():
        return tuple(build(sessions.open(each)) for each in sessions.account_ids())
