"""
Copies a Harvest (getharvest.com) account into DuckDB, or any dlt destination.

Reading order, four files from the entry point to the rules that keep every row:

1. :mod:`harvest_source.operations.sync`, one whole run; or :mod:`harvest_source.load.source`, the
   dlt source for pipelines of your own,
2. :mod:`harvest_source.extract.extraction`, all tables of all accounts as one stream of batches,
3. :mod:`harvest_source.extract.strategies`, how each kind of list is read.

:mod:`harvest_source.schema` describes the tables and their endpoints. Packages import downward
only, from the top: ``cli``, ``operations``, ``warehouse``, ``load``, ``extract`` and ``config``,
``auth``, ``api`` and ``decode``, ``schema``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvest_source._version import __version__

if TYPE_CHECKING:
    from harvest_source.load.source import harvest
    from harvest_source.operations.sync import sync
    from harvest_source.warehouse.attach import attach

__all__ = ["__version__", "attach", "harvest", "sync"]


def __getattr__(name: str) -> Any:
    """Import ``attach``, ``harvest`` and ``sync`` on first use: dlt takes 0.4 s to import."""
    if name == "attach":
        from harvest_source.warehouse.attach import attach

        return attach
    if name == "harvest":
        from harvest_source.load.source import harvest

        return harvest
    if name == "sync":
        from harvest_source.operations.sync import sync

        return sync
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
