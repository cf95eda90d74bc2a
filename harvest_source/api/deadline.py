"""
Network connections that enforce a deadline on a whole request, whatever the other side sends.

httpx only limits single reads, so a server that sends one byte a minute can hold a request forever:
in a header, in ``1xx`` answers, between the chunks of a body, in a gzip header that never ends.
Here every read, write and handshake may take only the time left until the request's deadline.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import httpcore

from harvest_source.memory import is_plentiful

T = TypeVar("T")

_TLS_RECORD: Final = 16_384
"""Largest TLS record, in bytes (RFC 8446, 5.1)."""

_PART: Final = 64 * 1024
"""Bytes that httpcore asks for at a time when it reads a body."""
_PART_TAKEN: Final = 512 * 1024
"""
Bytes of a body that are read at a time instead, if memory is plentiful: httpcore and httpx spend
more time on handling a part than on receiving it. If memory is scarce, the C library maps each
block of that size by itself, which costs more than it saves.
"""

_ABORT_S: Final = 1.0
"""Seconds to wait for a thread to notice that its connection has been shut down."""


class DeadlineExceeded(httpcore.TimeoutException):
    """The request as a whole took too long."""


class DeadlineBackend(httpcore.NetworkBackend):
    """
    Opens TCP connections whose operations all end by the deadline of the thread that uses them.

    One thread sends a request and reads its answer; :meth:`until` sets that thread's deadline. It
    uses the machine's own time, because sockets wait by it.

    Args:
        part: Bytes of a body to read at a time; None: depends on the available memory.
    """

    def __init__(self, *, part: int | None = None) -> None:
        self._sockets = httpcore.SyncBackend()
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._open: set[_DeadlineStream] = set()
        self._is_closed = False
        self._part = part or (_PART_TAKEN if is_plentiful() else _PART)

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called, so that no connection can be used any more."""
        return self._is_closed

    def close(self) -> None:
        """
        End every connection, even one that another thread waits on or is about to open.

        A run that ends early abandons requests in flight. Nothing else would close their sockets:
        by the time they are answered, the pool has forgotten them.
        """
        with self._lock:
            self._is_closed = True
            streams, self._open = self._open, set()
        for each in streams:
            each.abort()

    def choose_size(self, wanted: int) -> int:
        """Bytes to read when httpcore asks for at most *wanted*."""
        return self._part if wanted == _PART else wanted

    def adopt(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        """
        Add *stream* to the connections that :meth:`close` ends.

        Raises:
            ConnectError: :meth:`close` was called; *stream* is closed.
        """
        adopted = _DeadlineStream(stream, self)
        with self._lock:
            if not self._is_closed:
                self._open.add(adopted)
                return adopted
        stream.close()
        raise httpcore.ConnectError("closed")

    def forget(self, stream: _DeadlineStream) -> None:
        """Remove *stream*, which is closed or was replaced by its TLS connection."""
        with self._lock:
            self._open.discard(stream)

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Set this thread's deadline, in ``time.monotonic()`` seconds, for the block."""
        before = getattr(self._thread, "deadline", None)
        self._thread.deadline = deadline
        try:
            yield
        finally:
            self._thread.deadline = before

    def limit(self, timeout: float | None) -> float | None:
        """
        *timeout*, or the time left until the deadline if that is less.

        Raises:
            DeadlineExceeded: No time is left.
        """
        deadline = getattr(self._thread, "deadline", None)
        if deadline is None:
            return timeout
        left: float = deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        return left if timeout is None else min(left, timeout)

    @contextmanager
    def limited(self, timeout: float | None) -> Iterator[float | None]:
        """As :meth:`limit`; a time-out at the deadline becomes :class:`DeadlineExceeded`."""
        limit = self.limit(timeout)
        try:
            yield limit
        except httpcore.TimeoutException:
            self.limit(None)
            raise

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of *host* that answers; each gets *timeout* seconds."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in _find_addresses(host, port):
            try:
                with self.limited(timeout) as limit:
                    stream = self._sockets.connect_tcp(
                        address, port, limit, local_address, socket_options
                    )
                return self.adopt(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")


class _DeadlineStream(httpcore.NetworkStream):
    """A plain or TLS connection."""

    def __init__(self, inner: httpcore.NetworkStream, backend: DeadlineBackend) -> None:
        self._inner = inner
        self._backend = backend
        self._in_use = threading.Lock()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        size = self._backend.choose_size(max_bytes)
        with self._in_use, self._backend.limited(timeout) as limit:
            return self._inner.read(size, limit)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with self._in_use, self._backend.limited(timeout) as limit:
            self._inner.write(buffer, limit)

    def close(self) -> None:
        self._backend.forget(self)
        self._inner.close()

    def abort(self) -> None:
        """Wake the thread that waits on this connection, if any, and close the connection."""
        connection = self._inner.get_extra_info("socket")
        with suppress(OSError):  # The other side has already closed it.
            # SSLSocket's own shutdown would remove the TLS layer while the thread is reading.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        # Close only when it is no longer in use: the next socket could get the same file
        # descriptor, and the thread would read from that one. A connection still in use after
        # the wait is becoming a TLS connection, which adopt() will refuse.
        if self._in_use.acquire(timeout=_ABORT_S):
            self._inner.close()
            self._in_use.release()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        if self._inner.get_extra_info("ssl_object") is not None:
            return _NestedTlsStream(self, ssl_context, server_hostname, timeout)
        with self._in_use, self._backend.limited(timeout) as limit:
            # Python applies this timeout to the whole TLS handshake, not to each read.
            stream = self._inner.start_tls(ssl_context, server_hostname, limit)
        self._backend.forget(self)
        return self._backend.adopt(stream)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _NestedTlsStream(httpcore.NetworkStream):
    """
    TLS to the server inside the TLS connection to an ``https`` proxy.

    httpcore's own class only limits single reads from the proxy.
    """

    def __init__(
        self,
        outer: _DeadlineStream,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None,
        timeout: float | None,
    ) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = ssl_context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        try:
            self._run(self._tls.do_handshake, timeout)
        except ssl.SSLError as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._run(lambda: self._tls.read(max_bytes), timeout)
        except ssl.SSLError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            while buffer:
                sent = self._run(lambda left=buffer: self._tls.write(left), timeout)  # type: ignore[misc]
                buffer = buffer[sent:]
        except ssl.SSLError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._outer.close()

    def get_extra_info(self, info: str) -> Any:
        return self._tls if info == "ssl_object" else self._outer.get_extra_info(info)

    def _run(self, operation: Callable[[], T], timeout: float | None) -> T:
        """Repeat *operation* until it has the bytes it needs, and send the bytes it produced."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._send(timeout)
                self._receive(timeout)
                continue
            self._send(timeout)
            return result

    def _send(self, timeout: float | None) -> None:
        if made := self._outgoing.read():
            self._outer.write(made, timeout)

    def _receive(self, timeout: float | None) -> None:
        if received := self._outer.read(_TLS_RECORD, timeout):
            self._incoming.write(received)
        else:
            self._incoming.write_eof()


def _find_addresses(host: str, port: int) -> list[str]:
    """
    The addresses of *host*, each once, in the system's order of preference.

    Raises:
        httpcore.ConnectError: The name does not exist, or no name server answered.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters.
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))
