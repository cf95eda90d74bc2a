"""Settings for every test."""

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
"""Where tests make many whole syncs: they are thorough, except those in ``IN_THE_SUITE``."""
FIRST_CASE = ("tests/integration/", "tests/cli/")
"""In these folders, all cases of a parametrised thorough test after the first are rare."""
IN_THE_SUITE = ("test_contract.py",)
OWN_COMMANDS = frozenset(
    {SLOW, RARE, "agents", "app", "dbt", "destinations", "duckdb_versions", "schedulers"}
)
"""Markers of tests that have their own command: they are not thorough."""

settings.register_profile(
    "suite",
    max_examples=50,
    deadline=None,  # A busy machine is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("suite"), max_examples=2000)
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background shell makes pytest ignore Ctrl-C, and the processes that tests start and
    # interrupt would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """``-m slow`` draws many examples of each property."""
    if config.option.markexpr == SLOW:
        settings.load_profile("long")


def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for sockets and processes, so three workers finish sooner on two cores."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


# Objects created during collection live to the end.
gc.disable()


def pytest_collection_finish() -> None:
    """Keep the collected tests out of garbage collection: thousands of them live to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Mark tests: ``-m slow`` selects property tests too, tests of one module fixture stay on one
    worker, and tests that make many whole syncs are thorough.

    A memory address in a test's name differs in each worker, and then pytest-xdist runs nothing.
    """
    begun: set[str] = set()
    for item in items:
        if _makes_whole_runs(item) and not _has_own_command(item):
            item.add_marker(RARE if _is_further_case(item, begun) else THOROUGH)
        if _shares_a_module_fixture(item):
            # Otherwise each worker would make the fixture.
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
    """Whether *begun* has an earlier case of the test. The first case is added to it."""
    test = item.nodeid.partition("[")[0]
    is_further = test in begun and test.startswith(FIRST_CASE)
    begun.add(test)
    return is_further


def _has_own_command(item: pytest.Item) -> bool:
    return any(marker.name in OWN_COMMANDS for marker in item.iter_markers())


def _shares_a_module_fixture(item: pytest.Item) -> bool:
    """Whether a fixture of the test has module scope."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info else ()
    return any(each.scope == "module" for group in definitions for each in group)
