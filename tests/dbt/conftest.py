"""Environments with dbt, and the simulated consultancy with its models built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.environments import make_dbt_environment
from tests.support.models_lab import Built, ModelsLab


@pytest.fixture(scope="session")
def dbt_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with dbt and the newest DuckDB."""
    return make_dbt_environment(tmp_path_factory.mktemp("environments") / "newest")


@pytest.fixture(scope="session")
def dbt_python_1x(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with dbt and the newest DuckDB 1.x."""
    return make_dbt_environment(tmp_path_factory.mktemp("environments") / "older", "duckdb<2")


@pytest.fixture(scope="session")
def built(dbt_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The consultancy and its models, built once; no test changes them."""
    with ModelsLab(tmp_path_factory.mktemp("consultancy")) as lab:
        # The hours of a running timer grow while Harvest's reports are read.
        lab.stop_timers()
        assert lab.sync(all_children=True).status == "ok"
        yield Built(lab, dbt_python, lab.transform(dbt_python, variables=lab.days_off))
