"""The duckdb command."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from tasks import count_rows, run

COMMAND = str(Path(sys.executable).parent / "duckdb")


class Client:
    def __init__(self, address):
        # begin connect
        self.command = [COMMAND, "-readonly", address]
        # end connect

    def query(self, sql):
        done = subprocess.run(
            [*self.command, "-json", "-c", sql], capture_output=True, text=True, check=True
        )
        return [tuple(row.values()) for row in json.loads(done.stdout, parse_float=Decimal)]

    def export(self, sql, path):
        done = subprocess.run([*self.command, "-csv", "-c", sql], capture_output=True, check=True)
        Path(path).write_bytes(done.stdout)
        return count_rows(path)


run(Client)
