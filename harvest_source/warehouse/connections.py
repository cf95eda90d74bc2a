"""Connections for our own statements: one for each use, or one shared by several uses."""

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
    Connections to one dataset. dlt's client is reused until a load may have changed tables.

    Threads take turns, because there is only one dlt client and one held DuckDB file.

    Args:
        build_client: Builds dlt's client, which resolves its configuration and reads the schema.
        read_schema: Returns the tables as dlt knows them.
        hold: Returns a context in which the destination may be used.
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
        """Build another client next time, because tables may have changed."""
        self._client = None

    @property
    def is_kept(self) -> bool:
        """Whether a connection is kept: it may not see what another connection loads."""
        return self._stack is not None

    @contextmanager
    def open(self) -> Iterator[Sql]:
        """Open a new connection, or use the one that is kept inside :meth:`keep`."""
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
        """Keep the first connection that is opened in the block for all uses in the block."""
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
