"""A warehouse of made-up rows without Harvest: what a removal takes, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow as pa

from harvest_source.api.client import HarvestClient
from harvest_source.api.evidence import ServerClock
from harvest_source.api.pages import Page, parse_page
from harvest_source.auth.company import Company
from harvest_source.auth.sessions import Owner, Session, Sessions
from harvest_source.decode.decoder import Decoder
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import RunLog
from harvest_source.load.history import TableHistory
from harvest_source.load.own_tables import build_own_resource
from harvest_source.load.settings import Upkeep
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse
from tests.clocks import FakeClock

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
INVOICES, PAYMENTS = BY_NAME["invoices"], BY_NAME["invoice_payments"]
MESSAGES = BY_NAME["invoice_messages"]
PROJECTS, ASSIGNED = BY_NAME["projects"], BY_NAME["project_user_assignments"]


def invoice(number: int, account_id: int = 7) -> dict[str, Any]:
    """An invoice with two lines."""
    return {
        "account_id": account_id,
        "id": number,
        "amount": Decimal("12.500000000"),
        "issue_date": date(2024, 1, number),
        "line_items": [{"account_id": account_id, "id": 10 * number + n} for n in range(2)],
    }


def payment(number: int, invoice_id: int, account_id: int = 7) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "invoice_id": invoice_id,
        "id": number,
        "amount": Decimal("12345678901234567890.123456789"),
    }


def message(number: int, invoice_id: int) -> dict[str, Any]:
    """A message with one recipient: an array below a list below a parent."""
    return {
        "account_id": 7,
        "invoice_id": invoice_id,
        "id": number,
        "recipients": [{"account_id": 7, "name": "Ann", "email": "ann@example.com"}],
    }


def assigned(number: int, project_id: int) -> dict[str, Any]:
    return {"account_id": 7, "project_id": project_id, "id": number, "is_active": True}


ROWS: dict[str, list[dict[str, Any]]] = {
    "invoices": [*map(invoice, (1, 2, 3)), invoice(1, account_id=8)],
    "invoice_payments": [payment(91, 1), payment(92, 2), payment(91, 1, account_id=8)],
    "invoice_messages": [message(81, 1), message(82, 2)],
    "project_user_assignments": [assigned(71, 1), assigned(72, 2)],
}


def build_resource(endpoint: Endpoint, rows: list[dict[str, Any]]) -> Any:
    """A table as a load makes it."""
    return dlt.resource(
        rows, name=endpoint.name, primary_key=endpoint.key, write_disposition="merge"
    )


def open_warehouse(database: Path, **options: Any) -> Warehouse:
    return Warehouse(Target(database=database), **options)


def fill(warehouse: Warehouse, *, own_table: bool = True) -> None:
    """Load :data:`ROWS`, and projects 1 and 2 with a history."""
    history, decoder = TableHistory(PROJECTS), Decoder(PROJECTS.record, account_id=7)
    rows = [{"account_id": 7, "id": number, "name": f"Project {number}"} for number in (1, 2)]

    @dlt.resource(name="projects", primary_key=PROJECTS.key, write_disposition="merge")
    def projects() -> Iterator[Any]:
        yield rows
        yield from history.encode([pa.Table.from_pylist(rows)], decoder)

    tables = [build_resource(BY_NAME[name], each) for name, each in ROWS.items()]
    own = [build_own_resource(DELETED_RECORDS, [])] if own_table else []
    source = dlt.source(lambda: [projects, *tables, *own], name="harvest", section="harvest")
    warehouse.load(source())


class _Account:
    """Answers who the token's owner is: an administrator, unless told otherwise."""

    account_id = 7
    roles = ("administrator",)

    def __init__(self) -> None:
        self.server_clock = ServerClock(FakeClock(NOW))

    def fetch_object(self, path: str) -> dict[str, Any]:
        return {"id": 1, "access_roles": list(self.roles), "invoice_feature": True}

    def fetch_page(self, path: str, *, key: str | None) -> Page:
        body = json.dumps(self.fetch_object(path)).encode()
        return parse_page(body, key=key, began=NOW)


class _Sessions:
    """One open account."""

    def __init__(self) -> None:
        client = cast(HarvestClient, _Account())
        self._session = Session(client, Owner(1, "", "", _Account.roles), Company(client))

    def open(self, _account_id: int) -> Session:
        return self._session


def build_workspace(warehouse: Warehouse, *, keep_content: bool = True) -> Workspace:
    """The shared state of a run's steps, with an administrator's token and without Harvest."""
    sessions = cast(Sessions, _Sessions())
    extraction = Extraction(sessions, ReadOptions(FakeClock(NOW)), RunLog())
    upkeep = Upkeep(None, Decimal("0.2"), 0, None, keep_content)
    return Workspace(warehouse, extraction, (), upkeep)


def ids(warehouse: Warehouse, table: str = "invoices") -> list[tuple[int, int]]:
    """Account and id of every row."""
    with warehouse.sql() as sql:
        return sorted(sql.iter_values(table, EVERY_ROW, ("account_id", "id")))
