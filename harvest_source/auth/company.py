"""The answer of ``company``, which says which modules of an account are on."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from harvest_source.api.client import HarvestClient
from harvest_source.api.pages import Page
from harvest_source.errors import HarvestError


class Company:
    """
    The modules of one account, from ``company``: fetched once, on first use.

    The table ``company`` is loaded from the same answer.
    """

    def __init__(self, client: HarvestClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._flags: Mapping[str, Any] | None = None
        self._page: Page | None = None

    def flag(self, name: str) -> bool | None:
        """Whether a module is on; None if this token may not read that. Raises nothing."""
        with self._lock:
            self._fetch()
            value = (self._flags or {}).get(name)
        return value if isinstance(value, bool) else None

    def take(self) -> Page | None:
        """Hand out the answer once; None if Harvest gave none or it has already been taken."""
        with self._lock:
            self._fetch()
            page, self._page = self._page, None
        return page

    def prefetch(self) -> None:
        """Fetch the answer before it is needed. Raises nothing."""
        with self._lock:
            self._fetch()

    def _fetch(self) -> None:
        if self._flags is not None:
            return
        try:
            self._page = self._client.fetch_page("company", key=None)
            self._flags = json.loads(self._page.rows)[0]
        except HarvestError:
            self._flags = {}  # Reading the table ``company`` reports the error.
