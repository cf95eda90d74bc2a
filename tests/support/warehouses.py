"""Warehouses that cannot be started here: dlt's own clients for them, never connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import dlt
from dlt.common.storages.configuration import FilesystemConfiguration
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.load.hints import build_child_hints, build_hints
from harvest_source.load.own_tables import COLUMNS
from harvest_source.schema.endpoints import ENDPOINTS


@dataclass(frozen=True)
class Warehouse:
    """
    A destination that is rendered and not run.

    Attributes:
        name: dlt's name for it.
        dialect: sqlglot's name for the grammar that its statements must follow.
        driver: The module of its driver, without which dlt's client cannot be built.
        settings: The arguments of dlt's factory; none of them is real.
    """

    name: str
    dialect: str
    driver: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_installed(self) -> bool:
        """Whether its driver can be imported, so that dlt's client can be built."""
        try:
            return find_spec(self.driver) is not None and bool(self.build().client_class)
        except ImportError:
            return False

    def build(self) -> Any:
        """dlt's destination."""
        return getattr(dlt.destinations, self.name)(**self.settings)


_AWS = {"aws_access_key_id": "key", "aws_secret_access_key": "-", "region_name": "eu-west-1"}

WAREHOUSES = (
    Warehouse("motherduck", "duckdb", "duckdb", {"credentials": "md:///wh?motherduck_token=-"}),
    Warehouse(
        "snowflake",
        "snowflake",
        "snowflake.connector",
        {"credentials": "snowflake://loader:-@account/wh"},
    ),
    Warehouse(
        "bigquery",
        "bigquery",
        "google.cloud.bigquery",
        {"credentials": {"project_id": "wh", "private_key": "-", "client_email": "a@b"}},
    ),
    Warehouse(
        "databricks",
        "databricks",
        "databricks.sql",
        {
            "credentials": {
                "server_hostname": "host",
                "http_path": "/sql",
                "access_token": "-",
                "catalog": "wh",
            }
        },
    ),
    Warehouse("redshift", "redshift", "psycopg2", {"credentials": "redshift://loader:-@host/wh"}),
    Warehouse(
        "mssql",
        "tsql",
        "pyodbc",
        {"credentials": "mssql://loader:-@host/wh?driver=ODBC+Driver+18+for+SQL+Server"},
    ),
    Warehouse(
        "clickhouse",
        "clickhouse",
        "clickhouse_connect",
        {"credentials": "clickhouse://loader:-@host:9440/wh"},
    ),
    Warehouse(
        "athena",
        "athena",
        "pyathena",
        {"query_result_bucket": "s3://results", "credentials": _AWS, "force_iceberg": True},
    ),
    Warehouse(
        "dremio",
        "dremio",
        "pyarrow",
        {"credentials": "grpc://loader:-@host:32010/wh", "staging_data_source": "stage"},
    ),
)

BY_NAME: Mapping[str, Warehouse] = {each.name: each for each in WAREHOUSES}


def build_schema() -> dlt.Schema:
    """All tables and columns that a sync may create, as dlt's schema."""
    schema = dlt.Schema("harvest")
    for endpoint in ENDPOINTS:
        _add(schema, endpoint.name, dict(build_hints(endpoint)))
        for child in endpoint.record.children:
            name = f"{endpoint.name}__{child.name}"
            _add(schema, name, dict(build_child_hints(endpoint, child)), endpoint.name)
        if endpoint.may_have_history:
            versions: Any = dict(build_hints(endpoint))
            for each in ("valid_from", "valid_to"):
                versions[each] = {"name": each, "data_type": "timestamp"}
            _add(schema, f"{endpoint.name}_history", versions)
    for name, columns in COLUMNS.items():
        _add(schema, name, dict(columns))
    return schema


def _add(schema: dlt.Schema, name: str, columns: Any, parent: str | None = None) -> None:
    named = {column: {**hint, "name": column} for column, hint in columns.items()}
    for key in ("_dlt_id", "_dlt_load_id"):
        named.setdefault(key, {"name": key, "data_type": "text", "nullable": False})
    table: Any = {"name": name, "columns": named, "resource": name, "write_disposition": "merge"}
    if parent:
        table = {"name": name, "columns": named, "parent": parent}
    schema.update_table(table)


def build_client(warehouse: Warehouse, schema: dlt.Schema) -> SqlJobClientBase:
    """dlt's client for *schema*, not connected."""
    destination = warehouse.build()
    config = destination.spec()._bind_dataset_name("harvest")
    client: Any = destination.client(schema, config)
    if warehouse.name == "athena":  # Its tables are files in a bucket.
        client.config.staging_config = FilesystemConfiguration(bucket_url="s3://tables")
        client.table_prefix_layout = "{table_name}"
    made: SqlJobClientBase = client
    return made


def render_ddl(client: SqlJobClientBase) -> list[str]:
    """Every statement with which dlt creates the tables."""
    tables: Any = [(name, {}) for name in client.schema.tables]
    scripts, _ = client._build_schema_update_sql(tables)
    return scripts
