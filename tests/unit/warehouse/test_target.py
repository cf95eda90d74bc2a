"""Where the tables are stored: names, identities, the default file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import harvest_source
from harvest_source.defaults import (
    DATABASE,
    EARLIER_DATABASE,
    SANDBOX_DATABASE,
    SANDBOX_PIPELINE,
)
from harvest_source.errors import ConfigError
from harvest_source.warehouse.target import Target, build_target

PACKAGE = Path(harvest_source.__file__).parent
NO_WAREHOUSE = frozenset({"pages/marts.py", "warehouse/table_format.py"})
"""Modules with a message that advises another warehouse than the one that was asked for."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_warehouse(name: str, dataset: str = "harvest") -> None:
    """A DuckDB file into which dlt has loaded *dataset*."""
    with duckdb.connect(name) as connection:
        connection.execute(f'CREATE SCHEMA "{dataset}"')
        connection.execute(
            f'CREATE TABLE {name.partition(".")[0]}."{dataset}"._dlt_version (a INT)'
        )


def build(database: str | None = None, dataset: str = "harvest") -> Target:
    return build_target("duckdb", database, dataset, "harvest")


def test_reserved_schema_names_are_refused() -> None:
    """PostgreSQL reserves every name with pg_; DuckDB reserves only two names."""
    assert build_target("duckdb", "a.duckdb", "pg_harvest", "harvest").dataset == "pg_harvest"
    with pytest.raises(ConfigError, match="system schema of postgres"):
        build_target("postgres", None, "PG_harvest", "harvest")


@pytest.mark.parametrize("name", ["information_schema.duckdb", "folder/Information_Schema.db"])
def test_a_file_that_duckdb_confuses_with_a_schema_is_refused(name: str, folder: Path) -> None:
    """DuckDB names the catalog after the file, and then finds its own schema nowhere."""
    with pytest.raises(ConfigError, match=r"(?i)information_schema.*Name another file"):
        build(name)
    assert list(folder.iterdir()) == []


def test_the_default_file_is_in_the_current_folder(folder: Path) -> None:
    """It is in the current folder, and choosing it creates no file."""
    target = build()
    assert (target.database, target.warnings) == (Path(DATABASE), ())
    assert str(target) == DATABASE
    assert list(folder.iterdir()) == []


def test_an_earlier_warehouse_is_chosen() -> None:
    """It must contain this dataset, and no default file may exist; the warning names both."""
    make_warehouse(EARLIER_DATABASE)
    target = build()
    assert target.database == Path(EARLIER_DATABASE)
    (warning,) = target.warnings
    assert EARLIER_DATABASE in warning
    assert f"rename it to {DATABASE}" in warning
    assert build(dataset="other").database == Path(DATABASE)
    Path(DATABASE).touch()
    assert build().database == Path(DATABASE)


def test_the_datasets_case_does_not_matter() -> None:
    """dlt and DuckDB both treat ``Harvest`` as ``harvest``."""
    make_warehouse(EARLIER_DATABASE)
    assert build(dataset="HARVEST").database == Path(EARLIER_DATABASE)


@pytest.mark.parametrize("content", [b"", b"DUCK", b"Some text that is no database at all."])
def test_a_file_of_another_kind_is_no_warehouse(content: bytes) -> None:
    """Another file with the earlier name is ignored."""
    Path(EARLIER_DATABASE).write_bytes(content)
    assert build().database == Path(DATABASE)


def test_an_empty_database_is_no_warehouse() -> None:
    """``dlt.attach("harvest")`` leaves an empty database."""
    duckdb.connect(EARLIER_DATABASE).close()
    assert build().database == Path(DATABASE)


def test_a_named_file_wins_over_an_earlier_warehouse() -> None:
    """An earlier warehouse beside it is ignored."""
    make_warehouse(EARLIER_DATABASE)
    target = build("mine.duckdb")
    assert (target.database, target.warnings) == (Path("mine.duckdb"), ())


@pytest.mark.parametrize(
    ("database", "dataset", "catalog"),
    [
        ("harvest.duckdb", "harvest", "harvest"),
        ("data/harvest.prod.duckdb", "harvest", "harvest"),
        ("HARVEST.db", "harvest", "HARVEST"),
        (None, "harvest_data", "harvest_data"),
        ("any.duckdb", "temp", "any"),
    ],
)
def test_a_name_collision_is_warned_about(database: str | None, dataset: str, catalog: str) -> None:
    """The warning has the name that queries need."""
    (warning,) = build(database, dataset).warnings
    assert f"{catalog}.{dataset}.time_entries" in warning


