"""
What is released, tested without the repository: ``python -m pytest -m release -n 0 -s``.

Needs uv and a package index. Interpreters that this machine does not have are skipped, by name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.release.environments import build, find_python, install, tell_story
from tests.support.children import REPOSITORY

pytestmark = [
    pytest.mark.release,
    pytest.mark.skipif(not shutil.which("uv"), reason="uv resolves and builds."),
]

PYTHONS = (11, 12, 13, 14)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The source distribution and the wheel."""
    return build(tmp_path_factory.mktemp("dist"))


def wheel_of(built: list[Path]) -> Path:
    (wheel,) = (each for each in built if each.suffix == ".whl")
    return wheel


def resolve(python: str, *options: str) -> str:
    """The versions with wheels that pyproject.toml resolves to, one per line."""
    command = ["uv", "pip", "compile", "-q", "--only-binary=:all:", "--python-version", python]
    command += [*options, "pyproject.toml"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_builds_are_equal(built: list[Path], tmp_path: Path) -> None:
    """Two builds with SOURCE_DATE_EPOCH are equal, byte for byte."""
    again = build(tmp_path / "again")
    for one, other in zip(built, again, strict=True):
        hashes = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (one, other)]
        print(f"\n{one.name}: {hashes[0]}, twice, {one.stat().st_size:,} bytes")
        assert hashes[0] == hashes[1], one.name


def test_the_distributions_hold_what_they_must(built: list[Path]) -> None:
    """The wheel has only the package; the source distribution has what tests and documents need."""
    with zipfile.ZipFile(wheel_of(built)) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
        assert "harvest_source/dbt/dbt_project.yml" in wheel.namelist()
    assert {top.partition("-")[0] for top in tops} == {"harvest_source"}
    (source,) = (each for each in built if each.suffix == ".gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("README.md", "LICENSE", "SECURITY.md", "tests/conftest.py", "docs/tables.md"):
        assert name in names
    assert "sources/harvest/__init__.py" in names
    assert not [name for name in names if ".venv" in name or name.endswith(".duckdb")]


@pytest.mark.parametrize("minor", PYTHONS, ids=lambda minor: f"3.{minor}")
@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_dependencies(built: list[Path], tmp_path: Path, minor: int, resolution: str) -> None:
    """The lowest and the newest versions that pyproject.toml allows sync, delete and verify."""
    python = find_python(minor)
    if python is None:
        pytest.skip(f"This machine has no Python 3.{minor}.")
    (tmp_path / "pins.txt").write_text(resolve(f"3.{minor}", f"--resolution={resolution}"))
    ours = install(tmp_path / "env", python, "-r", tmp_path / "pins.txt", wheel_of(built))
    print(f"\n{resolution}: {tell_story(ours, tmp_path / 'elsewhere')}")


@pytest.mark.parametrize("minor", PYTHONS, ids=lambda minor: f"3.{minor}")
def test_dependencies_have_wheels(minor: int) -> None:
    """No dependency has to be compiled, even on Pythons that this machine lacks."""
    pins = resolve(f"3.{minor}")
    print(f"\n3.{minor}: {sum('==' in line for line in pins.splitlines())} packages")


def test_the_bill_of_materials(built: list[Path], tmp_path: Path) -> None:
    """A CycloneDX file lists everything that is installed with the wheel, with licences."""
    python = find_python(11)
    assert python
    ours = install(tmp_path / "env", python, wheel_of(built))
    tool = install(tmp_path / "tool", python, "cyclonedx-bom>=7,<8")
    place = tmp_path / "sbom.json"
    command: list[str | Path] = [
        tool.with_name("cyclonedx-py"),
        "environment",
        "--of",
        "JSON",
        "-o",
        place,
        ours,
    ]
    subprocess.run(command, check=True, capture_output=True)
    bill = json.loads(place.read_text())
    names = {each["name"]: each for each in bill["components"]}
    assert {"harvest-source", "dlt", "duckdb", "pyarrow"} <= names.keys()
    unknown = sorted(name for name, each in names.items() if not each.get("licenses"))
    print(f"\n{len(names)} components, {len(unknown)} without a licence in their data: {unknown}")


def test_known_vulnerabilities(built: list[Path], tmp_path: Path) -> None:
    """pip-audit knows of none in the newest versions; skipped if its service is unreachable."""
    python = find_python(11)
    assert python
    ours = install(tmp_path / "env", python, wheel_of(built))
    tool = install(tmp_path / "tool", python, "pip-audit>=2.9,<3")
    freeze: list[str | Path] = ["uv", "pip", "freeze", "--exclude=harvest-source", "--python"]
    listed = subprocess.run([*freeze, ours], check=True, capture_output=True, text=True).stdout
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("".join(line for line in listed.splitlines(True) if "harvest" not in line))
    command: list[str | Path] = [
        tool.with_name("pip-audit"),
        "--no-deps",
        "--disable-pip",
        "-r",
        pinned,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    print(f"\n{done.stdout}{done.stderr[-800:]}")
    if "ConnectionError" in done.stderr or "ServiceError" in done.stderr:
        pytest.skip("The service with known vulnerabilities cannot be reached from here.")
    assert done.returncode == 0


def test_dlt_init(built: list[Path], tmp_path: Path) -> None:
    """``dlt init harvest duckdb --location CLONE`` makes a pipeline that runs."""
    clone, project = tmp_path / "clone", tmp_path / "project"
    shutil.copytree(REPOSITORY / "sources", clone / "sources")
    project.mkdir()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A clone"]):
        subprocess.run([*git, *words], cwd=clone, check=True)
    python = find_python(11)
    assert python
    ours = install(tmp_path / "env", python, wheel_of(built))
    command: list[str | Path] = [
        "dlt",
        "--non-interactive",
        "init",
        "harvest",
        "duckdb",
        "--location",
        clone,
    ]
    environment = {"PATH": f"{ours.parent}:/usr/bin:/bin", "HOME": str(project)}
    environment |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(tmp_path / "dlt")}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"\n{done.stdout}")
    assert "harvest-source" in (project / "requirements.txt").read_text()
    script = """
import runpy, duckdb
from harvest_source.sandbox import Sandbox
import os
with Sandbox(entries=50, limit=False).start() as server:
    os.environ["SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"] = server.token
    os.environ["SOURCES__HARVEST__ACCOUNT_ID"] = str(server.account_id)
    os.environ["SOURCES__HARVEST__API_URL"] = server.api_url
    os.environ["SOURCES__HARVEST__ID_URL"] = server.id_url
    runpy.run_path("harvest_pipeline.py", run_name="__main__")
with duckdb.connect("harvest_plain.duckdb") as connection:
    print(connection.execute("SELECT COUNT(*) FROM harvest_data.time_entries").fetchall())
"""
    done = subprocess.run(
        [ours, "-W", "ignore", "-c", f"import sys; sys.path.insert(0, '.')\n{script}"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.rstrip().endswith("[(50,)]"), done.stdout
