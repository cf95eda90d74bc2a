"""How the server's sockets are set up."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from urllib.request import Request, urlopen

import pytest

from harvest_source.sandbox.control.remote import control_reply
from harvest_source.sandbox.control.world import World
from harvest_source.sandbox.serve.server import Server
from harvest_source.sandbox.settings import Settings
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
    """A body does not wait 40 ms for the client to acknowledge the headers."""
    shared.get("users/me")
    accepted = list(iter_accepted(int(shared.server.id_url.rpartition(":")[2])))
    assert accepted
    for each in accepted:
        assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def stop_while_clients_connect(turns: int) -> None:
    """Stop a server, and have it accept three connections *turns* turns of its loop later."""
    world = World(Settings(entries=0))
    server = Server(world, partial(control_reply, world))
    clients: list[socket.socket] = []

    def connect(turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(connect, turns - 1)
            return
        address = server.host, server.port
        clients.extend(socket.create_connection(address) for _ in range(3))

    def stop(_: object) -> None:
        server.stop()
        asyncio.get_running_loop().call_soon(connect, turns)

    world.alter("company", stop)  # The loop calls it while answering.
    serving = threading.Thread(target=server.run)
    serving.start()
    server.ready.wait()
    headers = {
        "Authorization": f"Bearer {world.token}",
        "Harvest-Account-Id": str(world.account_id),
        "User-Agent": "test",
    }
    url = f"http://{server.host}:{server.port}/v2/company"
    with suppress(OSError):  # The stopping server breaks this connection too.
        urlopen(Request(url, headers=headers)).close()
    serving.join()
    assert len(clients) == 3
    for each in clients:
        each.close()


@pytest.mark.parametrize("turns", range(3))
def test_a_stopping_server_closes_connections_it_has_just_accepted(turns: int) -> None:
    """Connections made while the server stops are broken like the others, and leave no socket."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        stop_while_clients_connect(turns)
        gc.collect()
    assert [each for each in warned if each.category is ResourceWarning] == []
