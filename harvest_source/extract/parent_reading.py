"""Reading lists of parents: each once in a run, by whichever table needs it first."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from harvest_source.decode.decoder import Decoder
from harvest_source.decode.dedup import keep_newest
from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.parent_lists import ParentList, pick_parent_columns
from harvest_source.extract.slice_reader import ListSource
from harvest_source.extract.slices import Slice
from harvest_source.extract.task import Task
from harvest_source.extract.window_plan import WindowSettings
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import PARENT_COLUMNS


def read_parents(task: Task, listed: Endpoint, slices: Sequence[Slice]) -> ParentList:
    """
    The records of *slices* of the list *listed*, which are the parents of the task's table.

    Harvest is asked only if no other table of the run has read them.
    """
    place, taker = (listed.name, task.session.account_id), task.endpoint.name
    with task.parents.reading(place):
        if (found := task.parents.take(place, slices, taker)) is not None:
            return found
        decoder = Decoder(listed.record, account_id=task.session.account_id)
        source = ListSource(task.session.client, listed, decoder.decode)
        reader, result = ListReader(source, WindowSettings(task.today)), ReadResult()
        tables = [pick_parent_columns(listed, decoder.decode(b"[]"))]
        for slice_ in slices:
            one = ReadResult()
            tables += [
                pick_parent_columns(listed, each) for each in reader.iter_tables(slice_, one)
            ]
            result.join(one)
        rows = keep_newest(tables, listed.primary_key)
        found = ParentList(tuple(slices), rows, result, {taker})
        if result.proven:
            task.parents.keep(place, found)
    return found


class ParentCollector:
    """
    Collects from a table's own read what the lists below its records need.

    Args:
        task: The table; for one without lists below it, nothing is kept.
        slices: The slices of its list that are read.
    """

    def __init__(self, task: Task, slices: Sequence[Slice]) -> None:
        self._task = task
        self._slices = tuple(slices)
        self._is_wanted = task.endpoint.name in PARENT_COLUMNS
        self._tables: list[pa.Table] = []
        if self._is_wanted:
            self.add(task.decoder.decode(b"[]"))

    def note_start(self, result: ReadResult) -> None:
        """Keep nothing of a read that an earlier run began: it does not bring every record."""
        self._is_wanted &= result.began is None

    def add(self, table: pa.Table) -> None:
        """Keep the columns of *table* that the lists below need."""
        if self._is_wanted:
            self._tables.append(pick_parent_columns(self._task.endpoint, table))

    def keep(self, results: Sequence[ReadResult]) -> None:
        """Offer the records to the tables below; all *results* must be proven."""
        if not self._is_wanted:
            return
        result = ReadResult()
        for each in results:
            result.join(each)
        endpoint = self._task.endpoint
        rows = keep_newest(self._tables, endpoint.primary_key)
        self._task.parents.keep(self._task.key, ParentList(self._slices, rows, result))
