"""Moments at which a test sends a run a signal, and the process that gets it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from harvest_source.__main__ import main as harvest_source
from tests.support.children import Child, fork
from tests.support.lab import Lab

EXTRACTED = "dlt.pipeline.pipeline:Pipeline:normalize"
NORMALIZED = "dlt.pipeline.pipeline:Pipeline:load"
COPIED = "dlt.common.storages.load_package:PackageStorage:save_pending_transition"
LOADED = "dlt.load.load:Load:complete_package"
STARTED = "harvest_source.warehouse.warehouse:Warehouse:restore"
WRITTEN_DOWN = "harvest_source.warehouse.sql:Sql:insert"
FIRST_COPIED = "dlt.load.load:Load:create_followup_jobs"
STATEMENT = "dlt.destinations.impl.duckdb.sql_client:DuckDbSqlClient:execute_query"
MOMENTS = {
    "at the start": STARTED,
    "between extract and normalize": EXTRACTED,
    "between normalize and load": NORMALIZED,
    "with the first table copied": FIRST_COPIED,
    "with a table copied that dlt has not noted": COPIED,
    "with every table merged": LOADED,
    "while the run is written down": WRITTEN_DOWN,
}
"""By name, the method that a run is about to call, as ``module:class:method``."""


def start_sync(
    lab: Lab, *tables: str, number: int = 0, moment: str = "", call_number: int = 1
) -> Child:
    """
    Start ``harvest-source sync`` as a process that sends itself signal *number* at *moment*.

    Args:
        call_number: At which occurrence of that moment, from 1.
    """
    arguments = ["sync", *lab.arguments, *(f"--table={table}" for table in tables)]
    return fork(
        str(int(number)),
        moment,
        str(call_number),
        *arguments,
        folder=lab.folder,
        environment=lab.environment,
        call="tests.support.moments:run_struck",
    )


def run_struck() -> None:
    """Run ``harvest-source`` with three leading arguments: signal, moment, occurrence."""
    number, moment, call = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if moment:
        strike_at(moment, number, call=call)
    del sys.argv[1:4]
    harvest_source()


def strike_at(moment: str, number: int, *, call: int = 1) -> None:
    """Make this process send itself a signal immediately before the n-th call of a method."""
    module, name, method = moment.split(":")
    owner = getattr(import_module(module), name)
    whole = getattr(owner, method)
    calls = 0

    def strike(*given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), number)
        return whole(*given, **options)

    setattr(owner, method, strike)
