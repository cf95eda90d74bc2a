"""Settings that no sandbox can have."""

from __future__ import annotations

import pytest

from harvest_source.sandbox.settings import Settings, agency_settings


@pytest.mark.parametrize("latency_ms", [float("nan"), float("inf"), float("-inf"), -1])
def test_a_latency_that_is_no_time_is_refused(latency_ms: float) -> None:
    """With inf no answer would ever come, and with nan the server would fail at each request."""
    for build in (Settings, agency_settings):
        with pytest.raises(ValueError, match="latency_ms must be a finite number"):
            build(latency_ms=latency_ms)