def test_a_file_needs_duckdb() -> None:
    """``--database`` with another destination is refused, with the place for credentials."""
    with pytest.raises(ConfigError, match=r"secrets\.toml"):
        build_target("postgres", "x.duckdb", "harvest", "harvest")
    assert build_target("postgres", None, "harvest", "harvest").database is None


def test_targets_with_one_identity_share_cursors() -> None:
    """A relative and an absolute path to one file are equal; dataset and destination differ."""
    assert build("a.duckdb").identity == build(str(Path("a.duckdb").absolute())).identity
    others = {
        build("a.duckdb").identity,
        build("b.duckdb").identity,
        build("a.duckdb", "other").identity,
        build_target("postgres", None, "harvest", "harvest").identity,
        build_target("postgres", None, "other", "harvest").identity,
    }
    assert len(others) == 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            (object(), None, "harvest", "harvest"),
            "destination must be the name of a dlt destination",
        ),
        (("duckdb", object(), "harvest", "harvest"), "database must be the path"),
        (("duckdb", None, 5, "harvest"), "dataset must be a name as text"),
        (("duckdb", None, "harvest", None), "pipeline must be a name as text"),
    ],
)
def test_objects_in_place_of_names_are_refused(given: Any, says: str) -> None:
    """For example dlt's own destinations and pipelines, which dlt accepts in place of names."""
    with pytest.raises(ConfigError, match=says):
        build_target(*given)


def test_a_file_that_is_missing_is_named_with_its_remedy(tmp_path: Path) -> None:
    """The purpose is part of the message; a destination that is no file is not checked."""
    target = build_target("duckdb", tmp_path / "none.duckdb", "harvest", "harvest")
    said = f"There is no warehouse {target.database} to export. Make it: "
    said += target.build_command("sync")
    with pytest.raises(ConfigError, match=re.escape(said)):
        target.check_exists("to export")
    with pytest.raises(ConfigError, match=re.escape(said.replace(" to export", ""))):
        target.check_exists()
    build_target("postgres", None, "harvest", "harvest").check_exists()


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (Target(database=Path(DATABASE)), "sync"),
        (Target(database=Path("a b.duckdb")), "sync --database 'a b.duckdb'"),
        (Target(database=Path(DATABASE), dataset="main"), "sync --dataset main"),
        (Target("postgres", pipeline="mine"), "sync --destination postgres --pipeline mine"),
        (Target(database=Path(SANDBOX_DATABASE), pipeline=SANDBOX_PIPELINE), "sync --sandbox"),
        (Target(database=Path(SANDBOX_DATABASE)), "sync --sandbox"),
        (Target(database=Path(DATABASE), table_format="delta"), "sync"),
        (
            Target("filesystem", table_format="delta"),
            "sync --destination filesystem --table-format delta",
        ),
        (
            Target(database=Path("toy.duckdb"), pipeline=SANDBOX_PIPELINE, accounts=(7,)),
            "sync --sandbox --database toy.duckdb",
        ),
        (
            Target("filesystem", table_format="delta", profile="work", accounts=(7, 8)),
            "sync --destination filesystem --table-format delta --profile work --account 7 "
            "--account 8",
        ),
    ],
)
def test_a_command_names_what_is_not_the_default(target: Target, command: str) -> None:
    """The next step of a message works as it is; the sandbox's pipeline is not the usual one."""
    assert target.build_command("sync") == f"harvest-source {command}"


def test_messages_of_a_run_build_their_commands() -> None:
    """A command without the names of pipeline and dataset would change another warehouse."""
    bare = re.compile(r"harvest-source (?:sync|verify|transform|export|status)\b(?! of)")
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text.strip()}"
        for room in ("operations", "pages", "warehouse")
        for path in sorted((PACKAGE / room).glob("*.py"))
        for line, text in iter_texts(path)
        if bare.search(text) and path.relative_to(PACKAGE).as_posix() not in NO_WAREHOUSE
    ]
    assert not found, "\n".join(found)


def iter_texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that are not docstrings, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value
