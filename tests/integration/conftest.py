"""Labs for tests that need their own, and an environment that leaks nothing into the tests."""

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
    """Run without the machine's configuration, proxy and telemetry; restore them afterwards."""
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
    """Labs whose first sync is done; each worker has its own shelf."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def open_lab(tmp_path: Path, _shelf: Shelf) -> Iterator[OpenLab]:
    """Open labs, each with its own sandbox and database; all are closed after the test."""
    labs = OpenLab(tmp_path, _shelf)
    yield labs
    labs.close()
