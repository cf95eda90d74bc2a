"""A warehouse as the previous version made it: reports with columns ``from`` and ``to``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt

from harvest_source.dlt_internals import NamingDuckDB, store_schema
from harvest_source.load.state import own_state
from tests.support.lab import Lab

RENAMED = {"from_date": "from", "to_date": "to"}


def make_earlier(
    lab: Lab,
    *reports: str,
    pending: dict[str, Any] | None = None,
    alter: Callable[[str], None] | None = None,
    destination: Any = None,
) -> None:
    """
    Turn the lab's warehouse, and dlt's schema and state for it, into an earlier one.

    Args:
        pending: Pending removals in the state of the first account, by report.
        alter: Runs a statement in the warehouse; by default in the lab's DuckDB file.
        destination: dlt's destination; by default the lab's DuckDB file.
    """
    alter = alter or lab.alter
    destination = destination or NamingDuckDB(credentials=str(lab.database))
    for report in reports:
        for name, earlier in RENAMED.items():
            alter(f'ALTER TABLE {report} RENAME COLUMN {name} TO "{earlier}"')
    alter("UPDATE sync_runs SET _dlt_load_id = id")
    with lab.working():
        pipeline = dlt.pipeline("harvest", destination=destination, dataset_name="harvest")
        with pipeline.managed_state(extract_state=True) as state:
            for report, removals in (pending or {}).items():
                accounts = own_state(state)["resources"][report]["accounts"]
                accounts[str(lab.server.account_id)]["owed"] = removals
        pipeline.normalize()
        pipeline.load()
        schema = pipeline.default_schema.clone()
        for report in reports:
            columns = schema.tables[report]["columns"]
            schema.tables[report]["columns"] = {
                RENAMED.get(name, name): {**column, "name": RENAMED.get(name, name)}
                for name, column in columns.items()
            }
        store_schema(pipeline, schema)
        pipeline.set_local_state_val("harvest_source_carried_over", None)
