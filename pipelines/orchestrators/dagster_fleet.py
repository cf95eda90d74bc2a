"""Dagster: hundreds of accounts, one partition for each, with its own file, state and allowance."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from harvest_source import sync
from harvest_source.errors import BusyError

HOME = Path(os.environ.get("HARVEST_HOME", ".")).absolute()
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

# One account more: context.instance.add_dynamic_partitions("harvest_accounts", ["1234567"])
ACCOUNTS = dg.DynamicPartitionsDefinition(name="harvest_accounts")


def find_token(account: str) -> str:
    """The account's token; read it from your secrets manager here."""
    return os.environ[f"HARVEST_TOKEN_{account}"]


@dg.asset(partitions_def=ACCOUNTS, pool="harvest")
def harvest_account(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """One sync of one account: it holds up no other, and what fails is its partition's failure."""
    account = context.partition_key
    try:
        report = sync(
            database=HOME / f"account_{account}.duckdb",
            pipeline=f"harvest_{account}",
            account=[account],
            settings={"credentials": {"access_token": find_token(account)}},
        )
    except BusyError as busy:
        context.log.warning(f"Skipped: {busy}")
        return dg.MaterializeResult(metadata={"skipped": str(busy)})
    if report.exit_code:
        raise dg.Failure(f"{report.status}: {report.as_dict()['errors']}", allow_retries=False)
    rows = {name: count.rows for name, count in report.tables.items()}
    return dg.MaterializeResult(metadata={"requests": report.requests, "rows_read": rows})


every_account = dg.define_asset_job("harvest_fleet", [harvest_account])


@dg.schedule(job=every_account, cron_schedule="7 * * * *")
def hourly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run for each account; dagster.yaml says how many at once."""
    for account in context.instance.get_dynamic_partitions("harvest_accounts"):
        key = f"{account} {context.scheduled_execution_time:%Y-%m-%d %H}"
        yield dg.RunRequest(run_key=key, partition_key=account)


defs = dg.Definitions(assets=[harvest_account], jobs=[every_account], schedules=[hourly])
