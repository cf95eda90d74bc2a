"""Dagster: each table an asset, the dbt models below them. ``dagster dev -f dagster_assets.py``."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

from harvest_source import __version__, sync
from harvest_source.errors import BusyError
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS

HOME = Path(os.environ.get("HARVEST_HOME", ".")).absolute()
DATABASE = HOME / "harvest_data.duckdb"
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

SPECS = [  # skippable: a module that is switched off has no table.
    dg.AssetSpec(["harvest", each.name], group_name="harvest", skippable=True)
    for each in DEFAULT_ENDPOINTS
]


@dg.multi_asset(specs=SPECS, can_subset=True, pool="harvest")
def harvest_tables(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """One sync of the selected tables. It retries by itself, so the op has no retry policy."""
    tables = sorted(key.path[-1] for key in context.selected_asset_keys)
    try:
        report = sync(database=DATABASE, table=tables)
    except BusyError as busy:
        context.log.warning(f"Skipped: {busy}")
        return
    failed = {error["table"]: error["message"] for error in report.as_dict()["errors"]}
    for name, count in report.tables.items():
        if name not in failed:
            metadata = {"rows_read": count.rows, "rows_deleted": count.deleted}
            yield dg.MaterializeResult(asset_key=["harvest", name], metadata=metadata)
    if failed:
        raise dg.Failure(f"{report.status}: {failed}", allow_retries=False)


profile = {"type": "duckdb", "path": str(DATABASE), "schema": "harvest_models", "threads": 1}
outputs = {"harvest_source": {"target": "warehouse", "outputs": {"warehouse": profile}}}
(HOME / "profiles.yml").write_text(json.dumps(outputs))  # JSON is YAML.
models = HOME / f"models_{__version__}"  # dbt writes beside them.
shutil.copytree(str(files("harvest_source") / "dbt"), models, dirs_exist_ok=True)
project = DbtProject(models, profiles_dir=HOME)
if not project.manifest_path.exists():
    project.preparer.prepare(project)


class Translator(DagsterDbtTranslator):
    """A source of the models is our asset; a child table comes with its parent."""

    def get_asset_key(self, props):
        if props["resource_type"] == "source":
            return dg.AssetKey(["harvest", re.sub("(?<=.)__.*", "", props["name"])])
        return super().get_asset_key(props)


one_key = DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)


@dbt_assets(manifest=project.manifest_path, dagster_dbt_translator=Translator(one_key))
def harvest_models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    """Build the models that are selected, and test them."""
    yield from dbt.cli(["build"], context=context).stream()


everything = dg.define_asset_job("harvest", dg.AssetSelection.all())
defs = dg.Definitions(
    assets=[harvest_tables, harvest_models],
    jobs=[everything],
    schedules=[dg.ScheduleDefinition(job=everything, cron_schedule="7 * * * *")],
    resources={"dbt": DbtCliResource(project_dir=project)},
)
