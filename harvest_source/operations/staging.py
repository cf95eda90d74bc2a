"""Remove what dlt leaves behind after a load, at the end of a run."""

from __future__ import annotations

from harvest_source.errors import DestinationError
from harvest_source.operations.workspace import Workspace


def drop_staging(workspace: Workspace) -> None:
    """
    Drop dlt's staging dataset. Call it after the last load of a run.

    The rows are loaded by then, so a refusal is a warning: on PostgreSQL a reader's open
    transaction may hold one of its tables.
    """
    try:
        workspace.warehouse.drop_staging()
    except DestinationError as error:
        workspace.run_log.warn(
            f"dlt's staging dataset could not be dropped; the next run tries again. {error}"
        )
