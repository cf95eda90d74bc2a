"""
Copies a Harvest (getharvest.com) account into DuckDB, or any dlt destination.

Reading order: ``endpoints`` and ``records`` say what there is, ``reading`` how it is read without
losing a row, ``resources`` hands it to dlt, ``run`` and ``steps`` do it all, ``cli`` is for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from harvest_source.load.source import harvest
    from harvest_source.operations.sync import sync

__all__ = ["__version__", "harvest", "sync"]


def __getattr__(name: str) -> Any:
    """Import dlt (0.4 s) only for those who use it."""
    if name == "harvest":
        from harvest_source.load.source import harvest

        return harvest
    if name == "sync":
        from harvest_source.operations.sync import sync

        return sync
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
