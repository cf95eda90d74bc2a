"""The folder that dlt takes for its project in this process: settings and relative files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext


@contextlib.contextmanager
def enter_project(folder: Path) -> Iterator[None]:
    """
    Have *folder* as the current folder and as dlt's project, until the block ends.

    dlt keeps the folder of its project beside the current one: a test that ran before in the same
    process may have left another one there.
    """
    context = Container()[PluggableRunContext]
    before = Path(context.context.run_dir).absolute()
    with contextlib.chdir(folder):
        context.reload(str(folder))
        try:
            yield
        finally:
            context.reload(str(before))
