"""How long a run waits for the recipient of its notification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harvest_source.api.notification import SECONDS, Event, Notification, Recipient
from harvest_source.operations.notifying import RunNotifier
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
        yield TimedRecipient("http://127.0.0.1:9/", frozenset({Event.FAILURE}))


@pytest.mark.parametrize(
    ("error", "times"),
    [(Terminated(), [2.0]), (ValueError(), [SECONDS]), (KeyboardInterrupt(), [])],
)
def test_a_run_that_sigterm_ends_waits_less(
    recipient: TimedRecipient, tmp_path: Path, error: BaseException, times: list[float]
) -> None:
    """SIGKILL may follow in ten seconds. Ctrl-C is not notified."""
    target = Target(database=tmp_path / "new.duckdb")
    with pytest.raises(type(error)), RunNotifier(recipient, target):
        raise error
    assert recipient.times == times
