"""All comparisons of a verification, table by table; repeated only where something was mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pyarrow as pa

from harvest_source.auth.sessions import Session
from harvest_source.concurrency import in_parallel
from harvest_source.defaults import TableFormat
from harvest_source.errors import DestinationError, ForbiddenError, RemoteError
from harvest_source.extract.run_log import Place
from harvest_source.memory import is_plentiful
from harvest_source.operations.audit_tables import AuditedTable, find_tables
from harvest_source.operations.changed_rows import ChangedRow, find_changed_rows
from harvest_source.operations.compare_all_values import INCOMPLETE, AllValuesComparison
from harvest_source.operations.compare_expenses import ExpensesComparison
from harvest_source.operations.compare_history import compare_history
from harvest_source.operations.compare_hours import HoursComparison
from harvest_source.operations.compare_ids import compare_ids, read_short_list
from harvest_source.operations.compare_invoices import InvoiceComparison
from harvest_source.operations.compare_lists import LISTS, LISTS_TO_MEND, ListsComparison
from harvest_source.operations.compare_orphans import compare_orphans
from harvest_source.operations.compare_rows import compare_rows
from harvest_source.operations.compare_values import (
    StoredValues,
    compare_values,
    read_values,
)
from harvest_source.operations.compare_whole import WholeTable, find_whole_tables
from harvest_source.operations.comparisons import (
    Comparison,
    find_root_table,
)
from harvest_source.operations.earlier_comparisons import Earlier, EarlierComparisons
from harvest_source.operations.exclusion_marks import exclude_lacking_columns
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.arrow_reads import build_keys
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.stored_days import StoredDays

_TABLES: Final = 8
"""
Tables that are compared in parallel: most of the time they wait for Harvest.

