"""Settings that no sandbox can have."""

from __future__ import annotations

from typing import Any

import pytest

from harvest_source.sandbox import Sandbox
from harvest_source.sandbox.settings import Person, Settings, agency_settings


@pytest.mark.parametrize("latency_ms", [float("nan"), float("inf"), float("-inf"), -1])
def test_a_latency_that_is_no_time_is_refused(latency_ms: float) -> None:
    """With inf no answer would ever come, and with nan the server would fail at each request."""
    for build in (Settings, agency_settings):
        with pytest.raises(ValueError, match="latency_ms must be a finite number"):
            build(latency_ms=latency_ms)


@pytest.mark.parametrize(
    ("role", "grants"),
    [("admin", ()), ("manager", ("billable_rate_manager",)), ("member", ("estimates_manager",))],
)
def test_roles_and_grants_that_harvest_does_not_have_are_refused(
    role: Any, grants: tuple[str, ...]
) -> None:
    """A misspelt grant would open nothing, and a test with it would pass for another reason."""
    with pytest.raises(ValueError, match=r"role|grant"):
        Person("1.pt.a", role=role, grants=grants)
    with Sandbox(entries=10).start() as server, pytest.raises(ValueError, match=r"role|grant"):
        server.set_role(server.tokens["manager"], role, grants)
