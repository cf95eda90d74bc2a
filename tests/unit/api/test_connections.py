"""How many connections a run keeps open, and what it says when it may open no more."""

from __future__ import annotations

import errno
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from harvest_source.api.http_client import open_client, translated_errors
from harvest_source.api.http_context import IDLE_CONNECTIONS, HttpContext, share_connections
from harvest_source.auth import sessions
from harvest_source.auth.sessions import Connection, Sessions
from harvest_source.cli.main import explain_error
from harvest_source.errors import ResourceError
from harvest_source.sandbox import Sandbox


@pytest.mark.parametrize(
    ("accounts", "files", "expected"),
    [
        (1, 1024, IDLE_CONNECTIONS),
        (8, 1024, IDLE_CONNECTIONS),
        (50, 1024, 5),
        (50, 256, 1),
        (500, 256, 1),
        (50, None, IDLE_CONNECTIONS),
        (0, 1024, IDLE_CONNECTIONS),
    ],
)
def test_idle_connections_take_a_quarter_of_the_files(
    accounts: int, files: int | None, expected: int
) -> None:
    """Fifty accounts under the usual limit of 1,024 kept 629 open before."""
    assert share_connections(accounts, files) == expected


def test_every_account_of_a_run_keeps_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share depends on how many accounts the run has."""
    monkeypatch.setattr(sessions, "read_file_limit", lambda: 1024)
    kept: list[int] = []

    class Client:
        def __init__(self, _: str, http: HttpContext, **__: object) -> None:
            kept.append(http.idle)

    monkeypatch.setattr(sessions, "HarvestClient", Client)
    for accounts in (1, 50):
        connection = Connection(httpx.Auth(), HttpContext(), account_ids=tuple(range(accounts)))
        Sessions(connection)._build_client(0)
    assert kept == [IDLE_CONNECTIONS, 5]


@pytest.mark.skipif(sys.platform != "linux", reason="counts the entries of /proc")
def test_connections_beyond_the_share_are_closed() -> None:
    """As soon as their requests are answered."""
    with Sandbox(entries=0, limit=False) as server:
        together = threading.Barrier(8, timeout=20)
        server.before_request(lambda _: together.wait())
        base = httpx.URL(server.api_url)
        with (
            open_client(
                base, auth=None, headers=server.headers, transport=None, request_s=20, idle=2
            ) as client,
            ThreadPoolExecutor(8) as threads,
        ):
            answers = list(threads.map(lambda _: client.get(f"{base}/users/me"), range(8)))
            assert [each.status_code for each in answers] == [200] * 8
            assert count_connections(int(base.port or 0)) == 2


def count_connections(port: int) -> int:
    """Established connections to *port* on this machine."""
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    return sum(
        line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines
    )


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_request_that_finds_no_free_file_is_not_repeated(number: int) -> None:
    """Waiting frees none: the error says at once what the limit is and how to raise it."""
    error = httpx.ConnectError("[Errno 24]", request=httpx.Request("GET", "https://127.0.0.1"))
    error.__cause__ = OSError(number, "Too many open files")
    with pytest.raises(ResourceError, match="Too many open files") as caught:
        raise_translated(error)
    assert "ulimit -n" in str(caught.value)


def raise_translated(error: Exception) -> None:
    """Raise *error* where a request is sent."""
    with translated_errors(lambda: 1.0):
        raise error


def test_too_many_open_files_are_not_reported_as_a_bug() -> None:
    """Wherever the limit is reached: the command exits with 2 and says how to raise it."""
    wrapped = LookupError()
    wrapped.__cause__ = OSError(errno.EMFILE, "Too many open files")
    code, message = explain_error(wrapped)
    assert code == 2
    assert message.startswith("Too many open files and connections for this process")
    assert "ulimit -n 4096" in message
    assert "same command goes on" in message
