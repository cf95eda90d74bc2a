"""
Each kind of work is done in one place: removal, statements, loads, state, evidence, exit codes.

Every test lists all modules that break its rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pytest

from tests.structure import DEFAULT_FOLDER, Source, read_package

pytestmark = pytest.mark.xdist_group("parsed package")  # One worker parses it for all tests.


def read_sources(*without: str) -> list[Source]:
    """The package without these rooms."""
    return [each for each in read_package(DEFAULT_FOLDER) if each.room not in without]


def modules_with(
    matches: Callable[[ast.AST], bool], without: Sequence[str] = ("sandbox",)
) -> set[str]:
    """The modules that have a matching node, except those of the rooms *without*."""
    return {
        each.module for each in read_sources(*without) if any(matches(node) for node in each.nodes)
    }


def calls(node: ast.AST, *names: str) -> bool:
    """Whether *node* calls one of *names*, as a function or a method."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in names


def calls_of(node: ast.AST, owner: str, name: str) -> bool:
    """Whether *node* calls ``owner.name``, however *owner* is reached."""
    match node:
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr == name:
            return ast.unparse(value).endswith(owner)
    return False


# Evidence, cursors and schedules.


def stores(node: ast.AST, key: str) -> bool:
    """Whether *node* is ``something[key] = ...``."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == key
    )


def names_header(node: ast.AST) -> bool:
    """Whether *node* names a header that tells the age of an answer."""
    return isinstance(node, ast.Constant) and node.value in {"Date", "Age"}


def measures_since(node: ast.AST) -> bool:
    """Whether *node* compares the time elapsed since a stored time."""
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    return any(
        isinstance(side, ast.BinOp)
        and isinstance(side.op, ast.Sub)
        and ast.unparse(side.left).rpartition(".")[2] == "now"
        for side in sides
    )


def test_only_one_file_moves_cursors() -> None:
    """Every cursor follows the rules of ``extract/cursor.py``."""
    assert modules_with(lambda node: stores(node, "cursor")) == {"extract.cursor"}
    assert modules_with(lambda node: calls(node, "Cursor", "next_cursor")) == {"extract.cursor"}


def test_only_one_file_judges_how_old_an_answer_is() -> None:
    """The header is read where answers are received, and judged in ``api/evidence.py``."""
    assert modules_with(lambda node: calls(node, "AnswerAge")) == {"api.evidence"}
    assert modules_with(names_header) == {"api.attempt"}


def test_only_one_file_decides_what_is_due() -> None:
    """Stored times in the future, and days that are slightly short, are handled in one place."""
    rooms = {"extract", "load", "warehouse", "operations"}
    found = modules_with(measures_since)
    assert {each for each in found if each.partition(".")[0] in rooms} == {"extract.schedule"}


def test_only_one_function_requests_an_empty_list_twice() -> None:
    """Whole tables, parents, reports and slices of long lists all use it."""
    callers = modules_with(lambda node: calls(node, "confirm_empty"))
    assert callers == {"extract.proof", "extract.replaced_lists"}


# Removal.


def is_deletion(node: ast.AST) -> bool:
    """Whether *node* is a text with which a statement that deletes rows begins."""
    return isinstance(node, ast.Constant) and str(node.value).startswith(("DELETE ", "TRUNCATE "))


def test_only_the_removal_deletes_rows() -> None:
    """
    Code that deletes rows uses a removal; otherwise nothing would record and finish it.

    The trial of a destination deletes rows of its own dataset. ``warehouse.shrinking`` deletes rows
    in the same transaction in which it has written as many of them again.
    """
    deleting = modules_with(lambda node: calls_of(node, "sql", "delete"), ())
    assert deleting == {"warehouse.removal", "warehouse.trial"}
    moving = modules_with(lambda node: calls_of(node, "shrinking", "delete_rows"), ())
    assert moving == {"warehouse.shrinking"}
    assert modules_with(is_deletion, ()) == {"sql.dialects", "sql.shrinking"}


# Statements.

RUNNERS: Final = frozenset(
    {
        "warehouse.sql",
        "dlt_internals.direct_copy",
        "dlt_internals.duckdb_client",  # Passes on dlt's own, after it has created the log.
        "dlt_internals.mysql_texts",
        "dlt_internals.staging",
        "dlt_internals.state",
        "dlt_internals.stored_schemas",
    }
)
RUN: Final = frozenset({"execute_sql", "execute_query", "make_qualified_table_name"})

SQL: Final = re.compile(
    r"\b(SELECT|INSERT INTO|DELETE FROM|TRUNCATE|(CREATE|ALTER|DROP) (TABLE|VIEW|SCHEMA)|COMMENT ON"
    r"|UPDATE \S+ SET|SET \w+ =|GROUP BY|ORDER BY|UNION ALL|INNER JOIN|LEFT JOIN|PRAGMA|ATTACH)\b"
)
ADVICE: Final = frozenset({"warehouse.remedies"})
"""Modules that tell people which statement reverts what they did, but send none."""
FIGURES: Final = frozenset({"pages.figures", "pages.filters", "pages.marts"})
"""Queries on the marts, which exist only in DuckDB and PostgreSQL; tests run all in both."""


def iter_texts(source: Source) -> Iterator[str]:
    """Every string of a module, except docstrings and strings that are statements."""
    alone = {id(node.value) for node in source.nodes if isinstance(node, ast.Expr)}
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_few_modules_run_statements() -> None:
    """One module runs statements on our tables, and six run those of dlt's own work."""
    running = modules_with(lambda node: isinstance(node, ast.Attribute) and node.attr in RUN, ())
    assert running <= RUNNERS


