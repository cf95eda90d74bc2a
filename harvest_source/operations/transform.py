"""Build the dbt models in the warehouse that ``sync`` filled. Sends nothing to Harvest."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from harvest_source.config.parse import parse_accounts, parse_destination_wait
from harvest_source.config.resolve import read_configuration
from harvest_source.defaults import DATASET, DUCKDB, PIPELINE
from harvest_source.dlt_internals import find_catalog_name, is_ambiguous
from harvest_source.errors import ConfigError, counted
from harvest_source.exit_codes import ExitCode
from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.load.state import stored_accounts
from harvest_source.next_command import suggest_sandbox
from harvest_source.operations.check_loaded import check_accounts, check_loaded
from harvest_source.operations.dbt_runs import (
    PACKAGE,
    DbtConnection,
    Node,
    build,
    check_installed,
)
from harvest_source.operations.dbt_variables import check_variables
from harvest_source.warehouse.lock import sync_lock
from harvest_source.warehouse.publishing import Published, check_publishable
from harvest_source.warehouse.publishing import publish as publish_file
from harvest_source.warehouse.target import Target, build_target
from harvest_source.warehouse.warehouse import Warehouse
from harvest_source.warehouse.working_folder import claim_folder

_THREADS: Final = 4
_PAYMENTS: Final = "invoice_payments"
_DBT: Final = "dbt"
"""The folder with dbt's own files, in the pipeline's working folder."""
_PROFILE: Final = "profile"
"""The folder in it with dbt's profile: how to reach the destination."""
_ENCRYPTION: Final = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
"""Options of a PostgreSQL address that dbt has under the same names."""
_ADAPTERS: Final = {DUCKDB: "duckdb", "postgres": "postgres"}


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its rows, and how its tests went."""

    name: str
    rows: int | None
    """None: it was not built."""
    passed: int
    warned: int
    failed: int

    @property
    def is_mart(self) -> bool:
        """Whether it is for people, and not an intermediate step."""
        return self.name.startswith("harvest__")


@dataclass(frozen=True, slots=True)
class TransformReport:
    """
    What was built.

    Attributes:
        schema: Where the models are.
        models: In the order in which they were built.
        nodes: Everything that dbt did.
        published: The copy for readers, if one was asked for and every test has passed.
    """

    schema: str
    models: tuple[Model, ...]
    nodes: tuple[Node, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    published: Published | None = None

    @property
    def failures(self) -> list[Node]:
        """Models that could not be built and tests that failed."""
        return [each for each in self.nodes if each.status in ("error", "fail")]

    @property
    def exit_code(self) -> ExitCode:
        """0, 6 for a model that the destination refused, or 5 for a test that failed."""
        if any(each.status == "error" and each.kind == "model" for each in self.nodes):
            return ExitCode.DESTINATION
        return ExitCode.CHECK_FAILED if self.failures else ExitCode.DONE

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "error" if self.failures else "ok",
            "schema": self.schema,
            "seconds": round(self.seconds, 1),
            "models": {
                each.name: {
                    "rows": each.rows,
                    "tests": {"ok": each.passed, "warning": each.warned, "failed": each.failed},
                }
                for each in self.models
            },
            "errors": [
                {"type": each.kind, "name": each.name, "message": each.message}
                for each in self.failures
            ],
            "warnings": list(self.warnings),
            "published": str(self.published.path) if self.published else None,
        }


def transform(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: int | Iterable[int | str] = (),
    variables: Mapping[str, Any] | None = None,
    publish: str | Path | None = None,
    on_progress: Callable[[int, int], None] = lambda _, __: None,
) -> TransformReport:
    """
    Build the models and run their tests, in the schema ``<dataset>_models``.

    Args:
        account: Accounts that the models cover; empty: all in the tables.
        variables: Variables of the dbt package, as its ``dbt_project.yml`` lists them.
        publish: Where to put a copy of the DuckDB file once every test has passed.
        on_progress: Called with how many models and tests have begun, and how many there are.

    Raises:
        ConfigError: dbt is not installed, a variable has a value that the models do not know,
            nothing was loaded under these names, or the models do not support this destination.
        BusyError: A sync of this pipeline is running.
        DestinationError: The destination cannot be used, or dbt ended before it built everything.
    """
    begun = time.monotonic()
    check_variables(PACKAGE, variables or {})
    account_ids = parse_accounts(account)
    target = build_target(destination, database, dataset, pipeline)
    adapter = _find_adapter(target)
    check_installed(adapter)
    place = None if publish is None else check_publishable(target, publish)
    _check_exists(target)
    wait_s = parse_destination_wait(read_configuration({}).destination_wait)
    warnings: list[str] = []
    with sync_lock(pipeline, claim_folder(target), now=datetime.now(UTC)):
        warehouse = Warehouse(target, wait_s=wait_s, on_warning=warnings.append)
        warehouse.follow()
        check_loaded(warehouse)
        schema = f"{warehouse.dataset}_models"
        known = {
            "harvest_schema": warehouse.dataset,
            "harvest_account_ids": list(account_ids),
            **(variables or {}),
        }
        accounts = [int(each) for each in known["harvest_account_ids"]]
        check_accounts(warehouse, accounts)
        warnings += describe_unread_payments(warehouse.source_state, accounts, target)
        kept = Path(warehouse.pipeline.working_dir) / _DBT
        with profile_folder(kept) as folder:
            nodes = build(
                _connect(adapter, warehouse),
                schema,
                known,
                folder,
                kept=kept,
                on_progress=on_progress,
            )
        models = _count_models(warehouse, schema, nodes)
        warned = [f"{each.name}: {each.message}" for each in nodes if each.status == "warn"]
        report = TransformReport(
            schema, models, tuple(nodes), time.monotonic() - begun, (*warnings, *warned)
        )
        if place is None or report.exit_code:
            return report
        published = publish_file(target, place, wait_s=wait_s)
    return replace(report, published=published, seconds=time.monotonic() - begun)


@contextmanager
def profile_folder(kept: Path) -> Iterator[Path]:
    """
    An empty folder in *kept* for dbt's profile and log, which only this user may enter.

    Removed at the end. Not in the folder for temporary files, where nothing would remove that of a
    build that was killed: here the next build does, which has the pipeline's lock.
    """
    folder = kept / _PROFILE
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def describe_unread_payments(
    source_state: Mapping[str, Any], accounts: Collection[int], target: Target
) -> list[str]:
    """
    Say which invoices were not asked for their payments yet: some models lack these.

    Args:
        accounts: Those that the models cover; empty: all.
        target: The warehouse, for the command that reads them.
    """
    warnings = []
    for account_id, state in stored_accounts(source_state, _PAYMENTS).items():
        sweep = ParentSweep.load(state.get(SWEEP_KEY))
        if (not accounts or int(account_id) in accounts) and sweep.is_first and sweep.left:
            warnings.append(
                f"Payments of {sweep.left:,} of {counted(sweep.parents, 'invoice')} of account "
                f"{account_id} are not read yet, and later syncs read them: until then, "
                "harvest__revenue_monthly.collected_amount lacks them, and so does "
                "harvest__invoices.collected_amount where an invoice was written off. To read all "
                f"now: {target.build_command('sync --all-children')}"
            )
    return warnings


def _find_adapter(target: Target) -> str:
    adapter = _ADAPTERS.get(target.destination)
    if adapter is None:
        msg = (
            "The models can only be built in DuckDB and PostgreSQL, and the destination is "
            f"{target.destination[:80]}. For another database, copy the package into a dbt "
            "project of your own: harvest-source dbt PATH"
        )
        raise ConfigError(msg)
    if target.database is not None and is_ambiguous(
        find_catalog_name(str(target.database)), target.dataset
    ):
        msg = (
            "DuckDB names the catalog after the file and cannot distinguish the catalog of "
            f"{target.database} from the dataset {target.dataset}, so no model can read its "
            "tables. Nothing changed. Rename the file, or move its tables to another --dataset."
        )
        raise ConfigError(msg)
    return adapter


def _check_exists(target: Target) -> None:
    """Refuse a mistyped file, which opening would create."""
    if target.database is not None and not target.database.exists():
        msg = (
            f"{target.database} does not exist, so there is no data to build the models "
            f"from.{suggest_sandbox(target.database)} Name the file of a sync with --database, or "
            f"make it: {target.build_command('sync')}"
        )
        raise ConfigError(msg)


def _connect(adapter: str, warehouse: Warehouse) -> DbtConnection:
    """How dbt reaches the destination, with the credentials that dlt has for it."""
    if warehouse.target.database is not None:
        path = str(warehouse.target.database.absolute())
        return DbtConnection(adapter, {"path": path, "threads": _THREADS})
    return connect_postgres(warehouse.pipeline.destination_client().config.credentials)


def connect_postgres(known: Any) -> DbtConnection:
    """How dbt reaches PostgreSQL with dlt's *known* credentials."""
    output = {
        # A socket's folder is percent-encoded in a URL.
        "host": unquote(str(known.host)),
        "port": int(known.port or 5432),
        "user": known.username,
        "dbname": known.database,
        "threads": _THREADS,
    }
    output |= {name: value for name, value in (known.query or {}).items() if name in _ENCRYPTION}
    return DbtConnection("postgres", output, str(known.password or ""))


def _count_models(warehouse: Warehouse, schema: str, nodes: list[Node]) -> tuple[Model, ...]:
    built = [each.name for each in nodes if each.kind == "model" and each.status == "success"]
    rows = _count_rows(warehouse, schema, built)
    return tuple(
        Model(
            each.name,
            rows.get(each.name),
            *(_count_tests(nodes, each.name, status) for status in ("pass", "warn", "fail")),
        )
        for each in nodes
        if each.kind == "model"
    )


def _count_tests(nodes: list[Node], model: str, status: str) -> int:
    counted = ("fail", "error") if status == "fail" else (status,)
    return sum(
        each.kind != "model" and model in each.models and each.status in counted for each in nodes
    )


def _count_rows(warehouse: Warehouse, schema: str, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    with warehouse.sql() as sql:
        return {name: sql.count_elsewhere(schema, name) for name in names}
