"""What holds for every test."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

SLOW = "slow"

THOROUGH = "thorough"
RARE = "rare"
WHOLE_RUNS = (
    "tests/integration/",
    "tests/cli/test_sync.py",
    "tests/docs/test_examples.py",
    "tests/unit/warehouse/test_run_retention.py",
)
"""Where tests make many whole syncs: they are thorough, but for ``IN_THE_SUITE``."""
FIRST_CASE = ("tests/integration/", "tests/cli/")
"""Of a thorough test with parameters in these folders, all cases after the first are rare."""
IN_THE_SUITE = ("test_contract.py",)
OWN_COMMANDS = frozenset(
    {SLOW, RARE, "agents", "app", "dbt", "destinations", "duckdb_versions", "schedulers"}
)
"""Markers of tests that run by a command of their own: they are not thorough."""

settings.register_profile(
    "suite",
    max_examples=50,
    deadline=None,  # A busy machine is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("suite"), max_examples=2000)
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs pytest in the background has it ignore Ctrl-C, and so would the processes
    # that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """``-m slow`` draws many examples of each property."""
    if config.option.markexpr == SLOW:
        settings.load_profile("long")


def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for sockets and processes: three workers on two cores are done sooner."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


# Whatever is made while tests are collected stays to the end.
gc.disable()


def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end: the garbage collector need not look through them."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    ``-m slow`` selects property tests, too. Tests of one module fixture stay on one worker. Those
    that make many whole syncs are thorough.

    An address in a test's name differs in each worker, and pytest-xdist then runs nothing.
    """
    begun: set[str] = set()
    for item in items:
        if _makes_whole_runs(item) and not _has_own_command(item):
            item.add_marker(RARE if _is_further_case(item, begun) else THOROUGH)
        if _shares_a_module_fixture(item):
            # The fixture would be made once in each worker.
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    if unstable := [item.nodeid for item in items if " object at 0x" in item.nodeid]:
        raise pytest.UsageError(f"Give these tests names of their own: {unstable}")
    if config.option.markexpr == SLOW:
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker(SLOW)


def _makes_whole_runs(item: pytest.Item) -> bool:
    return item.nodeid.startswith(WHOLE_RUNS) and item.path.name not in IN_THE_SUITE


def _is_further_case(item: pytest.Item, begun: set[str]) -> bool:
    """Whether *begun* has an earlier case of the test. The first case is put there."""
    test = item.nodeid.partition("[")[0]
    is_further = test in begun and test.startswith(FIRST_CASE)
    begun.add(test)
    return is_further


def _has_own_command(item: pytest.Item) -> bool:
    return any(marker.name in OWN_COMMANDS for marker in item.iter_markers())


def _shares_a_module_fixture(item: pytest.Item) -> bool:
    """Whether a fixture of the test's module is made once for all tests of the module."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info else ()
    return any(each.scope == "module" for group in definitions for each in group)
