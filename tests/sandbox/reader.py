"""A plain client for the sandbox's own tests: it follows links in `pages` and never retries."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import httpx

from harvest_source.sandbox import Sandbox

# Plain http needs no certificates, and loading them is most of the cost of a new client.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Reader:
    """Requests to one running sandbox."""

    def __init__(self, server: Sandbox) -> None:
        self.server = server
        self.client = httpx.Client(verify=NO_CERTIFICATES, trust_env=False, timeout=10)

    def headers(self, token: str | None = None, account_id: int | None = None) -> dict[str, str]:
        """Valid headers for a token and an account; by default the first ones."""
        return {
            "Authorization": f"Bearer {token or self.server.token}",
            "Harvest-Account-Id": str(account_id or self.server.account_id),
            "User-Agent": "sandbox-tests (tests@example.com)",
        }

    def get(
        self,
        path: str,
        *,
        token: str | None = None,
        account_id: int | None = None,
        **params: Any,
    ) -> httpx.Response:
        """One GET; ``from_`` stands for ``from``."""
        query = {name.rstrip("_"): value for name, value in params.items()}
        url = path if path.startswith("http") else f"{self.server.api_url}/{path}"
        headers = self.headers(token, account_id)
        # An empty mapping would strip the query from a link.
        return self.client.get(url, headers=headers, params=query or None)

    def pages(self, table: str, **params: Any) -> list[dict[str, Any]]:
        """Every page of a list, by following ``links.next``; no address may come twice."""
        answer = self.get(table, **params)
        pages: list[dict[str, Any]] = []
        seen: set[str] = set()
        while True:
            answer.raise_for_status()
            pages.append(answer.json())
            following = pages[-1]["links"]["next"]
            if following is None:
                return pages
            assert following not in seen, following
            seen.add(following)
            answer = self.get(following, token=params.get("token"))

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every row of a list, nested or not; its envelope key is the first one of the answer."""
        return [row for page in self.pages(path, **params) for row in page[next(iter(page))]]


Start = Callable[..., Reader]
"""The fixture that starts a sandbox with the given settings."""