def test_no_other_room_contains_sql() -> None:
    """
    Every statement is built in the room ``sql``, where each dialect's form of it is tested.

    ``ask`` builds its own: it opens only DuckDB files, and checks statements of others. So do the
    figures of the pages, which only read: ``tests/integration/test_page_figures.py``.
    """
    found = {
        each.module: text
        for each in read_sources("sql", "sandbox", "ask")
        for text in iter_texts(each)
        if SQL.search(text)
    }
    assert {module: found[module] for module in found.keys() - ADVICE - FIGURES} == {}


def test_sql_is_recognized() -> None:
    """SQL is found in an f-string, but not in a docstring."""
    tree = ast.parse("def f(x):\n    'SELECT in a docstring'\n    return f'SELECT {x} FROM y'")
    found = [text for text in iter_texts(Source("m", 3, tree)) if SQL.search(text)]
    assert found == ["SELECT "]


# dlt.

PUBLIC: Final = frozenset(
    {
        "dlt",
        "dlt.sources",
        "dlt.destinations",
        "dlt.common.configuration",
        "dlt.common.configuration.specs",
        "dlt.common.schema.typing",
        "dlt.common.typing",
        "dlt.pipeline.exceptions",
    }
)
"""The modules from which dlt's documentation imports."""

NAMESPACES: Final = frozenset({"common", "extract", "load", "normalize", "pipeline"})
"""Internal packages of dlt that ``import dlt`` makes reachable as attributes."""

STEPS: Final = frozenset({"extract", "load", "managed_state", "normalize", "run"})
"""Methods of a pipeline that load, or change what the next load brings."""
MAKERS: Final = frozenset({"attach", "pipeline", "run"})
"""Functions of dlt that attach to a pipeline or make one."""

STATES: Final[Mapping[str, frozenset[str]]] = {
    # dlt gives access to these while it extracts.
    "resource_state": frozenset({"load.state"}),
    "source_state": frozenset({"load.state"}),
    # We change this one, and load it at once.
    "managed_state": frozenset({"warehouse.pipeline"}),
}
"""Ways to change dlt's state, and the modules that may use each."""


def imports_internals(node: ast.AST) -> bool:
    """Whether *node* imports from a module of dlt that its documentation does not name."""
    module = node.module if isinstance(node, ast.ImportFrom) else None
    return module is not None and module.partition(".")[0] == "dlt" and module not in PUBLIC


def is_internal_package(node: ast.AST) -> bool:
    """Whether *node* is ``dlt.load`` or another internal package, as an attribute."""
    match node:
        case ast.Attribute(value=ast.Name(id="dlt"), attr=attr):
            return attr in NAMESPACES
    return False


def is_private_of_pipeline(node: ast.AST) -> bool:
    """Whether *node* is a private attribute of a pipeline."""
    match node:
        case ast.Attribute(value=value, attr=attr) if attr.startswith("_"):
            return "pipeline" in ast.unparse(value).rpartition(".")[2]
    return False


