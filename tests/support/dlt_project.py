"""The folder that dlt uses as its project in this process: settings and relative files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext


@contextlib.contextmanager
def enter_project(folder: Path) -> Iterator[None]:
    """
    Make *folder* the current folder and dlt's project until the block ends.

    dlt stores its project folder separately from the current one: an earlier test in the same
    process may have left another folder there, or its variable, which dlt prefers.
    """
    context = Container()[PluggableRunContext]
    before = Path(context.context.run_dir).absolute()
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("DLT_PROJECT_DIR", raising=False)
        context.reload(str(folder))
        try:
            yield
        finally:
            context.reload(str(before))
