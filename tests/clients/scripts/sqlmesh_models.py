"""SQLMesh on either warehouse: a model for each query, built by a plan, and read back."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tasks import QUERIES, Builder, run


class Client(Builder):
    schema = "meshed"  # dbt's tables are in the other schema; SQLMesh makes views here.

    def __init__(self, address):
        self.address, self.folder = address, Path(sys.argv[2]) / "project"
        (self.folder / "models").mkdir(parents=True)
        is_server = address.startswith("postgres")
        for name, sql in QUERIES.items():
            if name == "list" and not is_server:
                # SQLMesh puts the file's name before each schema, but DuckDB has no such schema.
                sql = sql.replace("information_schema.tables", "duckdb_tables()")
                sql = sql.replace("table_schema", "schema_name")
            text = f"MODEL (name {self.schema}.task_{name}, kind FULL);\n{sql}\n"
            (self.folder / "models" / f"{name}.sql").write_text(text)
        config = {
            "gateways": {"it": self.server() if is_server else self.file()},
            "default_gateway": "it",
            "model_defaults": {
                "dialect": "postgres" if is_server else "duckdb",
                "start": "2024-01-01",
            },
        }
        (self.folder / "config.yaml").write_text(json.dumps(config))
        command = [str(Path(sys.executable).parent / "sqlmesh"), "plan", "--auto-apply"]
        done = subprocess.run(
            [*command, "--no-prompts"],
            cwd=self.folder,
            env=os.environ | {"SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or done.stdout.strip())[-150:])

    def file(self):
        return {
            # begin connect
            "connection": {"type": "duckdb", "database": self.address},
            "state_connection": {"type": "duckdb", "database": "state.db"},
            # end connect
        }

    def server(self):
        parts = urlsplit(self.address)
        place = {"host": parse_qs(parts.query)["host"][0], "port": 5432, "password": "-"}
        place |= {"type": "postgres", "user": "postgres", "database": parts.path.strip("/")}
        return {"connection": place}


run(Client)
