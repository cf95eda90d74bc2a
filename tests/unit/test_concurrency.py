"""Jobs on threads: every result arrives in its job's order, and closing ends the jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.concurrency import gather, in_parallel, processor_slots, run_ahead
from harvest_source.machine import read_processors


def count_up(most: int, emit: Callable[[tuple[int, int]], None]) -> None:
    for number in range(most):
        emit((most, number))


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("waiting", [1, 100])
def test_everything_arrives_in_each_jobs_order(workers: int, waiting: int) -> None:
    """Jobs may overtake each other; the results of one job do not."""
    jobs = [3, 1, 0, 40, 7]
    found = list(gather(count_up, jobs, workers=workers, waiting=waiting))
    for most in jobs:
        mine = [number for job, number in found if job == most]
        assert mine == list(range(most))
    assert len(found) == sum(jobs)


def test_no_jobs_no_results() -> None:
    """Without items the stream ends at once."""
    assert list(gather(count_up, [], workers=3, waiting=1)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_is_raised(workers: int) -> None:
    """Earlier results are consumed first; the error is the job's own."""

    def work(number: int, emit: Callable[[int], None]) -> None:
        emit(number)
        if number == 2:
            raise LookupError(number)

    with pytest.raises(LookupError, match="2"):
        list(gather(work, [1, 2, 3], workers=workers, waiting=10))


def test_a_job_that_is_ahead_waits_and_ends_when_the_stream_is_closed() -> None:
    """Memory stays bounded, and closing the iterator ends the jobs."""
    ended = threading.Event()
    emitted = []

    def work(_: int, emit: Callable[[int], None]) -> None:
        try:
            for number in range(1000):
                emit(number)
                emitted.append(number)
        finally:
            ended.set()

    with closing(gather(work, [0], workers=2, waiting=2)) as results:
        assert next(results) == 0
    assert ended.wait(60)
    assert len(emitted) < 10


@pytest.mark.parametrize("workers", [1, 3])
def test_a_job_may_turn_out_to_be_several(workers: int) -> None:
    """Items that a job returns are processed too, recursively."""

    def work(number: int, emit: Callable[[int], None]) -> list[int] | None:
        emit(number)
        return [number // 2] * 2 if number > 1 else None

    found = list(gather(work, [4, 3], workers=workers, waiting=10))
    assert sorted(found) == [1] * 6 + [2, 2, 3, 4]


def test_further_items_begin_while_nothing_is_consumed() -> None:
    """The consuming loop may be busy for long."""
    began = threading.Event()

    def work(number: int, emit: Callable[[int], None]) -> list[int]:
        emit(number)
        if number:
            began.set()
        return [] if number else [1]

    with closing(gather(work, [0], workers=2, waiting=10)) as results:
        assert next(results) == 0
        assert began.wait(60)
        assert list(results) == [1]


def test_a_further_item_may_end_before_the_one_that_it_came_from() -> None:
    """The other items' results still arrive."""
    taken = threading.Event()

    class Several(list[int]):
        def __iter__(self) -> Iterator[int]:
            yield 1
            assert taken.wait(60)
            yield 2

    def work(number: int, emit: Callable[[int], None]) -> list[int]:
        emit(number)
        return [] if number else Several([1, 2])

    found = []
    for each in gather(work, [0], workers=2, waiting=10):
        found.append(each)
        if each == 1:
            taken.set()
    assert found == [0, 1, 2]


def test_as_many_threads_are_busy_as_there_are_processors() -> None:
    """At least two threads may be busy: one that decodes, and the one that loads."""
    slots, most = processor_slots(), max(2, read_processors())
    with ExitStack() as busy:
        for _ in range(most):
            busy.enter_context(slots)
        assert not slots.acquire(blocking=False)
    with slots:
        assert processor_slots() is slots


def test_a_silence_gives_the_consuming_loop_a_turn() -> None:
    """While no result arrives, the consuming loop still gets its turn."""
    go_on = threading.Event()

    def work(number: int, emit: Callable[[int], None]) -> None:
        assert go_on.wait(60)
        emit(number)

    heard = []
    for each in gather(work, [1], workers=2, waiting=1, silence=(0.01, 0)):
        heard.append(each)
        go_on.set()
    assert heard[0] == 0
    assert heard[-1] == 1


@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_results_come_in_order(items: list[int], workers: int) -> None:
    """Results have the order of the items, whichever was ready first."""
    assert list(in_parallel(str, items, workers=workers)) == [str(item) for item in items]


@pytest.mark.parametrize("items", [[], [1], (1,)])
def test_no_thread_is_started_for_a_single_item(items: Sequence[int]) -> None:
    """Most lists of questions have one item."""
    threads = in_parallel(lambda _: threading.current_thread(), items, workers=8)
    assert {*threads} <= {threading.main_thread()}


def test_the_first_failure_is_raised_in_its_place() -> None:
    """Results before the failure are delivered, and none after it."""
    results = in_parallel(lambda n: 1 // n, [1, 1, 0, 1], workers=2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_task_runs_beside_the_block() -> None:
    """The block continues while the task runs, and gets its result."""
    go_on = threading.Event()

    def task(_: Callable[[], bool]) -> str:
        assert go_on.wait(60)
        return "done"

    with run_ahead(task) as outcome:
        assert not outcome.done()
        go_on.set()
        assert outcome.result(60) == "done"


def test_a_task_is_told_to_end_when_its_block_is_left() -> None:
    """An exception in the block does not wait for the task, which is told to end."""
    left: list[Callable[[], bool]] = []
    asked, go_on = threading.Event(), threading.Event()

    def task(is_left: Callable[[], bool]) -> None:
        left.append(is_left)
        asked.set()
        assert go_on.wait(60)

    with suppress(KeyError), run_ahead(task):
        assert asked.wait(60)
        assert not left[0]()
        raise KeyError
    assert left[0]()
    go_on.set()


def test_an_error_of_a_task_is_raised_where_its_result_is_taken() -> None:
    """It is not raised in the block, which may never ask for the result."""

    def task(_: Callable[[], bool]) -> None:
        raise LookupError

    with run_ahead(task) as outcome, pytest.raises(LookupError):
        outcome.result(60)
