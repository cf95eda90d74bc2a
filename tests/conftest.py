"""What holds for every test."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine",
    parent=settings(),
    deadline=None,  # A busy machine is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")
