"""
Runs each statement in a process of its own, and kills the process when it takes too long.

Thread-safe: a server may share one :class:`Runner` among all its callers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from harvest_source.ask.answers import Answer
from harvest_source.ask.cursors import CursorSeal
from harvest_source.ask.exchange import BUSY, FAILED, READY, REFUSED, UNREADABLE, Reply, Request
from harvest_source.ask.filters import MOST_ROWS, check_limit
from harvest_source.ask.models import find_schema
from harvest_source.ask.questions import Question
from harvest_source.ask.reach import Reach
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.clock import Clock, SystemClock
from harvest_source.config.paths import check_database
from harvest_source.defaults import DATASET
from harvest_source.errors import DestinationError, HarvestError
from harvest_source.exit_codes import ExitCode

_WORKER: Final = (sys.executable, "-P", "-m", "harvest_source.ask.worker")
_PASSED: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONPATH", "LD_LIBRARY_PATH")
"""Environment variables passed to a worker: no token, no credentials."""
_RETRY_S: Final = 0.5
_START_S: Final = 60.0
"""How long a worker may take to import its libraries, on a busy machine."""


GIVEN_UP: Final = Reply(error="The question was given up.", error_kind=FAILED)


class QueryFailed(HarvestError):
    """The query was run and failed; the message says why, usually in DuckDB's words."""

    exit_code = ExitCode.USAGE


