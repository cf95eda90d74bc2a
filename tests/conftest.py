"""What holds for every test."""

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

settings.register_profile(
    "suite",
    max_examples=50,
    deadline=None,  # A busy machine is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("suite"), max_examples=2000)
"""For a night: ``python -m pytest tests/unit --hypothesis-profile long``."""
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs pytest in the background has it ignore Ctrl-C, and so would the processes
    # that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
