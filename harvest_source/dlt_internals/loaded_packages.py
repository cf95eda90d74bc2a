"""Limit what dlt keeps of loaded packages, in the working folder and in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import dlt

from harvest_source.dlt_internals.settings import find_setting

_STEPS: Final = 3
"""Steps of one package in dlt's trace: extract, normalize, load."""


def prune_loaded_packages(pipeline: dlt.Pipeline, keep: int) -> None:
    """
    Delete the folders of loaded packages except the newest *keep*, and shorten dlt's trace.

    With ``load.delete_completed_jobs`` dlt 1.31 deletes the rows of a loaded package but keeps its
    folder permanently: six files for each load, with the whole schema twice. Nothing reads them
    again. If that setting is off, the user wants to look at what was loaded: all folders are kept.
    Without the methods of dlt's storage: delete the folders below ``load/loaded`` by name.
    """
    shorten_trace(pipeline)
    found = find_setting("delete_completed_jobs", ("load",))
    if found is None or str(found.value).lower() not in {"true", "1"}:
        return
    storage = pipeline._get_load_storage()
    with suppress(OSError):  # Another program has the folder open; the next load tries again.
        for load_id in sorted(storage.list_loaded_packages())[:-keep]:
            storage.delete_loaded_package(load_id)


def shorten_trace(pipeline: dlt.Pipeline) -> None:
    """
    Remove all steps from dlt's trace except those of the last package.

    dlt 1.31 keeps a hundred steps, three for each load, each with the schema as it was then: 30 MB
    after some thirty loads. It also writes all of them to the working folder after every step.
    ``last_trace`` is public; that its steps can be removed is not documented. Without that: the
    setting ``enable_runtime_trace``, which switches the trace off entirely.
    """
    if pipeline.config.enable_runtime_trace and (trace := pipeline.last_trace):
        del trace.steps[:-_STEPS]
