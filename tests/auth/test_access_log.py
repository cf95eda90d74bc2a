"""The access log has a line for every request, contains no secret, and stays bounded."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harvest_source.api.access_log import AccessLog
from harvest_source.api.http_context import Exchange
from harvest_source.auth.bearer import BearerToken
from harvest_source.errors import ServerError
from tests.support.bench import Start

AT = datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC)
ASKED = Exchange(AT, "GET", "/v2/users", 200, 0.0125, 1, 2048, "1000001", 12)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_says_who_asked_what(tmp_path: Path) -> None:
    """Time, profile, account, method, path, status, milliseconds and rows; for the owner only."""
    path = tmp_path / "access.log"
    AccessLog(path, "work", print)(ASKED)
    assert lines(path) == [
        {
            "at": "2026-11-22T08:00:00.123+00:00",
            "profile": "work",
            "account": 1000001,
            "method": "GET",
            "path": "/v2/users",
            "status": 200,
            "ms": 12,
            "rows": 12,
        }
    ]
    assert path.stat().st_mode & 0o077 == 0


def test_the_log_is_appended_to_and_rotated_by_size(tmp_path: Path) -> None:
    """A full file gets a number; the oldest is deleted, and no line is lost before that."""
    path = tmp_path / "access.log"
    path.write_text('{"old": 1}\n')
    log = AccessLog(path, "default", print, max_bytes=400, keep=2)
    for _ in range(8):
        log(ASKED)
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["access.log", "access.log.1", "access.log.2"]
    assert lines(tmp_path / "access.log.2")[0] == {"old": 1}
    assert sum(len(lines(each)) for each in tmp_path.iterdir()) == 9
    for _ in range(8):
        log(ASKED)
    assert {"old": 1} not in [line for each in tmp_path.iterdir() for line in lines(each)]


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    """Sixteen tables are read at once, yet every line is whole."""
    path = tmp_path / "access.log"
    log = AccessLog(path, "default", print)

    def write() -> None:
        for _ in range(20):
            log(ASKED)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(path)) == 160


def test_two_processes_rotate_the_log_once(tmp_path: Path) -> None:
    """If several writers see a full file, one renames it; no line or file is lost early."""
    path, writers, each = tmp_path / "access.log", 4, 150
    logs = [AccessLog(path, "work", print, max_bytes=500, keep=1000) for _ in range(writers)]
    together = threading.Barrier(writers)

    def write(log: AccessLog) -> None:
        together.wait()
        for _ in range(each):
            log(ASKED)

    threads = [threading.Thread(target=write, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    old = [file for file in tmp_path.iterdir() if file != path]
    assert all(file.stat().st_size >= 500 for file in old)
    files = [*old, path] if path.exists() else old
    assert sum(len(lines(file)) for file in files) == writers * each


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """A warning names the file and the setting."""
    told: list[str] = []
    AccessLog(tmp_path / "nowhere" / "access.log", "default", told.append)(ASKED)
    assert "nowhere/access.log" in told[0]
    assert "access_log" in told[0]


def test_every_attempt_is_logged_with_its_rows(start: Start, tmp_path: Path) -> None:
    """Failed attempts too; a page has its rows, an object one, a refusal none; never the query."""
    bench = start()
    log = AccessLog(tmp_path / "access.log", "default", print)
    auth = BearerToken(bench.server.token)
    bench.server.fault("server_error", path="/v2/users/me", times=1)
    bench.ask(auth, on_response=log, random=lambda: 0.0)
    bench.server.fault("server_error", path="/v2/company")
    with bench.requester(auth, on_response=log, random=lambda: 0.0) as requester:
        requester.fetch("users?per_page=5", parse=lambda _: [1, 2, 3])
        with pytest.raises(ServerError):
            requester.fetch("company", parse=lambda _: None)
    found = [
        (line["path"], line["status"], line["rows"]) for line in lines(tmp_path / "access.log")
    ]
    assert found[:3] == [
        ("/v2/users/me", 500, None),
        ("/v2/users/me", 200, 1),
        ("/v2/users", 200, 3),
    ]
    assert set(found[3:]) == {("/v2/company", 500, None)}
