"""Modules that libraries import at startup, but that are imported only when used."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BEGIN = (
    "import sys; from harvest_source.lazy_imports import *; defer_imports(); import dlt, pyarrow;"
)


def run(code: str) -> list[str]:
    """The output of a separate process that defers imports and runs *code*."""
    command = [sys.executable, "-c", _BEGIN + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_deferred_modules_are_loaded_only_when_used() -> None:
    """Deferring a module that is never imported, or is used at once, would save nothing."""
    code = (
        "import harvest_source.operations.sync_steps, harvest_source.config.parse, pyarrow.acero;"
        "from harvest_source.lazy_imports import LAZY, LazyModule;"
        "import pyarrow.compute as pc; pc.sum;"
        "loaded = {n for n in LAZY if not isinstance(sys.modules.get(n), LazyModule)};"
        "print(*loaded)"
    )
    assert run(code) == ["pyarrow.compute"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("use", "printed"),
    [
        # A destination by name, as dlt finds it, and as people import it.
        ("from dlt.common.destination import Destination as d;"
         "print(d.from_reference('postgres').destination_type)", "dlt.destinations.postgres"),
        ("from dlt.destinations import postgres as p; print(p.__module__)",
         "dlt.destinations.impl.postgres.factory"),
        # A destination that was answered early is the same object later.
        ("early = dlt.destinations.duckdb; dlt.destinations.postgres;"
         "import dlt.destinations as d; print(early is d.duckdb)", "True"),
        ("import dlt.destinations.impl.postgres.factory as f, dlt.destinations as d;"
         "print(d.impl.postgres.factory is f)", "True"),
        ("from dlt.version import get_dependency_requirement as g;"
         "print(type(g('click')).__module__, g('click').name)", "packaging.requirements click"),
        ("from packaging.requirements import Requirement as R; print(R('a>1').specifier)", ">1"),
        ("print(dlt.dbt.package.__name__)", "package"),
        ("import pyarrow.compute as pc; print(pc.sum(pyarrow.array([1, 2])))", "3"),
        ("print(pyarrow.array(['1']).cast('int64')[0])", "1"),
        ("import pyarrow.compute as pc; print(pc.cast.__doc__.split()[0], 'pydoc' in sys.modules)",
         "Cast False"),
        ("import pyarrow.compute; print(pyarrow.compute.sum(pyarrow.array([1, 2])))", "3"),
        ("import yaml; print(yaml.safe_load('a: 1')['a'], yaml.__version__ > '1')", "1 True"),
        ("import pendulum; print(pendulum.parse('3 May 2026', strict=False).day)", "3"),
    ],
)  # fmt: skip
def test_a_deferred_module_works_with_every_import_syntax(use: str, printed: str) -> None:
    """The module is imported on use, with every import syntax of Python."""
    assert run(use) == printed.split()


def test_threads_wait_until_a_deferred_module_is_loaded() -> None:
    """No thread sees a module whose code is still running."""
    code = (
        "from concurrent.futures import ThreadPoolExecutor as P; from threading import Barrier;"
        "import pyarrow.compute as pc, yaml; b = Barrier(8);"
        "f = lambda n: (b.wait(), pc.cast(pyarrow.array(['1']), 'int64', safe=True)[0].as_py(),"
        " yaml.safe_load('a: 1')['a'], dlt.destinations.postgres.__name__)[1:];"
        "print(*set(P(8).map(f, range(8))))"
    )
    assert run(code) == ["(1,", "1,", "'postgres')"]
