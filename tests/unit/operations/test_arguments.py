"""Arguments that the command refuses are refused in Python too, before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvest_source.errors import ConfigError
from harvest_source.export.export import export
from harvest_source.operations.sync import sync
from harvest_source.operations.transform import transform
from harvest_source.operations.verify import verify
from harvest_source.operations.warehouse_status import read_warehouse_status

SETTINGS = {
    "credentials": {"access_token": "1.pt.none"},
    "account_id": 1,
    "api_url": "http://127.0.0.1:9/v2",
    "id_url": "http://127.0.0.1:9",
}
"""Of a Harvest that would refuse the connection."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"full_refresh": True, "deletes": False}, "deletes=False forbids"),
        ({"deletes": "no"}, "deletes must be True or False, not 'no'"),
        ({"full_refresh": None}, "full_refresh must be True or False"),
        ({"all_children": 1}, "all_children must be True or False"),
        ({"since": ""}, "since .* empty value"),
    ],
)
def test_a_sync_refuses_arguments_that_contradict_or_say_nothing(
    arguments: dict[str, Any], message: str
) -> None:
    """A full refresh removed rows although deletes was False; any text counted as True."""
    with pytest.raises(ConfigError, match=message):
        sync(settings=SETTINGS, **arguments)
    assert not list(Path().glob("*.duckdb"))


def test_a_verification_refuses_a_limit_of_deletions_that_it_does_not_make() -> None:
    """Only fix deletes rows."""
    with pytest.raises(ConfigError, match="max_deletes has no effect here"):
        verify(settings=SETTINGS, max_deletes="5")
    with pytest.raises(ConfigError, match="no warehouse"):
        verify(settings=SETTINGS, max_deletes="5", fix=True)


@pytest.mark.parametrize("run", [sync, verify, transform, read_warehouse_status, export])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline", ""),
        ("pipeline", "../x"),
        ("pipeline", "a b"),
        ("dataset", ""),
        ("dataset", " "),
        ("database", ""),
        ("database", " "),
    ],
)
def test_names_that_the_command_refuses_are_refused(
    run: Callable[..., Any], name: str, value: str
) -> None:
    """A pipeline's name is a folder's, and an empty file is not the default one."""
    arguments: dict[str, Any] = {name: value}
    if run is export:
        arguments["folder"] = "out"
    elif run is not transform:
        arguments["settings"] = SETTINGS
    with pytest.raises(ConfigError, match=f"--{name} (is|has)"):
        run(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folder": "out", "form": "pdf"}, "no format 'pdf'. Formats: csv, parquet, xlsx"),
        ({"folder": ""}, "folder has an empty value"),
        ({"folder": " "}, "folder has an empty value"),
    ],
)
def test_an_export_refuses_what_it_cannot_write(arguments: dict[str, Any], message: str) -> None:
    """An empty folder would have been the current one."""
    with pytest.raises(ConfigError, match=message):
        export(**arguments)
    assert not list(Path().iterdir())
