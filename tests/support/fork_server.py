"""
A process that has imported everything once and forks a child for each order.

A fresh interpreter takes over a second to import dlt, DuckDB and Arrow; a fork takes milliseconds.
A child has its own environment, working folder, standard streams, signals and process id: a SIGKILL
ends only that child. It exits in the regular way, including exit hooks.

Run as ``python -m tests.support.fork_server DESCRIPTOR``, one end of a Unix stream socket. An order
is one line of JSON with the descriptors of a reply socket, stdin, stdout and stderr. The reply
socket gets the child's process id and, in the end, its exit code, each on a line.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
from importlib import import_module
from typing import Any

import duckdb

import harvest_source
from harvest_source.__main__ import DEFAULTS

LIBRARIES = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "dlt.destinations.impl.duckdb.duck",
    "pyarrow.parquet",
)
"""Imported before the first fork, with all of ``harvest_source`` except the optional parts."""
OPTIONAL = ("harvest_source.pages.", "harvest_source.ask.mcp.")
"""Modules that need the libraries of extras. The chart libraries also start threads."""


class _Server:
    """Forks children and reports how they ended."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._replies: dict[int, socket.socket] = {}
        self._ended, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> dict[str, Any] | None:
        """Serve until the other end hangs up; in each child, return its order."""
        while True:
            ready, _, _ = select.select([self._orders.fileno(), self._ended], [], [])
            if self._ended in ready:
                os.read(self._ended, 4096)
                self._report()
            if self._orders.fileno() in ready:
                line, descriptors = _receive(self._orders)
                if not line:
                    return None
                order = self._fork(json.loads(line), descriptors)
                if order is not None:
                    return order

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> dict[str, Any] | None:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._orders.close()
            for reply in self._replies.values():
                reply.close()
            os.close(descriptors[0])
            _take_streams(descriptors[1:])
            return order
        reply = self._replies[pid] = socket.socket(fileno=descriptors[0])
        reply.sendall(f"{pid}\n".encode())
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        return None

    def _report(self) -> None:
        while self._replies:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._replies.pop(pid) as reply:
                reply.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _receive(orders: socket.socket) -> tuple[bytes, list[int]]:
    line, descriptors, _, _ = socket.recv_fds(orders, 1 << 20, 4)
    while line and not line.endswith(b"\n"):
        line += orders.recv(1 << 20)
    return line, list(descriptors)


def _take_streams(descriptors: list[int]) -> None:
    """Make three descriptors stdin, stdout and stderr."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _become(order: dict[str, Any]) -> None:
    """Make this process like one that was started in the regular way."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A background shell makes its command ignore Ctrl-C, and the children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    time.tzset()
    sys.argv = order["argv"]
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    Container()[PluggableRunContext].reload(".")


def main() -> None:
    """Serve; in a child, carry out the order."""
    os.environ.update(DEFAULTS)  # Arrow reads one of them on import.
    ours = pkgutil.walk_packages(harvest_source.__path__, "harvest_source.")
    names = (each.name for each in ours if not each.name.startswith(OPTIONAL))
    for name in (*LIBRARIES, *names):
        import_module(name)
    # Importing DuckDB opens a database with threads, which a forked child would lack.
    duckdb.default_connection().close()
    gc.freeze()  # Garbage collection would copy the pages of the imported modules.
    order = _Server(socket.socket(fileno=int(sys.argv[1]))).run()
    if order is not None:
        _become(order)
        module, name = order["call"].split(":")
        getattr(import_module(module), name)()


if __name__ == "__main__":
    main()
