"""
Delay the import of modules that libraries import at start-up but most commands never use.

Python finds such a module, but gets a placeholder that imports the real one when one of its names
is accessed. Call :func:`defer_imports` only in a command's own process, before the libraries are
imported: modules already imported are not affected. Where a library no longer has such a module, or
accesses its names at once, nothing is saved. Without this module the start is slower.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

_LOCK: Final = threading.RLock()
_SHOWN: Final = frozenset({"__all__", "__version__"})
_REAL: Final[set[str]] = set()
"""Names of modules whose real code has been requested."""


class _Requirement:
    """Placeholder for ``packaging``'s class of the same name; creates instances of that class."""

    def __new__(cls, text: str) -> Any:
        module = importlib.import_module("packaging.requirements")
        if isinstance(module, LazyModule):
            module = _import_real(module)
        return module.Requirement(text)


class _NoDescription(dict[str, list[Any]]):
    """Placeholder for Arrow's docstring parser: a docstring without parameters."""

    def __init__(self, text: str) -> None:
        del text
        super().__init__(Parameters=[])


LAZY: Final[Mapping[str, Mapping[str, Any]]] = {
    # Imports parts of all of dlt's 22 destinations, of which a command uses one. The string is the
    # module that defines the name.
    "dlt.destinations": {
        "duckdb": "dlt.destinations.impl.duckdb.factory",
        "filesystem": "dlt.destinations.impl.filesystem.factory",
    },
    "dlt.pipeline.dbt": {},
    # dlt's version module accesses the class when it is imported, but creates no instance.
    "packaging.requirements": {"Requirement": _Requirement},
    # Creates a Python function with its own docstring for each of Arrow's 300 functions. With the
    # placeholder parser, those docstrings lack the parameters of the functions' options.
    "pyarrow.compute": {},
    "pyarrow.vendored.docscrape": {"NumpyDocString": _NoDescription},
    # Imported by Arrow's joins, which need it only for files.
    "pyarrow.dataset": {},
    "dateutil.parser": {},
    "yaml": {},
}
"""Modules whose import is delayed, each with the names that it answers without being run."""


class LazyModule(ModuleType):
    """
    Placeholder for a module whose code has not run yet; answers for the module's names.

    The real module is imported like any other, so threads wait until its code has run.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _SHOWN:
            raise AttributeError(name)  # Accessed by code that inspects all modules.
        early = LAZY[self.__name__].get(name)
        if early is not None and sys.modules.get(self.__name__) is self:
            return (
                getattr(importlib.import_module(early), name) if isinstance(early, str) else early
            )
        found = getattr(_import_real(self), name)
        self.__dict__[name] = found
        return found


def _import_real(lazy: ModuleType) -> Any:
    """Import the module that *lazy* stands for."""
    with _LOCK:
        if sys.modules.get(lazy.__name__) is lazy:
            _REAL.add(lazy.__name__)
            del sys.modules[lazy.__name__]
    real = importlib.import_module(lazy.__name__)
    for name, value in list(lazy.__dict__.items()):
        if isinstance(value, ModuleType):  # Submodules that were imported before it.
            real.__dict__.setdefault(name, value)
    return real


class _LazyLoader:
    """Creates placeholder modules. Importing its proper base, ``importlib.abc``, takes 12 ms."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Create the placeholder; the import system sets where its submodules are."""
        return LazyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""


class LazyFinder:
    """Finds the modules of :data:`LAZY` where Python would find them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own spec with a loader that delays it; None for all other modules."""
        if fullname not in LAZY or fullname in _REAL:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            loader: Any = _LazyLoader()
            spec.loader = loader
        return spec


def defer_imports() -> None:
    """From now on, run the code of the modules of :data:`LAZY` only when they are used."""
    if not any(isinstance(each, LazyFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, LazyFinder())
