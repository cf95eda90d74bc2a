"""What holds for every test."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    max_examples=50,
    deadline=None,  # A busy machine is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("suite"), max_examples=2000)
"""For a night: ``python -m pytest tests/unit --hypothesis-profile long``."""
settings.load_profile("suite")
