"""What the steps of a run share once the warehouse is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from harvest_source.auth.sessions import Session, Sessions
from harvest_source.errors import DestinationError
from harvest_source.extract.confirmation import Confirmation
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.run_log import RunLog
from harvest_source.load.settings import Upkeep
from harvest_source.memory import tune_arrow
from harvest_source.operations.run import Run
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Lacking:
    """Columns, as ``table.column``, that the rows of one account lack."""

    account_id: int
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class NextCommands:
    """
    The commands that the messages of a run name.

    Attributes:
        is_verify: The run is ``verify``, and not ``sync``.
    """

    target: Target = field(default_factory=Target)
    is_verify: bool = False

    def repeat(self, option: str) -> str:
        """The command that does this again: in a sync, with *option*, which may be empty."""
        name = "verify --fix" if self.is_verify else f"sync {option}".rstrip()
        return self.target.build_command(name)

    def read_whole(self, table: str) -> str:
        """The command that reads the whole *table* again."""
        return self.target.build_command(f"sync --table {table} --full-refresh")


@dataclass(frozen=True, slots=True)
class Workspace:
    """
    An open warehouse, how the run reads, and the tables it works on.

    Attributes:
        is_verify: The run is ``verify``: advice names that command, not ``sync``.
        lacking: For the workspace of one account: columns that its rows lack although the run does
            not exclude them, because an earlier run did.
    """

    warehouse: Warehouse
    extraction: Extraction
    endpoints: tuple[Endpoint, ...]
    upkeep: Upkeep
    is_verify: bool = False
    lacking: Lacking | None = None

    @property
    def commands(self) -> NextCommands:
        """The commands that messages name."""
        return NextCommands(self.warehouse.target, self.is_verify)

    @property
    def run_log(self) -> RunLog:
        """The log of the run."""
        return self.extraction.run_log

    @property
    def sessions(self) -> Sessions:
        """The accounts of the run."""
        return self.extraction.sessions

    @property
    def confirmation(self) -> Confirmation:
        """Asks again what the run's tokens see, before rows are removed."""
        return Confirmation(self.sessions, self.run_log)

    def open_sessions(self) -> Iterator[Session]:
        """
        Yield the session of every account that was not given up.

        Raises:
            HarvestError: An account cannot be opened.
        """
        for account_id in self.sessions.account_ids():
            yield self.sessions.open(account_id)

    def has_column(self, table: str, column: str) -> bool:
        """Whether the warehouse has *column* and it is not excluded, so that it is up to date."""
        is_excluded = f"{table}.{column}" in self.extraction.options.exclude
        if is_excluded or table not in self.warehouse.schema.tables:
            return False
        return column in self.warehouse.schema.tables[table]["columns"]

    def lacks(self, what: str, columns: Sequence[str]) -> bool:
        """
        Whether *what* cannot be compared because any of *columns* is excluded; warns once.

        Args:
            columns: As ``table.column``; columns of tables that are not loaded are ignored.
        """
        places = [name.partition(".")[::2] for name in columns]
        missing = [
            f"{table}.{column}"
            for table, column in places
            if self.warehouse.has_table(table) and not self.has_column(table, column)
        ]
        if missing:
            self.warn_of_lacking(what, missing)
        return bool(missing)

    def warn_of_lacking(self, what: str, columns: Sequence[str]) -> None:
        """Warn that *what* cannot be compared without *columns*, once for all accounts if it is."""
        subject, names, is_one = (
            f"{what[0].upper()}{what[1:]}",
            ", ".join(columns),
            len(columns) == 1,
        )
        if self.lacking is None or self.lacking.columns.isdisjoint(columns):
            self.run_log.warn(
                f"{subject} cannot be compared: {names} {'is' if is_one else 'are'} excluded."
            )
            return
        self.run_log.warn(
            f"{subject} of account {self.lacking.account_id} cannot be compared: its rows lack "
            f"{names}, which {'was' if is_one else 'were'} excluded when they were read. A sync "
            f"without the exclusion reads them again: {self.warehouse.target.build_command('sync')}"
        )

    def drop_staging(self) -> None:
        """
        Drop dlt's staging dataset. Call it after the last load of a run.

        The rows are loaded by then, so a refusal is a warning: on PostgreSQL a reader's open
        transaction may hold one of its tables.
        """
        try:
            self.warehouse.drop_staging()
        except DestinationError as error:
            self.run_log.warn(
                f"dlt's staging dataset could not be dropped; the next run tries again. {error}"
            )

    def now(self) -> datetime:
        """Wall time by the run's clock."""
        return self.extraction.options.clock.now()


def open_workspace(
    run: Run,
    endpoints: tuple[Endpoint, ...],
    *,
    stays_open: bool = False,
    is_verify: bool = False,
) -> Workspace:
    """
    Open the warehouse of *run* and put together what its steps need.

    Args:
        stays_open: As for :class:`Warehouse`.
        is_verify: As for :class:`Workspace`.

    Raises:
        ConfigError: No such destination.
        DestinationError: The destination cannot be opened.
    """
    tune_arrow()
    settings = run.settings
    warehouse = Warehouse(
        run.target,
        clock=run.hooks.clock,
        wait_s=settings.destination_wait_s,
        on_warning=run.run_log.warn,
        activity=run.run_log.activity,
        stays_open=stays_open,
    )
    extraction = Extraction(
        run.sessions, settings.options, run.run_log, package_rows=run.hooks.package_rows
    )
    return Workspace(warehouse, extraction, endpoints, settings.upkeep, is_verify)
