"""Files of SQLite are private when they are new, and loaded by one connection at a time."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import dlt
import pytest

from harvest_source.dlt_internals import find_destination

pytest.importorskip("sqlalchemy")
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions"),
    pytest.mark.filterwarnings(
        # dlt's merge into SQLAlchemy's databases; SQLAlchemy does what is intended.
        "ignore:implicitly coercing SELECT object",
        "ignore:Coercing Subquery object",
        "ignore:Dialect sqlite.* does .not. support Decimal",
    ),
]


def load(folder: Path, address: str) -> dlt.Pipeline:
    """Load a row with plain dlt into our destination."""
    destination: Any = find_destination("sqlalchemy")
    destination.config_params["credentials"] = address
    pipeline = dlt.pipeline(
        "sqlite", pipelines_dir=str(folder / "dlt"), destination=destination, dataset_name="harvest"
    )
    pipeline.run([{"id": 1}], table_name="t", write_disposition="merge", primary_key="id")
    return pipeline


def test_new_files_are_private(tmp_path: Path) -> None:
    """Each dataset has a file of its own; a file that is there keeps its permissions."""
    base = tmp_path / "harvest.db"
    before = os.umask(0)
    try:
        load(tmp_path, f"sqlite:///{base}")
        base.chmod(0o640)
        pipeline = load(tmp_path, f"sqlite:///{base}")
    finally:
        os.umask(before)
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("*.db")}
    assert found.pop("harvest.db") == 0o640
    assert "harvest__harvest.db" in found
    assert set(found.values()) == {0o600}
    with pipeline.sql_client() as client:
        assert client.execute_sql("SELECT id FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("address", "jobs"), [("sqlite:///a.db", 1), ("mysql+pymysql://a:b@localhost/c", None)]
)
def test_only_sqlite_loads_one_table_at_a_time(address: str, jobs: int | None) -> None:
    """Two of its connections that write at the same time make a load fail."""
    if jobs is None:
        pytest.importorskip("pymysql")
    destination: Any = find_destination("sqlalchemy")
    destination.config_params["credentials"] = address
    config = destination.configuration(destination.spec(), accept_partial=True)
    assert destination.capabilities(config).max_parallel_load_jobs == jobs
