"""Stopping a run at a statement, as a kill would: nothing after it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient


class Stopped(BaseException):
    """Stands for a killed process."""


@contextmanager
def stopping_at(beginning: str, client: Any = DuckDbSqlClient) -> Iterator[None]:
    """Raise :class:`Stopped` when dlt's SQL *client* gets a statement with that beginning."""
    whole = client.execute_query

    def strike(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        if str(query).startswith(beginning):
            raise Stopped
        return whole(self, query, *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "execute_query", strike)
        yield
