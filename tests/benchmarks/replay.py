"""
A server that repeats the sandbox's answers, for almost no processor time of its own.

``python -m tests.benchmarks.replay URL`` passes on each new request, keeps the answer, and gives it
again with a new date. A second initial sync of an account then shows how fast the connector is by
itself: the sandbox, which makes each page anew, takes as much of two processors as the connector.
Prints its own address. Only for accounts that do not change.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from harvest_source.sandbox import SandboxProcess

_HOPS: Final = {"connection", "date", "server", "transfer-encoding", "content-length"}
"""Headers that belong to one answer and are not replayed."""

Answer = tuple[int, list[tuple[str, str]], bytes]


class Replay(BaseHTTPRequestHandler):
    """Repeats the first answer of the server behind it to each request."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    kept: dict[tuple[str, str, str], Answer] = {}  # noqa: RUF012 - of all connections
    lock = threading.Lock()

    def do_GET(self) -> None:
        """Repeat the kept answer, or get it first."""
        asked = (self.path, self.headers.get("Harvest-Account-Id", ""), self.headers["Host"])
        with self.lock:
            answer = self.kept.get(asked)
        if answer is None:
            answer = self._ask()
            with self.lock:
                self.kept[asked] = answer
        status, headers, body = answer
        self.send_response_only(status)
        for name, value in (*headers, ("Date", formatdate(time.time(), usegmt=True))):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _ask(self) -> Answer:
        connection = http.client.HTTPConnection(self.upstream)
        try:
            connection.request("GET", self.path, headers=dict(self.headers))
            answer = connection.getresponse()
            headers = [pair for pair in answer.getheaders() if pair[0].lower() not in _HOPS]
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@dataclass(frozen=True)
class ReplayedServer:
    """The sandbox as a sync sees it, under the address of the server in front of it."""

    behind: SandboxProcess
    pid: int
    root: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)

    @property
    def api_url(self) -> str:
        return f"{self.root}{urlsplit(self.behind.api_url).path}"

    @property
    def id_url(self) -> str:
        return f"{self.root}{urlsplit(self.behind.id_url).path}"

    def read_cpu_s(self) -> float:
        """Processor seconds so far of the server in front of the sandbox."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def replaying(server: SandboxProcess) -> Iterator[ReplayedServer]:
    """A replaying server in front of *server*, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.replay", server.api_url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield ReplayedServer(server, child.pid, json.loads(child.stdout.readline())["root"])
    finally:
        child.terminate()
        child.communicate()


def main() -> None:
    """Serve until the process ends."""
    Replay.upstream = urlsplit(sys.argv[1]).netloc
    server = ThreadingHTTPServer(("127.0.0.1", 0), Replay)
    server.daemon_threads = True
    print(json.dumps({"root": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
