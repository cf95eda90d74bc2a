"""Environments with the real frameworks, each made once, and a site for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harvest_source.sandbox import start_process
from tests.schedulers.site import Site
from tests.support.children import REPOSITORY
from tests.support.environments import make_environment


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which environments are made."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="session")
def dagster(environments: Path) -> Path:
    """Python with Dagster, dbt and this package."""
    packages = (f"{REPOSITORY}[dbt]", "dagster>=1.13,<2", "dagster-dbt>=0.29,<1")
    return make_environment(environments / "dagster", "-e", *packages)


@pytest.fixture(scope="session")
def prefect(environments: Path) -> Path:
    """Python with Prefect and this package."""
    return make_environment(environments / "prefect", "-e", str(REPOSITORY), "prefect>=3,<4")


@pytest.fixture(scope="session")
def airflow(environments: Path) -> Path:
    """Python with Airflow only: this package is in another environment."""
    return make_environment(environments / "airflow", "apache-airflow>=3,<4")


@pytest.fixture(scope="session")
def schemas(environments: Path) -> Path:
    """Python with the JSON schemas of configuration files."""
    return make_environment(environments / "schemas", "check-jsonschema>=0.30,<1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A machine with an empty disk."""
    with start_process("--entries", "300", "--data", "varied", "--no-limit") as server:
        site = Site(server, tmp_path)
        site.wipe()
        yield site
