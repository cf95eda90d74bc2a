"""dbt on either warehouse: a model for each query, built in its own schema, and read back."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tasks import QUERIES, Builder, run


class Client(Builder):
    def __init__(self, address):
        self.address, self.folder = address, Path(sys.argv[2]) / "project"
        (self.folder / "models").mkdir(parents=True)
        for name, sql in QUERIES.items():
            (self.folder / "models" / f"task_{name}.sql").write_text(sql)
        project = {"name": "tasks", "profile": "harvest", "models": {"+materialized": "table"}}
        (self.folder / "dbt_project.yml").write_text(json.dumps(project))
        profile = {"harvest": {"target": "it", "outputs": {"it": self.output()}}}
        (self.folder / "profiles.yml").write_text(json.dumps(profile))
        command = [str(Path(sys.executable).parent / "dbt"), "run", "--quiet"]
        environment = os.environ | {"DBT_PROFILES_DIR": str(self.folder), "DO_NOT_TRACK": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stdout.strip()[-150:])

    def output(self):
        parts = urlsplit(self.address)
        if not parts.scheme.startswith("postgres"):
            # begin connect
            return {"type": "duckdb", "path": self.address, "schema": "analytics", "threads": 1}
            # end connect
        return {
            "type": "postgres",
            "host": parse_qs(parts.query)["host"][0],
            "port": 5432,
            "user": "postgres",
            "password": "-",
            "dbname": parts.path.strip("/"),
            "schema": "analytics",
            "threads": 1,
        }


run(Client)
