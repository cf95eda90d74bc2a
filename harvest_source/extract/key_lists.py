"""Reads only a few columns of a list: bodies are parsed in one pass, without whole rows."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from harvest_source.api.client import HarvestClient
from harvest_source.decode.key_decoder import KeyDecoder


@dataclass(frozen=True, slots=True)
class KeyPage:
    """
    One page.

    Attributes:
        rows: A table of the columns that are wanted; bytes if the page does not look as expected.
    """

    rows: Any
    total_entries: int | None
    began: datetime


@dataclass(frozen=True, slots=True)
class KeyClient:
    """Reads lists as *client* does, but only the columns that *keys* wants; thread-safe."""

    client: HarvestClient
    keys: KeyDecoder

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None,
    ) -> Generator[KeyPage, None, None]:
        """All pages in order; see :meth:`HarvestClient.iter_pages`."""
        pages = self.client.iter_pages(
            path, key=key, params=params, most_rows=most_rows, read_body=self.keys.read_body
        )
        with closing(pages):
            for page in pages:
                rows = page.rows if page.made is None else page.made
                yield KeyPage(rows, page.total_entries, page.began)
                del rows, page

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        """How many rows the list has with these filters, in one request."""
        return self.client.fetch_count(path, key=key, params=params)

    def decode(self, rows: Any) -> pa.Table:
        """The wanted columns of :attr:`KeyPage.rows`."""
        return rows if isinstance(rows, pa.Table) else self.keys.decode(rows)