Their queries of the warehouse run one after the other.
"""
_FEW_TABLES: Final = 2
"""The same for little memory."""

_LOOKED_UP: Final[Mapping[str, Sequence[str]]] = {"projects": ("time_entries", "expenses")}
"""By table, the other tables whose figures depend on its rows."""


@dataclass(slots=True)
class TablesComparison:
    """
    The comparisons of all tables of all accounts.

    Args:
        is_thorough: For mending: more lists are compared, and every id.
        all_values: Compare every value of every row, also in tables of several pages.
    """

    workspace: Workspace
    is_thorough: bool = False
    all_values: bool = False
    _found: dict[Place, list[Comparison]] = field(default_factory=dict)
    """What need not be compared again."""
    _earlier: EarlierComparisons = field(default_factory=EarlierComparisons)
    _values: dict[Place, StoredValues] = field(default_factory=dict)
    """The values of one-page tables here, until they are compared."""
    _failed: dict[Place, RemoteError] = field(default_factory=dict)
    """What the last :meth:`run` could not compare; without a table: rows without a parent."""
    _by_account: dict[int, Workspace] = field(default_factory=dict)
    """The workspace of each account: it leaves out the columns that the account's rows lack."""

    def run(self) -> list[Comparison]:
        """
        Compare what was not compared yet, or was mended since.

        What fails is tried again by the next call; :meth:`note_failures` records what failed last.

        Returns:
            The comparisons of all tables, including earlier ones that still hold.

        Raises:
            HarvestError: An account cannot be opened, or the destination refused.
        """
        workspace, warehouse = self.workspace, self.workspace.warehouse
        self._failed.clear()
        stored = StoredDays(warehouse, workspace.sessions.account_ids())
        accounts: list[tuple[Session, list[AuditedTable | WholeTable]]] = []
        for session in workspace.open_sessions():
            ours = exclude_lacking_columns(workspace, session.account_id)
            self._by_account[session.account_id] = ours
            whole = find_whole_tables(ours, session)
            accounts.append((session, [*find_tables(ours, session, stored), *whole]))
        tables = [table for _, some in accounts for table in some]
        found: list[Comparison] = []
        with PageDigests() as digests:
            compare = partial(self._compare_once, digests)
            # One connection for everything: opening a DuckDB file takes as long as counting it.
            with warehouse.querying():
                for table in tables:
                    if table.place not in self._found:
                        self._read_stored(table, digests)
            workers = choose_workers(warehouse.target.table_format)
            compared = in_parallel(compare, tables, workers=workers)
            for session, some in accounts:
                comparisons = [each for _ in some for each in next(compared)]
                found += comparisons
                if comparisons:
                    found += self._compare_orphans(session)
        return found

    @property
    def failed(self) -> Collection[Place]:
        """What the last :meth:`run` could not compare; without a table: rows without a parent."""
        return self._failed.keys()

    def note_failures(self) -> None:
        """Record in the run log what the last :meth:`run` could not compare."""
        for place, error in sorted(self._failed.items(), key=lambda each: each[0]):
            self.workspace.run_log.fail(*place, error)

    def forget(self, mended: Iterable[Comparison]) -> None:
        """Have the tables of *mended* compared again, and the tables that depend on them."""
        for place, differing in _group(mended).items():
            for name in (place[0], *_LOOKED_UP.get(place[0], ())):
                before = self._found.pop((name, place[1]), [])
                ours = differing if name == place[0] else []
                self._earlier.keep((name, place[1]), before, ours)

    def _read_stored(self, table: AuditedTable | WholeTable, digests: PageDigests) -> None:
        if isinstance(table, WholeTable):
            table.read_stored()
            return
        table.copy.prefetch()
        stored = read_values(self._by_account[table.place[1]], table, digests)
        if stored is not None:
            self._values[table.place] = stored

    def _compare_orphans(self, session: Session) -> list[Comparison]:
        try:
            return list(compare_orphans(self.workspace, session))
        except RemoteError as error:
            self._failed["", session.account_id] = error
            return []

    def _compare_once(
        self, digests: PageDigests, table: AuditedTable | WholeTable
    ) -> list[Comparison]:
        """
        The comparisons of one table, as far as Harvest answers; what fails is noted.

        Raises:
            DestinationError: The destination refused. No thread waits for its file any more.
        """
        place = table.place
        if place in self._found:
            return self._found[place]
        found: list[Comparison] = []
        try:
            if isinstance(table, WholeTable):
                found += table.compare()
            else:
                found += self._compare(table, digests)
        except ForbiddenError as error:
            self.workspace.run_log.warn(
                f"{place[0]} of account {place[1]} cannot be compared: {error}"
            )
        except RemoteError as error:
            self._failed[place] = error
        except DestinationError:
            # This ends the verification. The threads of other tables would each wait for the file
            # in turn, and Python waits for its threads before it exits.
            if (file := self.workspace.warehouse.file) is not None:
                file.stop_waiting()
            raise
        else:
            self._found[place] = found
        return found

    def _compare(self, table: AuditedTable, digests: PageDigests) -> Iterator[Comparison]:
        workspace, name = self._by_account[table.place[1]], table.endpoint.name
        day_column = table.endpoint.window
        columns = ([day_column] if day_column else []) + (
            ["project__id"] if name in ("time_entries", "expenses") else []
        )
        changed = find_changed_rows(workspace, table, columns)
        listed = read_short_list(table)
        keys = None if listed is None else build_keys(listed, day_column)
        days = None if keys is None else Counter(keys.column("day").to_pylist())
        yield from compare_rows(table, changed, days)
        stored = self._values.pop(table.place, None)
        if listed is not None and stored is not None:
            yield from compare_values(workspace, table, changed, listed, stored, digests)
        yield from compare_history(workspace, table)
        most = LISTS_TO_MEND if self.is_thorough else LISTS
        yield from ListsComparison(workspace, table, changed, most).run()
        if name == "time_entries":
            yield from HoursComparison(workspace, table, changed).run()
        if name == "expenses":
            yield from ExpensesComparison(workspace, table, changed).run()
        if name == "invoices":
            yield from InvoiceComparison(workspace, table, changed).run()
        # Last: it may take minutes, in which rows change that are not in *changed*.
        if self.all_values and table.copy.count() > table.page_rows:
            yield from self._compare_all_values(workspace, table, changed, digests)
        else:
            yield from self._compare_ids(table, changed, keys)

    def _compare_all_values(
        self,
        workspace: Workspace,
        table: AuditedTable,
        changed: Sequence[ChangedRow],
        digests: PageDigests,
    ) -> Iterator[Comparison]:
        """Compare all ids and values: a request for each page. Later only what was mended."""
        earlier = self._earlier.find(table.place)
        if earlier.comparisons and not earlier.windows:
            yield from earlier.comparisons
            return
        is_known = not any(each.excuse.startswith(INCOMPLETE) for each in earlier.comparisons)
        comparison = AllValuesComparison(workspace, table, changed, digests)
        yield from comparison.run(list(earlier.windows) if is_known else ())

    def _compare_ids(
        self, table: AuditedTable, changed: Sequence[ChangedRow], listed: pa.Table | None
    ) -> Iterator[Comparison]:
        """Compare all ids: 500 requests for a million rows. Later only where rows were mended."""
        earlier = self._earlier.find(table.place) if listed is None else Earlier()
        before = [each for each in earlier.comparisons if each.check == "ids"]
        if before and not earlier.windows:
            yield from before
            return
        within = list(earlier.windows) if before else ()
        most_rows = None if self.is_thorough else table.page_rows
        found = compare_ids(table, changed, most_rows=most_rows, within=within, listed=listed)
        if found is not None:
            yield found


def choose_workers(table_format: TableFormat | None) -> int:
    """
    How many tables are compared at the same time.

    With a *table_format* it is one: dlt keeps Iceberg's catalog in memory, where only the thread
    that made it can use it.
    """
    if table_format is not None:
        return 1
    return _TABLES if is_plentiful() else _FEW_TABLES


def _group(found: Iterable[Comparison]) -> dict[Place, list[Comparison]]:
    """*found*, grouped by the table during whose comparison each was made."""
    groups: dict[Place, list[Comparison]] = {}
    for each in found:
        name = find_root_table(each)
        endpoint = BY_NAME.get(name.removesuffix("_history"))
        if endpoint is not None:
            parent = endpoint.parent_table if each.check == "list" else ""
            name = parent or endpoint.name
        groups.setdefault((name, each.account_id), []).append(each)
    return groups
