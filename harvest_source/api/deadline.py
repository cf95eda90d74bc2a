"""
Network connections on which a whole request has a deadline, whatever the other side sends.

httpx limits single reads only, so a server that sends one byte a minute holds a request for ever:
in a header, in ``1xx`` answers, between the chunks of a body, in a gzip header that never ends.
Here the limit of every read, write and handshake is what is left of the whole.
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
"""Bytes that httpcore asks for at a time, in the body of an answer."""
_PART_TAKEN: Final = 512 * 1024
"""
Bytes of a body that are taken at once instead, where memory is plentiful. What httpcore and httpx
do with each part takes longer than to receive it. In little memory the C library maps blocks of
that size by themselves, which costs more than it saves.
"""

_ABORT_S: Final = 1.0
"""Seconds for a thread to notice that its connection has ended."""


class DeadlineExceeded(httpcore.TimeoutException):
    """The request as a whole took longer than it may."""


class DeadlineBackend(httpcore.NetworkBackend):
    """
    Opens TCP connections whose operations all end by the deadline of the thread that uses them.

    A request is sent, and its answer read, by one thread: :meth:`until` sets that thread's
    deadline. Time is the machine's own, because sockets wait by it.

    Args:
        part: Bytes of a body that are read at once; None: by the machine's memory.
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
        """Whether no connection can be used any more."""
        return self._is_closed

    def close(self) -> None:
        """
        End every connection, also one that another thread waits on or is about to make.

        A run that ends early drops requests under way. Nothing else would close their sockets: the
        pool has forgotten them by the time that they are answered.
        """
        with self._lock:
            self._is_closed = True
            streams, self._open = self._open, set()
        for each in streams:
            each.abort()

    def choose_size(self, wanted: int) -> int:
        """Bytes to read where httpcore asks for *wanted* at most."""
        return self._part if wanted == _PART else wanted

    def adopt(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        """
        Take *stream* among the connections that :meth:`close` ends.

        Raises:
            ConnectError: They have been ended; *stream* is closed.
        """
        adopted = _DeadlineStream(stream, self)
        with self._lock:
            if not self._is_closed:
                self._open.add(adopted)
                return adopted
        stream.close()
        raise httpcore.ConnectError("closed")

    def forget(self, stream: _DeadlineStream) -> None:
        """Note that *stream* is closed, or has become another one."""
        with self._lock:
            self._open.discard(stream)

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Limit what this thread does inside to the moment *deadline* of ``time.monotonic()``."""
        before = getattr(self._thread, "deadline", None)
        self._thread.deadline = deadline
        try:
            yield
        finally:
            self._thread.deadline = before

    def limit(self, timeout: float | None) -> float | None:
        """
        *timeout*, or what is left until the deadline if that is less.

        Raises:
            DeadlineExceeded: Nothing is left.
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
        """:meth:`limit`; a time-out at the deadline is reported as :class:`DeadlineExceeded`."""
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
    """A connection; plain, or with TLS."""

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
        """Wake the thread that waits for the other side, if one does, and close the connection."""
        connection = self._inner.get_extra_info("socket")
        with suppress(OSError):  # The other side has ended it.
            # That of ssl would take TLS away under the thread that reads.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        # Not before: its number would be the next socket's, and the thread would read from that.
        # What is still in use by then becomes a TLS connection, which will not be adopted.
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
            # Python bounds a TLS handshake as a whole, not each read of it.
            stream = self._inner.start_tls(ssl_context, server_hostname, limit)
        self._backend.forget(self)
        return self._backend.adopt(stream)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _NestedTlsStream(httpcore.NetworkStream):
    """
    TLS to the server inside the TLS of an ``https`` proxy.

    httpcore has one, which bounds single reads of the connection to the proxy only.
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
        """Repeat *operation* until it has the bytes that it needs, and send those that it made."""
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
    The addresses of *host*, each once, in the order of the system's preference.

    Raises:
        httpcore.ConnectError: The name is not known, or no name server answered.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters.
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))
