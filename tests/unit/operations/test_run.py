"""Opening a run: every operation gets the same settings, and no request is sent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from harvest_source.api.rate_limit import (
    GENERAL,
    LimiterMaker,
    build_general_limiter,
    build_unlimited_limiter,
)
from harvest_source.errors import ConfigError
from harvest_source.load.settings import Hooks, RunArguments
from harvest_source.operations.run import Run, open_run
from harvest_source.warehouse.target import Target
from tests.clocks import START, FakeClock
from tests.support.configuration import Configure


def begin(arguments: RunArguments | None = None) -> Run:
    return open_run(Target(), arguments or RunArguments(), Hooks(clock=FakeClock()))


def test_a_run_has_the_configured_settings(configure: Configure) -> None:
    """Accounts, bounds and shares are checked and typed."""
    configure(credentials__access_token="1.pt.x", account_id="7", start_date="2024-01-31")
    run = begin()
    assert run.sessions.account_ids() == (7,)
    assert run.settings.options.start_date == date(2024, 1, 31)
    assert run.settings.upkeep.max_deletes == Decimal("0.2")
    assert run.started_at == START
    assert run.sessions.requests == 0


def test_arguments_win_over_the_configuration(configure: Configure) -> None:
    """So do the settings that the caller passes."""
    configure(credentials__access_token="1.pt.x", account_id="7")
    arguments = RunArguments(
        settings={"overlap": 90}, account=("8", 9), since="2023-05-01", max_deletes="100%"
    )
    run = begin(arguments)
    assert run.sessions.account_ids() == (8, 9)
    assert run.settings.options.start_date == date(2023, 5, 1)
    assert run.settings.options.overlap.total_seconds() == 90
    assert run.settings.upkeep.max_deletes == 1


@pytest.mark.parametrize(
    ("builder", "rate_limit", "allowed"),
    [
        (build_general_limiter, None, GENERAL[0]),
        (build_general_limiter, 100, GENERAL[0]),
        (build_general_limiter, 20, 20),
        (build_unlimited_limiter, None, 1_000_000),
    ],
)
def test_the_time_left_follows_from_the_limit_of_the_run(
    configure: Configure, builder: LimiterMaker, rate_limit: int | None, allowed: int
) -> None:
    """A sandbox without a limit was expected to take as long as Harvest."""
    configure(credentials__access_token="1.pt.x", account_id="7")
    arguments = RunArguments(settings={"rate_limit": rate_limit} if rate_limit else {})
    run = open_run(Target(), arguments, Hooks(clock=FakeClock(), build_limiter=builder))
    assert run.hooks.activity.allowed == (allowed, GENERAL[1])


def test_warnings_of_settings_are_in_the_run_log(configure: Configure) -> None:
    """A warning from before the first request is not lost."""
    configure(credentials__access_token="1.pt.x", start_date="2099-01-01")
    [warning] = begin().run_log.warnings
    assert "start_date (--since) is 2099-01-01, which is in the future" in warning


@pytest.mark.usefixtures("configure")
def test_a_run_without_a_credential_is_refused() -> None:
    """The refusal comes before anything is opened or sent."""
    with pytest.raises(ConfigError, match="No Harvest access token"):
        begin()


def test_an_argument_that_cannot_work_is_refused(configure: Configure) -> None:
    """It is refused like a setting."""
    configure(credentials__access_token="1.pt.x")
    with pytest.raises(ConfigError, match="max-deletes"):
        begin(RunArguments(max_deletes="lots"))