def find_internals(tree: ast.Module) -> list[int]:
    """Lines of *tree* that use something of dlt's that is not documented."""
    nodes = list(ast.walk(tree))
    # dlt.pipeline is a function, too.
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return [
        node.lineno
        for node in nodes
        if isinstance(node, ast.ImportFrom | ast.Attribute)
        if imports_internals(node)
        or (is_internal_package(node) and id(node) not in called)
        or is_private_of_pipeline(node)
    ]


def test_only_one_room_uses_internals_of_dlt() -> None:
    """Only ``dlt_internals`` imports undocumented modules of dlt or reads private attributes."""
    found = {each.module: find_internals(each.tree) for each in read_sources("dlt_internals")}
    assert {module: lines for module, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("code", "is_internal"),
    [
        ("from dlt.common.pipeline import PipelineContext", True),
        ("from dlt.sources import DltResource", False),
        ("dlt.common.runtime", True),
        ("dlt.pipeline('x')", False),
        ("self.pipeline._state", True),
        ("self._pipeline.state", False),
    ],
)
def test_internals_of_dlt_are_found(code: str, is_internal: bool) -> None:
    """The search finds imports, packages and private attributes, and nothing else."""
    assert bool(find_internals(ast.parse(code))) == is_internal


def find_loads(tree: ast.Module) -> Iterator[str]:
    """Calls in *tree* that attach to a pipeline or load with one."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in STEPS | MAKERS:
                owner = ast.unparse(value)
                of_pipeline = owner.rpartition(".")[2].strip("_").endswith("pipeline")
                if (owner == "dlt" and attr in MAKERS) or (attr in STEPS and of_pipeline):
                    yield f"{owner}.{attr}"


def test_only_one_module_loads() -> None:
    """
    No other module attaches to dlt's pipeline, or extracts, normalizes, loads or runs it.

    The trial of a destination has its own pipeline and dataset, which it removes.
    """
    loading = {each.module for each in read_sources("sandbox") if any(find_loads(each.tree))}
    assert loading == {"warehouse.pipeline", "warehouse.trial"}


def test_loads_are_found() -> None:
    """The search finds calls however the pipeline is reached, and nothing else."""
    code = "self.pipeline.run(x); pipeline.load(); self._folder.pipeline.normalize(); dlt.attach()"
    assert len(list(find_loads(ast.parse(code)))) == 4
    assert list(find_loads(ast.parse("self._folder.load(x); json.load(f); steps.run()"))) == []


def test_state_is_written_only_through_load_state() -> None:
    """State is reached through ``load.state``, and written with rows or by ``write_state``."""
    for name, allowed in STATES.items():
        found = modules_with(
            lambda node, name=name: (
                isinstance(node, ast.Call)  # type: ignore[misc]
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == name
            )
        )
        assert found <= allowed, name
    writing = modules_with(
        lambda node: (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "current_accounts"
        )
    )
    assert writing <= {"load.packages", "load.resources", "load.state"}


# Exit codes.


def find_bare_codes(source: Source) -> list[int]:
    """Lines with a number in place of an exit code."""
    is_command = source.room == "cli"
    found = []
    for node in source.nodes:
        match node:
            case (
                ast.Assign(targets=[target], value=ast.Constant(int()))
                | ast.AnnAssign(target=target, value=ast.Constant(int()))
            ) if ast.unparse(target).endswith("exit_code"):
                found.append(node.lineno)
            case ast.FunctionDef(name="exit_code") | ast.FunctionDef(name="_run" | "_fail"):
                found += find_numbers(node)
            case ast.FunctionDef(decorator_list=[_, *_]) if is_command:
                found += find_numbers(node)
    return found


def find_numbers(function: ast.FunctionDef) -> list[int]:
    """Lines on which a function returns a number, alone or in a conditional."""
    values = [each.value for each in ast.walk(function) if isinstance(each, ast.Return)]
    parts = [part for value in values if value for part in (value, *ast.iter_child_nodes(value))]
    return [
        part.lineno for part in parts if isinstance(part, ast.Constant) and type(part.value) is int
    ]


def test_no_exit_code_is_written_as_a_bare_number() -> None:
    """A reader sees how the process ends, and a search finds every place."""
    found = {each.module: find_bare_codes(each) for each in read_sources("sandbox")}
    assert {module: lines for module, lines in found.items() if lines} == {}
