"""Labs for tests that need one of their own, and surroundings that nothing leaks into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from tests.support.labs import OpenLab, Shelf

SURROUNDINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "EXTRACT__WORKERS": "16",
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No configuration of the machine's, no proxy, no telemetry; all as it was afterwards."""
    empty = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SURROUNDINGS.items():
            patch.setenv(name, value)
        patch.setenv("DLT_PROJECT_DIR", str(empty))
        patch.setenv("DLT_DATA_DIR", str(empty / "data"))
        Container()[PluggableRunContext].reload(str(empty))
        yield
    Container()[PluggableRunContext].reload(".")


@pytest.fixture(scope="session")
def _shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Labs whose first sync is done, one shelf for each worker."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def open_lab(tmp_path: Path, _shelf: Shelf) -> Iterator[OpenLab]:
    """Open labs, each with a sandbox and a database of its own; closed after the test."""
    labs = OpenLab(tmp_path, _shelf)
    yield labs
    labs.close()
