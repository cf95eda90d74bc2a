"""Which writer changes and deletes rows at a destination."""

from __future__ import annotations

import dlt

from harvest_source.warehouse.sql import BY_STATEMENTS, RowWriter


def choose_writer(pipeline: dlt.Pipeline) -> RowWriter:  # noqa: ARG001
    """The writer for the destination of *pipeline*."""
    return BY_STATEMENTS
