"""What dlt keeps in the working folder of packages that it has loaded."""

from __future__ import annotations

from contextlib import suppress

import dlt

from harvest_source.dlt_internals.settings import find_setting


def prune_loaded_packages(pipeline: dlt.Pipeline, keep: int) -> None:
    """
    Delete what dlt keeps of loaded packages, but for the newest *keep*.

    With ``load.delete_completed_jobs`` dlt 1.31 deletes the rows of a loaded package and keeps its
    folder: six files and twice the whole schema, for each load and for ever. Nothing reads them
    again. Where that setting is off, a person wants to look at what was loaded: all of it stays.
    Without the methods of dlt's storage: delete the folders below ``load/loaded`` by name.
    """
    found = find_setting("delete_completed_jobs", ("load",))
    if found is None or str(found.value).lower() not in {"true", "1"}:
        return
    storage = pipeline._get_load_storage()
    with suppress(OSError):  # Another program looks at the folder; the next load tries again.
        for load_id in sorted(storage.list_loaded_packages())[:-keep]:
            storage.delete_loaded_package(load_id)
