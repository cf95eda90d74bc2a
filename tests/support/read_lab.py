"""Reading a simulated account without dlt: the rows that would be loaded stay in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.bearer import BearerToken
from harvest_source.auth.sessions import Connection, Sessions
from harvest_source.decode.decoder import Decoder
from harvest_source.defaults import SWEEP_EVERY
from harvest_source.extract.extraction import Batch, Extraction
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.removals import PENDING_REMOVALS, load_pending_removals
from harvest_source.extract.run_log import RunLog
from harvest_source.schema.columns import Type
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, SECRET_COLUMNS
from tests.support.simulation import Row, Simulation, number
from tests.support.truth import differences, served

Key = tuple[str, int]
"""A table and an account."""


@dataclass
class Memory:
    """
    The rows of one table of one account, kept as a merge would keep them.

    Attributes:
        rows: By key, without arrays.
        arrays: The elements, by key and name.
        learned: Columns that were not declared, by name.
        state: As the table's reader left it.
    """

    endpoint: Endpoint
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    arrays: dict[tuple[Any, ...], dict[str, list[Any]]] = field(default_factory=dict)
    learned: dict[str, Type] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    _brought: set[tuple[Any, ...]] = field(default_factory=set)

    def begin(self) -> None:
        """Begin a run: the newest version of each row in the run wins."""
        self._brought.clear()

    def put(self, rows: Iterable[Row], arrays: Collection[str]) -> None:
        """Merge *rows* by key; in a table read whole they replace all rows of their scope."""
        rows = list(rows)
        if self.endpoint.cursor is None:
            for scope in {self._scope(row) for row in rows}:
                self.empty(scope)
        for row in rows:
            key = tuple(row[name] for name in self.endpoint.key)
            if key in self._brought and _is_newer(self.rows[key], row):
                continue
            self._brought.add(key)
            self.arrays[key] = {
                name: json.loads(row.pop(name) or "null", parse_float=Decimal)
                for name in arrays & row.keys()
            }
            self.rows[key] = row

    def empty(self, scope: tuple[tuple[str, Any], ...]) -> None:
        """Remove the rows that have all these values."""
        wanted = dict(scope)
        for key in [key for key, row in self.rows.items() if wanted.items() <= row.items()]:
            del self.rows[key], self.arrays[key]

    def _scope(self, row: Row) -> tuple[tuple[str, Any], ...]:
        return tuple((name, row[name]) for name in self.endpoint.sublist_columns)


def _is_newer(row: Row, other: Row) -> bool:
    """Whether *row* was changed after *other*."""
    here, there = row.get("updated_at"), other.get("updated_at")
    return here is not None and there is not None and here > there


@dataclass(frozen=True)
class Reading:
    """The result of one read."""

    run_log: RunLog
    requests: int

    def rows(self, table: str) -> int:
        """The number of records of *table* that were read, in all accounts."""
        return sum(rows for (name, _), rows in self.run_log.rows.items() if name == table)


class ReadLab(Simulation):
    """
    One simulated installation, read table by table into memory.

    Args:
        rename: Names the columns that are not declared.
        fields: Settings of the sandbox.

    Attributes:
        on_page: Called with the log of the run after each page.
    """

    def __init__(self, *, rename: Callable[[str], str] = str, **fields: Any) -> None:
        super().__init__(**fields)
        self._rename = rename
        self._memory: dict[Key, Memory] = {}
        self.on_page: Callable[[RunLog], None] = lambda _: None

    def read(
        self,
        *tables: str,
        accounts: Collection[int] = (),
        start_date: date | None = None,
        overlap: timedelta = timedelta(minutes=5),
        sweep_every: timedelta = SWEEP_EVERY,
        full_refresh: bool = False,
        all_children: bool = False,
    ) -> Reading:
        """
        Read what is new in *tables*, as a sync does.

        Args:
            accounts: The accounts; all of the sandbox by default.
        """
        log = RunLog(on_progress=lambda _: self.on_page(log))
        http = HttpContext(clock=self.shared, on_notice=log.add_notice, random=lambda: 0.0)
        accounts = tuple(accounts or self.server.settings.accounts)
        connection = Connection(
            BearerToken(self.token),
            http,
            account_ids=accounts,
            api_url=self.server.api_url,
            id_url=self.server.id_url,
        )
        options = ReadOptions(
            self.shared,
            start_date=start_date,
            overlap=overlap,
            sweep_every=sweep_every,
            full_refresh=full_refresh,
            all_children=all_children,
            isolate=True,
        )
        sessions = Sessions(connection)
        with sessions.in_use():
            extraction = Extraction(sessions, options, log)
            feeds = [self._feed(table, account) for account in accounts for table in tables]
            decoders = {(f.endpoint.name, f.account_id): f.decoder for f in feeds}
            for package in extraction.iter_packages(feeds):
                for batch in package:
                    key = batch.endpoint.name, batch.account_id
                    self._keep(batch, decoders[key])
            requests = sessions.requests
        return Reading(log, requests)

    def _feed(self, table: str, account_id: int) -> TableFeed:
        memory = self._remember(table, account_id)
        memory.begin()
        excluded = {
            name.partition(".")[2] for name in SECRET_COLUMNS if name.startswith(f"{table}.")
        }
        decoder = Decoder(
            memory.endpoint.record,
            account_id=account_id,
            excluded=frozenset(excluded),
            learned=memory.learned,
            rename=self._rename,
        )
        return TableFeed(memory.endpoint, account_id, decoder, memory.state)

    def _keep(self, batch: Batch, decoder: Decoder) -> None:
        memory = self._remember(batch.endpoint.name, batch.account_id)
        if batch.table is not None:
            memory.put(batch.table.to_pylist(), decoder.arrays)
        if batch.state is not None:
            state = dict(batch.state)
            for gone in load_pending_removals(batch.endpoint, batch.account_id, state):
                for values in gone.values:
                    memory.empty(tuple(zip(gone.columns, values, strict=True)))
            state.pop(PENDING_REMOVALS, None)
            memory.state = state

    def _remember(self, table: str, account_id: int) -> Memory:
        return self._memory.setdefault((table, account_id), Memory(BY_NAME[table]))

    def table(self, name: str, *, account_id: int | None = None) -> list[Row]:
        """Every row of a table without arrays, of one account if it is named."""
        accounts = self.server.settings.accounts if account_id is None else (account_id,)
        return [row for each in accounts for row in self._remember(name, each).rows.values()]

    def state(self, name: str) -> dict[str, Any]:
        """The stored state of a table of the first account."""
        return self._remember(name, self.server.account_id).state

    def ids(self, name: str, *, account_id: int | None = None) -> list[int]:
        """Every id of a table, ascending."""
        return sorted(row["id"] for row in self.table(name, account_id=account_id))

    def arrays(self, table: str, account_id: int | None = None) -> dict[int, dict[str, list[Any]]]:
        """The arrays of a table's rows, by id and name, as served."""
        memory = self._remember(table, account_id or self.server.account_id)
        return {memory.rows[key]["id"]: found for key, found in memory.arrays.items()}

    def contents(self, *tables: str) -> dict[Key, tuple[Any, ...]]:
        """Rows and arrays of some tables, for a later comparison."""
        return {
            (table, account): (dict(memory.rows), dict(memory.arrays))
            for table in tables
            for account in self.server.settings.accounts
            for memory in [self._remember(table, account)]
        }


OpenReadLab = Callable[..., ReadLab]
"""Opens one more lab, with settings of its sandbox; the fixture ``open_lab`` of tests/extract."""


def find_differences(lab: ReadLab, name: str, *, account_id: int | None = None) -> dict[str, Any]:
    """The differences between the rows read and what the sandbox serves now; empty if none."""
    endpoint, account_id = BY_NAME[name], account_id or lab.server.account_id
    records = served(lab, endpoint, account_id)
    rows = lab.table(name, account_id=account_id)
    found = differences(endpoint, rows, records, account_id)
    if endpoint.record.children and not found:
        arrays = lab.arrays(name, account_id)
        for record in records:
            for child in endpoint.record.children:
                here, sent = arrays[record["id"]].get(child.name), record.get(child.name)
                if exact(here) != exact(sent):
                    found[f"{child.name} of {record['id']}"] = here, sent
    return found


def exact(value: Any) -> Any:
    """A JSON value with decimal numbers, so that two spellings of one number are equal."""
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return number(value) if is_number else value


def assert_read(lab: ReadLab, name: str, *, account_id: int | None = None) -> None:
    """The rows read of a table equal what the sandbox serves now, arrays included."""
    assert find_differences(lab, name, account_id=account_id) == {}
