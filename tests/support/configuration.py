"""Configuration as tests set it."""

from collections.abc import Callable

Configure = Callable[..., None]
"""Sets keys of ``[sources.harvest]``, or of a profile; the fixture ``configure``."""
