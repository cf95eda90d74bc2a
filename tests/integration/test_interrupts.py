"""
Ctrl-C or SIGTERM at any point of a run: exit 130 or 143, what was loaded stays, the next run goes
on.
"""

from __future__ import annotations

import signal
from queue import Queue

import pytest

from harvest_source.sandbox import Request
from tests.support.children import Child
from tests.support.four_tables import TABLES, assert_whole, change
from tests.support.holders import reading
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.moments import MOMENTS, start_sync


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with loaded tables and something new in Harvest."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    return lab


def assert_interrupted(child: Child, code: int = 130) -> None:
    """The exit code, with a line that says what is kept; a child that hangs fails the test."""
    out, err = child.communicate()
    assert child.returncode == code, (out, err)
    assert "What was loaded stays; the same command goes on from here." in err
    assert "Traceback" not in err


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_an_interrupted_run_exits_cleanly_and_the_next_has_the_rest(lab: Lab, moment: str) -> None:
    """At any point of a run: exit 130, a line says what is kept, the next run has the rest."""
    assert_interrupted(start_sync(lab, *TABLES, number=signal.SIGINT, moment=moment))
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_terminated_run_exits_cleanly_and_the_next_has_the_rest(lab: Lab, moment: str) -> None:
    """SIGTERM at any point of a run: the same, with exit code 143."""
    assert_interrupted(start_sync(lab, *TABLES, number=signal.SIGTERM, moment=moment), 143)
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
@pytest.mark.parametrize("fault", ["stall", "rate_limited", "unavailable"])
def test_an_interrupt_does_not_wait_for_harvest(lab: Lab, fault: str) -> None:
    """An interrupt ends the wait for a missing answer, and a pause that Harvest asked for."""
    children: Queue[Child] = Queue()
    waiting: list[str | None] = []

    def interrupt(request: Request) -> None:
        waiting.append(request.table)
        if len(waiting) == len(TABLES) + 1:  # The run asked for the token's owner first.
            children.get().send_signal(signal.SIGINT)

    lab.server.after_request(interrupt)
    for table in TABLES:
        lab.server.fault(fault, table=table, **({"retry_after": 600} if "rate" in fault else {}))
    child = start_sync(lab, *TABLES)
    children.put(child)
    assert_interrupted(child)
    lab.server.clear_hooks()
    lab.server.clear_faults()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
def test_an_interrupt_ends_the_wait_for_another_reader(lab: Lab) -> None:
    """An interrupt also ends a run that waits for a file held by another process."""
    with reading(lab.database):
        moment = "harvest_source.clock:SystemClock:sleep"
        assert_interrupted(start_sync(lab, *TABLES, number=signal.SIGINT, moment=moment))
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)
