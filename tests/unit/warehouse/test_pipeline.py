"""Only the module ``warehouse.pipeline`` attaches and loads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.structure import DEFAULT_FOLDER, Source, read_package

HOME = "warehouse.pipeline"
TRIAL = "warehouse.trial"
STEPS = frozenset({"extract", "load", "managed_state", "normalize", "run"})
"""Methods of a pipeline that load, or change what the next load brings."""
MAKERS = frozenset({"dlt.attach", "dlt.pipeline", "dlt.run"})


def find_loads(tree: ast.Module) -> Iterator[str]:
    """Calls in *tree* that attach to a pipeline or load with one."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called, owner = ast.unparse(node.func), ast.unparse(node.func.value)
        of_pipeline = owner.rpartition(".")[2].strip("_").endswith("pipeline")
        if called in MAKERS or (node.func.attr in STEPS and of_pipeline):
            yield called


@pytest.mark.parametrize(
    "source",
    [source for source in read_package(DEFAULT_FOLDER) if source.room != "sandbox"],
    ids=lambda source: source.module,
)
def test_only_one_module_loads(source: Source) -> None:
    """
    No other module attaches to dlt's pipeline, or extracts, normalizes, loads or runs it.

    The trial of a destination has its own pipeline and dataset, which it removes.
    """
    found = set(find_loads(source.tree))
    assert (found != set()) == (source.module in (HOME, TRIAL)), found


def test_loads_are_found() -> None:
    """The search finds calls however the pipeline is reached, and nothing else."""
    calls = "self.pipeline.run(x); pipeline.load(); self._folder.pipeline.normalize(); dlt.attach()"
    assert len(list(find_loads(ast.parse(calls)))) == 4
    assert list(find_loads(ast.parse("self._folder.load(x); json.load(f); steps.run()"))) == []
