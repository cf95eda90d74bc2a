"""Labs for tests that need one of their own, and surroundings that nothing leaks into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

pytest.register_assert_rewrite("tests.integration.truth")

from tests.integration.lab import Lab  # noqa: E402 - after the line above

SURROUNDINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "EXTRACT__WORKERS": "16",
    "NO_PROXY": "127.0.0.1",
}

OpenLab = Callable[..., Lab]


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


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[OpenLab]:
    """Open labs, each with a sandbox and a database of its own; closed after the test."""
    with ExitStack() as labs:
        opened: list[Lab] = []

        def open_one(**fields: Any) -> Lab:
            folder = tmp_path / str(len(opened))
            folder.mkdir()
            opened.append(labs.enter_context(Lab(folder, **fields)))
            return opened[-1]

        yield open_one
