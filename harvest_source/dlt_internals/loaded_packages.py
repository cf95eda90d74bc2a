"""What dlt keeps of packages that it has loaded, in the working folder and in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import dlt

from harvest_source.dlt_internals.settings import find_setting

_STEPS: Final = 3
"""Of one package in dlt's trace: extract, normalize, load."""


def prune_loaded_packages(pipeline: dlt.Pipeline, keep: int) -> None:
    """
    Delete what dlt keeps of loaded packages, but for the newest *keep*, and shorten its trace.

    With ``load.delete_completed_jobs`` dlt 1.31 deletes the rows of a loaded package and keeps its
    folder: six files and twice the whole schema, for each load and for ever. Nothing reads them
    again. Where that setting is off, a person wants to look at what was loaded: all of it stays.
    Without the methods of dlt's storage: delete the folders below ``load/loaded`` by name.
    """
    shorten_trace(pipeline)
    found = find_setting("delete_completed_jobs", ("load",))
    if found is None or str(found.value).lower() not in {"true", "1"}:
        return
    storage = pipeline._get_load_storage()
    with suppress(OSError):  # Another program looks at the folder; the next load tries again.
        for load_id in sorted(storage.list_loaded_packages())[:-keep]:
            storage.delete_loaded_package(load_id)


def shorten_trace(pipeline: dlt.Pipeline) -> None:
    """
    Keep of dlt's trace what it says of the last package.

    dlt 1.31 keeps a hundred steps, three of each load, with the schema as it was at each of them:
    30 MB after some thirty loads. And it writes all of them to the working folder after every step.
    ``last_trace`` is public; that its steps can be taken away is not documented. Without that: the
    setting ``enable_runtime_trace``, which leaves no trace at all.
    """
    if pipeline.config.enable_runtime_trace and (trace := pipeline.last_trace):
        del trace.steps[:-_STEPS]
