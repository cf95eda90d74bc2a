"""The folder that dlt uses as its project in this process: settings and relative files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext


@contextlib.contextmanager
def enter_project(folder: Path) -> Iterator[None]:
    """
    Make *folder* the current folder and dlt's project until the block ends.

    dlt stores its project folder separately from the current one: an earlier test in the same
    process may have left another folder there.
    """
    context = Container()[PluggableRunContext]
    before = Path(context.context.run_dir).absolute()
    with contextlib.chdir(folder):
        context.reload(str(folder))
        try:
            yield
        finally:
            context.reload(str(before))
