"""How the server's sockets are set up."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator

from tests.sandbox.reader import Reader


def iter_accepted(port: int) -> Iterator[socket.socket]:
    """Sockets of this process that a client has connected to *port*."""
    for each in gc.get_objects():
        if not isinstance(each, socket.socket) or each.fileno() < 0:
            continue
        is_tcp = each.family == socket.AF_INET and each.type == socket.SOCK_STREAM
        if not is_tcp or each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            continue
        if each.getsockname()[1] == port:
            yield each


def test_small_answers_are_sent_at_once(shared: Reader) -> None:
    """A body does not wait until the client has acknowledged the headers, 40 ms later."""
    shared.get("users/me")
    accepted = list(iter_accepted(int(shared.server.id_url.rpartition(":")[2])))
    assert accepted
    for each in accepted:
        assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
