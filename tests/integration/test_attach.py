"""``harvest_source.attach()``: dlt's own readers on a warehouse that a sync has made."""

from __future__ import annotations

import shutil
from pathlib import Path

import dlt
import duckdb
import pytest

import harvest_source
from harvest_source.errors import ConfigError, DestinationError
from harvest_source.export.export import export
from tests.support.lab import Lab
from tests.support.labs import OpenLab

COUNT = "SELECT COUNT(*) FROM clients"


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with one loaded table."""
    return open_lab.loaded("clients")


@pytest.mark.rare
def test_attach_finds_the_warehouse_from_any_folder(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Our ``attach`` and dlt's own find the warehouse from any folder and create no file."""
    monkeypatch.chdir(tmp_path)
    here = lab.sql(COUNT)[0].popitem()[1]
    with lab.working():
        for pipeline in (harvest_source.attach(), dlt.attach("harvest")):
            assert pipeline.dataset()(COUNT).fetchall() == [(here,)]
        table = harvest_source.attach().dataset().clients.arrow()
        assert table.num_rows == here
    assert list(tmp_path.glob("*.duckdb")) == []


@pytest.mark.rare
def test_attach_opens_the_file_read_only(lab: Lab) -> None:
    """The file is opened read-only, so another reader may have it and nothing can be written."""
    with lab.working(), duckdb.connect(str(lab.database), read_only=True) as reader:
        pipeline = harvest_source.attach()
        with pipeline.sql_client() as sql:
            assert sql.execute_sql(COUNT) == reader.execute(f"USE harvest; {COUNT}").fetchall()
            with pytest.raises(Exception, match="read-only"):
                sql.execute_sql("DELETE FROM clients")


@pytest.mark.rare
def test_attach_to_a_named_file_needs_no_working_folder(lab: Lab, tmp_path: Path) -> None:
    """On another machine dlt restores what it needs, and then its own tools find the file."""
    another = shutil.copy(lab.database, lab.folder / "another.duckdb")
    with lab.working(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLT_DATA_DIR", str(tmp_path / "elsewhere"))
        patch.chdir(tmp_path)
        expected = [tuple(lab.sql(COUNT)[0].values())]
        for file in (lab.database, another):
            pipeline = harvest_source.attach(database=file)
            assert pipeline.dataset()(COUNT).fetchall() == expected
            found = dlt.attach("harvest")  # As dlt's dashboard does.
            assert found.dataset()(COUNT).fetchall() == expected
            with found.sql_client() as sql:
                (row,) = (
                    sql.execute_sql("SELECT path FROM duckdb_databases() WHERE NOT internal") or ()
                )
            assert Path(row[0]).samefile(file)
        with pytest.raises(ConfigError, match="There is no warehouse"):
            harvest_source.attach(database=tmp_path / "none.duckdb")
        with pytest.raises(ConfigError, match="Pipeline other has loaded nothing"):
            harvest_source.attach("other", database=lab.database)
        for wrong in ({"pipeline": 5}, {"dataset": b"x"}, {"pipeline": "x" * 300}):
            with pytest.raises(ConfigError, match=next(iter(wrong))):
                harvest_source.attach(**wrong)
    assert list(tmp_path.glob("*.duckdb")) == []


def test_a_setting_that_names_another_file_draws_a_warning(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync ignores dlt's own setting of the file, and warns about it."""
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", "other.duckdb")
    (warning,) = lab.sync("clients").run_log.warnings
    assert "DESTINATION__DUCKDB__CREDENTIALS" in warning
    assert "--database other.duckdb" in warning
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(lab.database))
    assert lab.sync("clients").run_log.warnings == []


@pytest.mark.parametrize("address", ["postgresql://a:-@127.0.0.1:1/none", None])
def test_a_server_that_cannot_be_asked_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    """In a new working folder dlt asks it for the state; no server, or no settings for one."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if address is not None:
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    error, text = (
        (ConfigError, "lacks settings")
        if address is None
        else (DestinationError, "No connection to")
    )
    for _ in range(2):
        with pytest.raises(error, match=text):
            export(tmp_path / "exported", destination="postgres")
