"""Connections for our own statements: one for each use, or one for several."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import dlt

from harvest_source.dlt_internals import SqlClient
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.writers import open_sql


class SqlConnections:
    """
    Connections to one dataset. dlt's client is used again until a load may have changed tables.

    Threads take turns: of dlt's client, and of a DuckDB file that is held, there is one.

    Args:
        build_client: Makes dlt's client: it resolves its configuration and reads the schema.
        read_schema: Gives the tables as dlt knows them.
        hold: A context in which the destination may be used.
    """

    def __init__(
        self,
        build_client: Callable[[], SqlClient],
        read_schema: Callable[[], dlt.Schema],
        hold: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._build_client = build_client
        self._read_schema = read_schema
        self._hold = hold
        self._turn = threading.RLock()
        self._client: SqlClient | None = None
        self._stack: ExitStack | None = None
        self._kept: Sql | None = None

    @property
    def dataset(self) -> str:
        """The dataset's name as the destination has it: dlt may have normalized it."""
        self._client = self._client or self._build_client()
        return str(self._client.dataset_name)

    def forget_client(self) -> None:
        """Make another client next time: tables may have changed."""
        self._client = None

    @property
    def is_kept(self) -> bool:
        """Whether a connection is kept: it may not see what is loaded beside it."""
        return self._stack is not None

    @contextmanager
    def open(self) -> Iterator[Sql]:
        """A connection of its own, or inside :meth:`keep` the one that is kept."""
        with self._turn:
            if self._stack is None:
                with self._connect() as sql:
                    yield sql
                return
            if self._kept is None:
                self._kept = self._stack.enter_context(self._connect())
            yield self._kept

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Keep the first connection that is opened inside for all uses inside."""
        with self._turn:
            try:
                with ExitStack() as self._stack:
                    yield
            finally:
                self._stack = self._kept = None

    @contextmanager
    def _connect(self) -> Iterator[Sql]:
        with self._hold():
            client, self._client = self._client or self._build_client(), None
            with client:
                yield open_sql(client, self._read_schema())
            self._client = client
