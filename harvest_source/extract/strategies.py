"""
Which function reads a table.

Each function is a generator of Arrow tables for one account. It changes the table's stored state
only after it has yielded the last row that the state covers, and only if everything the state
promises was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pyarrow as pa

from harvest_source.extract.children import read_children, reread_children
from harvest_source.extract.harvest_reports import read_snapshot, read_windows
from harvest_source.extract.incremental import read_changes, reread_slices
from harvest_source.extract.replaced_lists import read_all, reread_all
from harvest_source.extract.task import Task
from harvest_source.schema.endpoint import ReadStrategy

Read = Callable[[Task], Iterator[pa.Table]]

READS: Final[Mapping[ReadStrategy, Read]] = {
    ReadStrategy.CHANGES: read_changes,
    ReadStrategy.WHOLE: read_all,
    ReadStrategy.CHILDREN: read_children,
    ReadStrategy.WINDOWS: read_windows,
    ReadStrategy.SNAPSHOT: read_snapshot,
}

REREADS: Final[Mapping[ReadStrategy, Read]] = {
    ReadStrategy.CHANGES: reread_slices,
    ReadStrategy.WHOLE: reread_all,
    ReadStrategy.CHILDREN: reread_children,
    ReadStrategy.WINDOWS: reread_slices,
    ReadStrategy.SNAPSHOT: reread_slices,
}
"""Functions that read what an audit or a verification chose, whatever was read before."""


def read(task: Task) -> Iterator[pa.Table]:
    """Yield the rows of the task's table that are to be loaded now."""
    reads = READS if task.options.rereads is None else REREADS
    return reads[task.endpoint.strategy](task)
