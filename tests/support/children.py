"""Child processes of tests: forked from a server with all imports done, or started afresh."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Self

REPOSITORY = Path(__file__).parents[2]
COMMAND = "harvest_source.__main__:main"
"""The command ``harvest-source``."""


class Child:
    """
    A forked process; used like :class:`subprocess.Popen` in text mode.

    Attributes:
        pid: Its process id.
        stdin: Written by the test.
        stdout: Read by the test.
        stderr: Read by the test.
        returncode: Exit code, or the negative number of the signal that ended it; None while it
            runs or has not been waited for.
    """

    def __init__(self, reply: IO[str], streams: Sequence[IO[str]]) -> None:
        self._reply = reply
        self.stdin, self.stdout, self.stderr = streams
        if not (line := reply.readline()):
            raise RuntimeError("The server that forks has ended; stderr says why.")
        self.pid = int(line)
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """Send the process a signal if it still runs."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        if self.returncode is None:
            self.returncode = int(self._reply.readline())
            self._reply.close()
        return self.returncode

    def communicate(self, said: str = "", *, timeout: float = 60) -> tuple[str, str]:
        """
        Write to its stdin, close that, read its output to the end, and wait for the process.

        Returns:
            The output on stdout and stderr.

        Raises:
            TimeoutError: It has not ended after *timeout* seconds. It is killed.
        """
        heard = {self.stdout: "", self.stderr: ""}

        def listen(stream: IO[str]) -> None:
            heard[stream] = stream.read()

        listeners = [threading.Thread(target=listen, args=(stream,)) for stream in heard]
        for listener in listeners:
            listener.start()
        with suppress(BrokenPipeError), self.stdin:  # It need not read.
            self.stdin.write(said)
        for listener in listeners:
            listener.join(timeout)
        is_late = any(listener.is_alive() for listener in listeners)
        if is_late:
            self.kill()
            for listener in listeners:
                listener.join()
        self.close()
        if is_late:
            raise TimeoutError(f"Process {self.pid} was still running after {timeout} s: {heard}")
        return heard[self.stdout], heard[self.stderr]

    def close(self) -> None:
        """Wait for its end and close its streams."""
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process if it still runs."""
        self.kill()
        self.close()


class _Server:
    """The process that forks; see :mod:`tests.support.fork_server`."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=REPOSITORY, pass_fds=[theirs.fileno()])

    def order(self, order: Mapping[str, object], descriptors: Sequence[int]) -> None:
        """Order a child with these descriptors: reply socket, stdin, stdout, stderr."""
        socket.send_fds(self._orders, [f"{json.dumps(order)}\n".encode()], descriptors)

    def close(self) -> None:
        """End the server once its children have ended."""
        self._orders.close()
        self._process.wait()


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


def fork(
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    call: str = COMMAND,
    stderr: int | None = None,
) -> Child:
    """
    Start a process in *folder*; the first one takes as long as an interpreter does.

    Args:
        arguments: Its command line arguments.
        environment: Its whole environment.
        call: ``module:function``, called without arguments.
        stderr: A descriptor that it writes to instead of a pipe.
    """
    pipes = [os.pipe() for _ in range(3)]
    theirs = [pipe[side] for pipe, side in zip(pipes, (0, 1, 1), strict=True)]
    ours = [os.fdopen(pipes[0][1], "w"), os.fdopen(pipes[1][0]), os.fdopen(pipes[2][0])]
    mine, reply = socket.socketpair()
    with mine, reply:
        given = [reply.fileno(), *theirs]
        if stderr is not None:
            given[-1] = stderr
        order = {
            "argv": ["harvest-source", *arguments],
            "env": dict(environment),
            "cwd": str(folder),
            "call": call,
        }
        _server().order(order, given)
        for descriptor in theirs:
            os.close(descriptor)
        reply.close()  # So that the other end closes with the server.
        return Child(mine.makefile(), ours)
