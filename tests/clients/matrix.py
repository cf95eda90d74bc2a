"""Which clients are tried, on which warehouses, with which packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.support.children import REPOSITORY

DUCKDB, POSTGRES = "DuckDB", "PostgreSQL"
DUCKDB_MAIN = "DuckDB file, --dataset main,"
"""For clients that read only the default schema."""


@dataclass(frozen=True)
class Client:
    """
    One client.

    Attributes:
        name: Shown to people, with the version if several are tried.
        place: The kind of warehouse that it reads.
        script: The file in ``tests/clients/scripts``.
        packages: From PyPI, or from npm if node runs the script.
        shown: The packages whose versions the table shows.
        is_dlt: The script takes the arguments of ``attach`` in place of an address.
        is_writer: It writes tables of its own, so it gets a copy of a file.
    """

    name: str
    place: str
    script: str
    packages: tuple[str, ...]
    shown: tuple[str, ...]
    is_dlt: bool = False
    is_writer: bool = False

    @property
    def is_node(self) -> bool:
        """Whether node runs it."""
        return self.script.endswith(".cjs")


_EXCEL = "openpyxl"
_PG = "psycopg[binary]"

CLIENTS: Final = (
    *(
        Client(f"duckdb {version}", DUCKDB, "duckdb_python.py", (f"duckdb=={version}", "pytz"), ())
        for version in ("1.0.0", "1.4.5", "1.5.6", "2.0.1")
    ),
    Client(
        "pandas",
        DUCKDB,
        "duckdb_pandas.py",
        ("duckdb<2", "pandas", "pytz", _EXCEL),
        ("pandas", "duckdb"),
    ),
    Client(
        "pandas", DUCKDB, "duckdb_pandas.py", ("duckdb>=2", "pandas", _EXCEL), ("pandas", "duckdb")
    ),
    Client(
        "polars", DUCKDB, "duckdb_polars.py", ("duckdb", "polars", "pyarrow"), ("polars", "duckdb")
    ),
    Client(
        "ibis",
        DUCKDB,
        "duckdb_ibis.py",
        ("ibis-framework[duckdb]", "duckdb<2", "pytz"),
        ("ibis-framework", "duckdb"),
    ),
    Client(
        "SQLAlchemy",
        DUCKDB,
        "duckdb_sqlalchemy.py",
        ("sqlalchemy<2.0.53", "duckdb-engine", "duckdb<2", "pytz"),
        ("sqlalchemy", "duckdb-engine"),
    ),
    Client(
        "ADBC",
        DUCKDB,
        "duckdb_adbc.py",
        ("duckdb", "adbc-driver-manager", "pyarrow", "pytz"),
        ("adbc-driver-manager", "duckdb"),
    ),
    Client("node", DUCKDB, "duckdb_node.cjs", ("@duckdb/node-api",), ("@duckdb/node-api",)),
    Client("duckdb command", DUCKDB, "duckdb_cli.py", ("duckdb-cli",), ("duckdb-cli",)),
    Client(
        "dbt",
        DUCKDB,
        "dbt_models.py",
        ("dbt-core>=1.8,<1.12", "dbt-duckdb", "duckdb<2", "pytz"),
        ("dbt-duckdb",),
        is_writer=True,
    ),
    Client(
        "SQLMesh",
        DUCKDB,
        "sqlmesh_models.py",
        ("sqlmesh", "duckdb<2", "pytz"),
        ("sqlmesh", "duckdb"),
        is_writer=True,
    ),
    Client("WASM", DUCKDB, "duckdb_wasm.cjs", ("@duckdb/duckdb-wasm",), ("@duckdb/duckdb-wasm",)),
    Client(
        "Evidence's connector",
        DUCKDB,
        "evidence_connector.cjs",
        ("@evidence-dev/duckdb",),
        ("@evidence-dev/duckdb",),
    ),
    Client("harlequin", DUCKDB, "harlequin_app.py", ("harlequin",), ("harlequin", "duckdb")),
    Client(
        "Streamlit",
        DUCKDB,
        "streamlit_app.py",
        ("streamlit", "duckdb"),
        ("streamlit", "duckdb"),
    ),
    Client("Altair", DUCKDB, "altair_chart.py", ("altair", "pandas", "duckdb"), ("altair",)),
    Client(
        "Datasette",
        DUCKDB_MAIN,
        "datasette_plugin.py",
        ("datasette", "datasette-parquet", "duckdb<2", "pytz"),
        ("datasette", "datasette-parquet"),
    ),
    Client(
        "dlt dataset()",
        DUCKDB,
        "dlt_dataset.py",
        (str(REPOSITORY), "pandas", "duckdb<2"),
        ("dlt", "duckdb"),
        is_dlt=True,
    ),
    Client("psycopg", POSTGRES, "postgres_python.py", (_PG,), ("psycopg",)),
    Client(
        "pandas", POSTGRES, "postgres_pandas.py", (_PG, "sqlalchemy", "pandas", _EXCEL), ("pandas",)
    ),
    Client(
        "polars",
        POSTGRES,
        "postgres_polars.py",
        ("polars", "adbc-driver-postgresql", "adbc-driver-manager", "pyarrow"),
        ("polars",),
    ),
    Client(
        "ibis",
        POSTGRES,
        "postgres_ibis.py",
        ("ibis-framework[postgres]", "packaging", _PG),
        ("ibis-framework",),
    ),
    Client("SQLAlchemy", POSTGRES, "postgres_sqlalchemy.py", (_PG, "sqlalchemy"), ("sqlalchemy",)),
    Client(
        "ADBC",
        POSTGRES,
        "postgres_adbc.py",
        ("adbc-driver-postgresql", "adbc-driver-manager", "pyarrow"),
        ("adbc-driver-postgresql",),
    ),
    Client("node", POSTGRES, "postgres_node.cjs", ("pg",), ("pg",)),
    Client("JDBC", POSTGRES, "postgres_jdbc.py", ("JPype1",), ()),
    Client("psqlODBC", POSTGRES, "postgres_odbc.py", ("pyodbc",), ("pyodbc",)),
    Client(
        "dbt", POSTGRES, "dbt_models.py", ("dbt-core>=1.8,<1.12", "dbt-postgres"), ("dbt-postgres",)
    ),
    Client("SQLMesh", POSTGRES, "sqlmesh_models.py", ("sqlmesh[postgres]",), ("sqlmesh",)),
    Client(
        "Evidence's connector",
        POSTGRES,
        "evidence_connector.cjs",
        ("@evidence-dev/postgres",),
        ("@evidence-dev/postgres",),
    ),
    Client(
        "harlequin",
        POSTGRES,
        "harlequin_app.py",
        ("harlequin-postgres", "harlequin"),
        ("harlequin-postgres",),
    ),
    Client(
        "Streamlit",
        POSTGRES,
        "streamlit_app.py",
        ("streamlit", "sqlalchemy", _PG),
        ("streamlit", "sqlalchemy"),
    ),
    Client(
        "dlt dataset()",
        POSTGRES,
        "dlt_dataset.py",
        (str(REPOSITORY), "dlt[postgres]", "pandas"),
        ("dlt",),
        is_dlt=True,
    ),
)
