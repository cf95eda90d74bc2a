"""
Prints the size and shape of the package: floors, files, classes, functions, share of ``Any``.

Usage::

    python -m tests.structure [PACKAGE_FOLDER]

Name the package folder of another checkout to compare two versions of the code.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PACKAGE = "harvest_source"
DEFAULT_FOLDER = Path(__file__).parents[1] / PACKAGE


@dataclass(frozen=True)
class Block:
    """A class or function: its first line, its number of lines, its number of arguments."""

    place: str
    lines: int
    arguments: int = 0


@dataclass(frozen=True)
class Source:
    """One parsed file of the package."""

    module: str
    """Dotted name below the package: ``api.retry``."""
    lines: int
    tree: ast.Module

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """All nodes of the tree."""
        return tuple(ast.walk(self.tree))

    @property
    def room(self) -> str:
        """The folder, or the module itself if it is directly in the package."""
        return self.module.partition(".")[0]

    def classes(self) -> Iterator[Block]:
        """Every class."""
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                yield Block(f"{self.module}:{node.name}", _length(node))

    def functions(self) -> Iterator[Block]:
        """Every function and method, nested ones included."""
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
                yield Block(f"{self.module}:{node.name}", _length(node), count)

    def annotations(self) -> Iterator[ast.expr]:
        """Every annotation of an argument, a result or a variable."""
        for node in self.nodes:
            if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                yield node.annotation
            elif isinstance(node, ast.FunctionDef) and node.returns is not None:
                yield node.returns


def _length(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return (node.end_lineno or first) - first + 1


@cache
def read_package(folder: Path) -> Sequence[Source]:
    """
    Parse every file of the package, in the order of their names.

    This happens once in a process: it takes seconds, and many tests share the trees. Do not change
    them.
    """
    sources = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(folder).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__") or "__init__"
        sources.append(Source(module, len(text.splitlines()), ast.parse(text)))
    return tuple(sources)


def find_imports(source: Source, modules: Iterable[str]) -> set[str]:
    """Modules of the package that *source* imports anywhere, as dotted names below the package."""
    known = set(modules)
    found = set()
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            if any(name.removeprefix(f"{PACKAGE}.") not in known for name in names):
                names.append(node.module)  # It imports more than submodules.
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.removeprefix(f"{PACKAGE}.") for name in names}
    return (found & known) - {source.module}


def count_floors(imports: Mapping[str, set[str]]) -> int:
    """
    Number of floors if every node is one floor above the highest node that it imports.

    Raises:
        RecursionError: The imports form a cycle.
    """

    @cache
    def floor(module: str) -> int:
        return 1 + max((floor(each) for each in imports[module]), default=0)

    return max(map(floor, imports))


def group_by_room(
    sources: Iterable[Source], imports: Mapping[str, set[str]]
) -> dict[str, set[str]]:
    """The imports between rooms: folders, and modules directly in the package."""
    rooms: dict[str, set[str]] = {}
    for source in sources:
        needed = {module.partition(".")[0] for module in imports[source.module]}
        rooms.setdefault(source.room, set()).update(needed - {source.room})
    return rooms


def describe(folder: Path) -> Iterator[tuple[str, str]]:
    """``(figure, value)`` of the package in *folder*; the sandbox is counted separately."""
    everything = read_package(folder)
    sources = [source for source in everything if source.room != "sandbox"]
    modules = [source.module for source in sources]
    imports = {source.module: find_imports(source, modules) for source in sources}
    yield "files", f"{len(sources)} (sandbox: {len(everything) - len(sources)})"
    yield "directly in the package", str(len(list(folder.glob("*.py"))))
    for name, graph in (("modules", imports), ("rooms", group_by_room(sources, imports))):
        try:
            yield f"floors of {name}", str(count_floors(graph))
        except RecursionError:
            yield f"floors of {name}", "circular"
    longest = max(sources, key=lambda source: source.lines)
    yield "longest file", f"{longest.lines} lines, {longest.module}"
    yield "longest class", _show(each for source in sources for each in source.classes())
    functions = [each for source in sources for each in source.functions()]
    lengths = [each.lines for each in functions]
    yield "functions", str(len(functions))
    yield "median function", f"{statistics.median(lengths):.0f} lines"
    yield "90th percentile function", f"{statistics.quantiles(lengths, n=10)[-1]:.0f} lines"
    yield "longest function", _show(functions)
    makers = [each for each in functions if each.place.endswith(":__init__")]
    most = max(makers, key=lambda each: each.arguments)
    yield "most constructor arguments", f"{most.arguments - 1}, {most.place.partition(':')[0]}"
    annotations = [each for source in sources for each in source.annotations()]
    loose = sum(_mentions_any(each) for each in annotations)
    yield "annotations with Any", f"{loose} of {len(annotations)} ({loose / len(annotations):.1%})"


def _show(blocks: Iterable[Block]) -> str:
    longest = max(blocks, key=lambda each: each.lines)
    return f"{longest.lines} lines, {longest.place}"


def _mentions_any(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FOLDER
    for figure, value in describe(folder):
        print(f"{figure:<28} {value}")


if __name__ == "__main__":
    main()
