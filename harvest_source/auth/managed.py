"""The projects and people that a token's owner manages, as Harvest lists them to that person."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

from harvest_source.api.client import HarvestClient
from harvest_source.errors import HarvestError


class Managed:
    """The projects and people that the token's owner manages."""

    def __init__(self, client: HarvestClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._digest: str | None = None

    def read(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """
        Fetch the ids of the projects and of the people; None if Harvest does not list one of the
        two.
        """
        projects, people = self._find_projects(), self._find_people()
        if projects is None or people is None:
            return None
        return tuple(projects), tuple(people)

    def digest(self) -> str:
        """
        A text that changes with them, fetched on first use; empty if Harvest lists neither.
        """
        with self._lock:
            if self._digest is None:
                # A list that Harvest refuses is None here. If it refuses both, the digest is
                # empty, and only a change of roles is noticed.
                found = [self._find_projects(), self._find_people()]
                told = any(each is not None for each in found)
                self._digest = _digest(found) if told else ""
            return self._digest

    def _find_projects(self) -> list[int] | None:
        records = self._fetch("project_assignments", "users/me/project_assignments")
        if records is None:
            return None
        return sorted(each["project"]["id"] for each in records if each.get("is_project_manager"))

    def _find_people(self) -> list[int] | None:
        """The people whom Harvest lists to a manager: their teammates."""
        records = self._fetch("users", "users")
        return None if records is None else sorted(each["id"] for each in records)

    def _fetch(self, name: str, path: str) -> list[Any] | None:
        try:
            pages = self._client.iter_pages(path, key=name)
            return [each for page in pages for each in json.loads(page.rows)]
        except HarvestError:
            return None


def _digest(content: object) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()
