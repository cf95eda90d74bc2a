"""How long a run waits for the recipient of its notification."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harvest_source.api.notification import SECONDS, Event, Notification, Recipient, Style
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.notifying import RunNotifier, VerifyNotifier, notify
from harvest_source.operations.run_report import SyncReport
from harvest_source.termination import Terminated
from harvest_source.warehouse.target import Target
from tests.support.dlt_project import enter_project


@dataclass(frozen=True)
class TimedRecipient(Recipient):
    """Notes how long each notification may take; nothing listens at its address."""

    times: list[float] = field(default_factory=list)

    def send(self, notification: Notification, *, within_s: float = SECONDS) -> str:
        self.times.append(within_s)
        return super().send(notification, within_s=within_s)


@pytest.fixture
def recipient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedRecipient]:
    """A recipient of failures, and dlt's folder for the note of them."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    with enter_project(tmp_path):
        yield TimedRecipient("http://127.0.0.1:9/", frozenset({Event.FAILURE, Event.VERIFY}))


@pytest.mark.parametrize("notifier", [RunNotifier, VerifyNotifier])
@pytest.mark.parametrize(
    ("error", "times"),
    [(Terminated(), [2.0]), (ValueError(), [SECONDS]), (KeyboardInterrupt(), [])],
)
def test_a_run_that_sigterm_ends_waits_less(
    recipient: TimedRecipient,
    tmp_path: Path,
    notifier: type[RunNotifier | VerifyNotifier],
    error: BaseException,
    times: list[float],
) -> None:
    """SIGKILL may follow in ten seconds. Ctrl-C is no failure."""
    target = Target(database=tmp_path / "new.duckdb")
    with pytest.raises(type(error)), notifier(recipient, target):
        raise error
    assert recipient.times == times


@pytest.mark.parametrize("error", [Terminated(), KeyboardInterrupt()])
@pytest.mark.parametrize(("has_reported", "times"), [(False, [2.0]), (True, [SECONDS])])
def test_a_dead_man_switch_hears_of_every_interrupt_once(
    recipient: TimedRecipient, error: BaseException, has_reported: bool, times: list[float]
) -> None:
    """Not a second time if the run's report was already sent."""
    del recipient  # Its folder is needed.
    switch = TimedRecipient("http://127.0.0.1:9/", frozenset(), Style.PING)

    def run() -> None:
        with RunNotifier(switch, Target()) as notifier:
            if has_reported:
                at = datetime(2026, 1, 1, tzinfo=UTC)
                notifier.end(SyncReport(Target(), (1,), at, at, 1.0, 1, {}, RunLog()), None)
            raise error

    with pytest.raises(type(error)):
        run()
    assert switch.times == times


@pytest.mark.parametrize("notifier", [RunNotifier, VerifyNotifier])
def test_an_error_that_dlt_makes_of_ctrl_c_is_no_failure(
    recipient: TimedRecipient, tmp_path: Path, notifier: type[RunNotifier | VerifyNotifier]
) -> None:
    """It says that something was shut down; the cause counts."""
    with (
        pytest.raises(ValueError, match="shut down"),
        notifier(recipient, Target(database=tmp_path / "new.duckdb")),
    ):
        raise ValueError("shut down") from KeyboardInterrupt()
    assert recipient.times == []


def test_a_name_that_is_looked_up_for_ever_delays_no_end(
    recipient: TimedRecipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's lookup of a name has no time limit of ours, and cannot be interrupted."""
    over = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        over.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    began = time.monotonic()
    why = notify(recipient, Notification(Event.FAILURE, "failed", {}), within_s=0.1)
    assert time.monotonic() - began < 10
    assert "no answer" in why
    over.set()
