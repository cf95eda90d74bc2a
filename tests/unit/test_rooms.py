"""The rooms of the package: imports go downward only, and each room has its own doors outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "harvest_source"
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / PACKAGE


@dataclass(frozen=True)
class Room:
    """Modules that may import each other, everything in lower rooms, and these libraries."""

    modules: frozenset[str]
    libraries: frozenset[str] = frozenset()


def room(modules: str, libraries: str = "") -> Room:
    return Room(frozenset(modules.split()), frozenset(libraries.split()))


ROOMS = (
    room(
        "ahead errors clock columns coverage days records endpoints fitting imports ledger parts "
        "read_options windows"
    ),
    room("api", "httpx tenacity msgspec"),
    room("auth", "httpx tenacity msgspec cryptography filelock keyring platformdirs"),
    room(
        "arrow backfill cursors deletions feeds reading reads scopes sessions sight streams",
        "httpx pyarrow",
    ),
    room(
        "arguments catalogs credentials formats history own_tables packages resources settings "
        "signin source targets",
        "dlt httpx pyarrow pendulum",
    ),
    room(
        "audit check comments copies endings healing lock logins opening removal reports "
        "run steps verify warehouse",
        "dlt duckdb filelock pyarrow pendulum",
    ),
    room("cli cli_auth options show show_auth __main__ __init__", "dlt click rich"),
)
"""From the ground up. A folder counts as one module."""

ABOUT = "__about__"
"""Stands for the package itself, of which every room may know the version."""

SANDBOX = "sandbox"
SANDBOX_GUESTS = frozenset({"cli", "run"})
"""Modules that may start a sandbox."""


def level(module: str) -> int | None:
    """The height of a module's room; None when it is in none."""
    return next((at for at, each in enumerate(ROOMS) if module in each.modules), None)


def module_of(path: Path) -> str:
    """The top-level module or folder that a file belongs to."""
    return path.relative_to(FOLDER).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """``(library, module)`` of every import in a file; *module* only for our own package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (split(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively; this test reads full names"
            assert node.module is not None
            if node.module == PACKAGE:
                yield from (split(f"{PACKAGE}.{alias.name}") for alias in node.names)
            else:
                yield split(node.module)


def split(name: str) -> tuple[str, str]:
    library, _, rest = name.partition(".")
    module = rest.partition(".")[0] if library == PACKAGE else ""
    return library, ABOUT if module in {"__version__"} else module


FILES = sorted(FOLDER.rglob("*.py"))
OURS = [path for path in FILES if module_of(path) != SANDBOX]


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_every_module_is_in_a_room(path: Path) -> None:
    """A new module must be given a room, or nobody guards its doors."""
    assert level(module_of(path)) is not None, f"put {module_of(path)} into one of ROOMS"


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_imports_go_downward_only(path: Path) -> None:
    """No module imports from a room above its own."""
    mine = level(module_of(path))
    assert mine is not None
    for library, module in imports(path):
        if library == PACKAGE and module not in {ABOUT, SANDBOX}:
            theirs = level(module)
            assert theirs is not None, f"imports {module}, which is in no room"
            assert theirs <= mine, f"imports {module} from above"


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_each_room_has_its_own_libraries(path: Path) -> None:
    """Values know the standard library only; sockets and dlt keep to rooms of their own."""
    mine = level(module_of(path))
    assert mine is not None
    allowed = ROOMS[mine].libraries | sys.stdlib_module_names | {PACKAGE}
    assert {library for library, _ in imports(path)} <= allowed


def test_imports_do_not_go_round() -> None:
    """Modules of one room may know each other, but not in a circle."""
    waiting = {
        module: {
            theirs
            for path in OURS
            if module_of(path) == module
            for library, theirs in imports(path)
            if library == PACKAGE and theirs not in {ABOUT, SANDBOX, module}
        }
        for module in map(module_of, OURS)
    }
    while free := [module for module, needs in waiting.items() if not needs & waiting.keys()]:
        for module in free:
            del waiting[module]
    assert waiting == {}


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_few_know_the_sandbox(path: Path) -> None:
    """The sandbox is for people and tests: the connector never leans on it."""
    if module_of(path) not in SANDBOX_GUESTS:
        assert SANDBOX not in {module for _, module in imports(path)}


@pytest.mark.parametrize(
    "path", [path for path in FILES if module_of(path) == SANDBOX], ids=name_of
)
def test_the_sandbox_imports_nothing_of_ours(path: Path) -> None:
    """If server and client shared an endpoint table, a wrong path would pass every test."""
    assert {module for library, module in imports(path) if library == PACKAGE} <= {SANDBOX}


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.cli", f"{PACKAGE}.__main__"])
def test_importing_us_is_cheap(module: str) -> None:
    """``--help`` does not pay for dlt, Arrow or DuckDB."""
    path = ROOT.joinpath(*module.split("."))
    if not path.is_dir() and not path.with_suffix(".py").exists():
        pytest.skip(f"there is no {module} yet")
    code = (
        f"import sys, {module}; print(*sorted({{'dlt', 'pyarrow', 'duckdb'}} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
