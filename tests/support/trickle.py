"""Servers on real sockets that answer so slowly that no single read ever times out."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import Buffer

T = TypeVar("T")

PAUSE_S = 0.005
"""Pause between two pieces of an answer: far below every limit of a single read."""

MOST_PIECES = 600
"""After so many pieces the server leaves: a client without a deadline fails instead of hanging."""

HOST = "api.harvestapp.test"
"""A name that only a proxy can reach."""

Speak = Callable[[socket.socket, "Trickler"], None]


class Trickler:
    """
    One server. A function defines what it does with a connection.

    Attributes:
        over: Set when the test has ended; nothing more is sent then.
    """

    def __init__(self, speak: Speak) -> None:
        self.over = threading.Event()
        self._speak = speak
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def stop(self) -> None:
        """End every connection, and the listener."""
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def repeat(self, connection: socket.socket, piece: bytes) -> None:
        """Send *piece* until the client leaves, or has had far more than its time limit."""
        for _ in range(MOST_PIECES):
            if self.over.wait(PAUSE_S):
                return
            connection.sendall(piece)

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._speak(connection, self)


@contextmanager
def serve(speak: Speak) -> Iterator[Trickler]:
    """Run a server inside the block."""
    server = Trickler(speak)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def receive_head(connection: socket.socket) -> bytes:
    """Receive a request up to its empty line."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(4096)
        if not received:
            raise ConnectionError("the client left")
        head += received
    return head


def trickle(begin: bytes, piece: bytes) -> Speak:
    """Answer every request with *begin* and then with *piece*, without end."""

    def speak(connection: socket.socket, server: Trickler) -> None:
        receive_head(connection)
        connection.sendall(begin)
        server.repeat(connection, piece)

    return speak


def trickle_unasked(connection: socket.socket, server: Trickler) -> None:
    """Send bytes of a TLS record that never completes, before any request."""
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
    server.repeat(connection, b"\x00")


def tunnel(context: ssl.SSLContext, inside: Speak) -> Speak:
    """An ``https`` proxy that accepts every tunnel and then acts as the server itself."""

    def speak(connection: socket.socket, server: Trickler) -> None:
        with context.wrap_socket(connection, server_side=True) as outer:
            receive_head(outer)
            outer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            inside(outer, server)

    return speak


def speak_tls(context: ssl.SSLContext, speak: Speak) -> Speak:
    """The server's side of a TLS connection inside another one."""

    def inside(outer: socket.socket, server: Trickler) -> None:
        with _NestedTls(outer, context) as connection:
            speak(connection, server)

    return inside


class _NestedTls(socket.socket):
    """The part of a socket that a :data:`Speak` needs."""

    def __init__(self, outer: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__()
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._run(self._tls.do_handshake)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self._run(lambda: self._tls.read(size))

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        self._run(lambda: self._tls.write(data))

    def _run(self, operation: Callable[[], T]) -> T:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._outer.sendall(self._outgoing.read())
                received = self._outer.recv(4096)
                if not received:
                    raise ConnectionError("the client left") from None
                self._incoming.write(received)
                continue
            self._outer.sendall(self._outgoing.read())
            return result


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """
    A certificate for 127.0.0.1 and :data:`HOST`.

    Returns:
        The file that clients trust, and the server's context with the certificate.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = (x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(HOST))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "server.pem", folder / "server.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context