class CancellableQuestion:
    """A question that can be cancelled while its worker runs. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether the question was cancelled."""
        return self._is_over

    def hold(self, worker: subprocess.Popen[bytes] | None) -> None:
        """Remember the running worker; kill it at once if the question was cancelled."""
        with self._lock:
            self._worker = worker
            if self._is_over and worker is not None:
                worker.kill()

    def end(self) -> None:
        """Cancel the question: kill its worker, now or as soon as it starts."""
        with self._lock:
            self._is_over = True
            if self._worker is not None:
                self._worker.kill()


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one statement may use.

    Attributes:
        seconds: Time limit, after which its process is killed.
        memory_mb: DuckDB's memory; a query that needs more fails, as nothing spills to disk.
        wait_s: How long to wait for a file that a sync holds.
        at_once: Maximum number of concurrent statements; others wait for their turn.
    """

    seconds: int = 20
    memory_mb: int = 512
    threads: int = 2
    wait_s: float = 30.0
    at_once: int = 4


@dataclass(slots=True)
class Runner:
    """
    Answers statements about one warehouse file.

    Attributes:
        dataset: Schema of the tables, as the user names it.
        rewritten: The name that dlt makes of *dataset*; empty if it keeps it.
        keeps_one_ready: Start the next worker when one has answered, so that a server's calls do
            not wait for Python to start and DuckDB to be imported.
        reach: What may be read.
        cursor_seal: Makes and opens the cursors of lists.
    """

    path: Path
    dataset: str = DATASET
    rewritten: str = ""
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=SystemClock)
    keeps_one_ready: bool = False
    reach: Reach = field(default_factory=Reach)
    cursor_seal: CursorSeal = field(default_factory=CursorSeal, repr=False)
    task: CancellableQuestion = field(default_factory=CancellableQuestion, repr=False)
    _pool: _Pool | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self._pool is None:
            self._pool = _Pool(threading.Semaphore(self.limits.at_once))

    def query(self, sql: str, *, max_rows: int = 1000) -> Answer:
        """
        Run a caller's own statement, which may only read.

        Raises:
            StatementRefused: It is not a single SELECT, reaches beyond the warehouse's tables, or
                *max_rows* is out of range.
            QueryFailed: DuckDB could not run it, or not within its limits.
            ConfigError: The path is invalid for a DuckDB file.
            DestinationError: The warehouse does not exist, or a sync holds it for longer than the
                wait.
        """
        check_limit(max_rows, MOST_ROWS, "max_rows")
        try:
            sql.encode()
        except UnicodeEncodeError:
            msg = "The query is not text in UTF-8. Check the terminal's locale, or its file."
            raise StatementRefused(msg) from None
        return self._answer(self._build_request(sql=sql, max_rows=max_rows))

    def ask(self, question: Question, *, max_rows: int) -> Answer:
        """Ask one of :mod:`harvest_source.ask.questions`. Raises the errors of :meth:`query`."""
        value = {"kind": type(question).__name__, **asdict(question)}
        return self._answer(self._build_request(question=value, max_rows=max_rows))

    def close(self) -> None:
        """End the worker that waits for the next call. Running calls end by themselves."""
        self._workers.close()

    @property
    def _workers(self) -> _Pool:
        assert self._pool is not None
        return self._pool

    def _build_request(self, **options: Any) -> Request:
        names = [each for each in (self.dataset, self.rewritten) if each]
        schemas = [place for each in names for place in (each, find_schema(each))]
        return Request(
            path=str(check_database(self.path).absolute()),
            dataset=self.dataset,
            rewritten=self.rewritten,
            reach=self.reach.to_json() if self.reach.scope.is_limited else None,
            schemas=tuple(dict.fromkeys((*schemas, "main"))),
            memory_mb=self.limits.memory_mb,
            threads=self.limits.threads,
            seconds=self.limits.seconds,
            wait_s=self.limits.wait_s,
            **options,
        )

    def _answer(self, request: Request) -> Answer:
        deadline = self.clock.monotonic() + self.limits.wait_s
        while True:
            with self._workers.turns:
                reply = GIVEN_UP if self.task.is_over else self._exchange(request)
            left = deadline - self.clock.monotonic()
            if reply.error_kind != BUSY or left <= 0:
                return _build_answer(reply)
            self.clock.sleep(min(_RETRY_S, left))

    def _exchange(self, request: Request) -> Reply:
        """Send one request to one worker, and end the worker."""
        with self._take_worker() as worker:
            line = json.dumps(asdict(request)).encode() + b"\n"
            try:
                output, _ = worker.communicate(line, timeout=self.limits.seconds)
            except subprocess.TimeoutExpired:
                msg = (
                    f"The query was stopped after {self.limits.seconds} s. Read fewer rows: a "
                    "narrower period, fewer columns, or a sum."
                )
                return Reply(error=msg, error_kind=FAILED)
        try:
            return Reply(**json.loads(output))
        except (ValueError, TypeError):
            msg = "The query was stopped: it needed more than it may use, or its process ended."
            return Reply(error=msg, error_kind=FAILED)

    @contextmanager
    def _take_worker(self) -> Iterator[subprocess.Popen[bytes]]:
        worker = self._workers.take() or _start()
        self.task.hold(worker)
        try:
            _await_ready(worker)
            yield worker
        finally:
            self.task.hold(None)
            _end(worker)
            # Only now, so that the running question does not share the processors with a start.
            if self.keeps_one_ready:
                self._workers.prepare()


@dataclass(slots=True)
class _Pool:
    """The turns of concurrent questions, and the worker that is ready for the next one."""

    turns: threading.Semaphore
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _spare: subprocess.Popen[bytes] | None = None
    _is_closed: bool = False

    def take(self) -> subprocess.Popen[bytes] | None:
        """Take the worker that is ready, if there is one."""
        with self._lock:
            spare, self._spare = self._spare, None
            return spare

    def prepare(self) -> None:
        """Start the next worker, unless one is ready or the pool is closed."""
        with self._lock:
            if self._spare is None and not self._is_closed:
                self._spare = _start()

    def close(self) -> None:
        """End the worker that is ready, and start no other."""
        with self._lock:
            self._is_closed = True
        spare = self.take()
        if spare is not None:
            _end(spare)


def _start() -> subprocess.Popen[bytes]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return subprocess.Popen(  # noqa: S603  # The command is ours.
        _WORKER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=passed,
        start_new_session=True,
    )


def _await_ready(worker: subprocess.Popen[bytes]) -> None:
    """Wait until the worker has imported its libraries, so that imports use no query time."""
    stuck = threading.Timer(_START_S, worker.kill)
    stuck.start()
    try:
        found = worker.stdout.read(len(READY)) if worker.stdout else b""
    finally:
        stuck.cancel()
    if found != READY:
        msg = "The process that runs queries did not start. Check the installation of duckdb."
        raise DestinationError(msg)


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            stream.close()


def _build_answer(reply: Reply) -> Answer:
    if reply.error_kind in (BUSY, UNREADABLE):
        raise DestinationError(reply.error)
    if reply.error_kind == REFUSED:
        raise StatementRefused(reply.error)
    if reply.error_kind:
        raise QueryFailed(reply.error)
    return Answer(
        columns=tuple(name for name, _ in reply.columns),
        types=tuple(kind for _, kind in reply.columns),
        rows=tuple(tuple(row) for row in reply.rows),
        as_of=reply.as_of,
        has_more=reply.has_more,
        is_cut=reply.is_cut,
        tables=tuple(reply.tables),
    )
