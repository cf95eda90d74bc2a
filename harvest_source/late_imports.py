"""
Modules that libraries import when they start, and that most commands never use: loaded when used.

Python finds such a module, but gets one in its place that imports it when one of its names is asked
for. Call :func:`put_off_imports` only in a command's own process, before the libraries are
imported: what is imported already stays as it is. Where a library no longer has such a module, or
asks for its names at once, nothing is saved. Without all of this: a slower start.
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
"""Names of modules whose code was wanted."""


class _Requirement:
    """Stands for the class of the same name in ``packaging``: what it makes is one of those."""

    def __new__(cls, text: str) -> Any:
        module = importlib.import_module("packaging.requirements")
        if isinstance(module, LateModule):
            module = _import_real(module)
        return module.Requirement(text)


class _NoDescription(dict[str, list[Any]]):
    """Stands for Arrow's parser of a documentation: it has no parameters."""

    def __init__(self, text: str) -> None:
        del text
        super().__init__(Parameters=[])


LATE: Final[Mapping[str, Mapping[str, Any]]] = {
    # The parts of each of dlt's 22 destinations, of which a command uses one. By name: a module
    # that has the object.
    "dlt.destinations": {
        "duckdb": "dlt.destinations.impl.duckdb.factory",
        "filesystem": "dlt.destinations.impl.filesystem.factory",
    },
    "dlt.pipeline.dbt": {},
    # dlt's version module asks for the class when it is imported, and makes none.
    "packaging.requirements": {"Requirement": _Requirement},
    # Makes a function with a documentation of its own for each of 300 functions of Arrow; that
    # documentation then lacks the parameters of the functions' options.
    "pyarrow.compute": {},
    "pyarrow.vendored.docscrape": {"NumpyDocString": _NoDescription},
    # Imported by the joins of Arrow, which take it for files alone.
    "pyarrow.dataset": {},
    "dateutil.parser": {},
    "yaml": {},
}
"""Modules that are put off, and what is answered for a name of each without running it."""


class LateModule(ModuleType):
    """
    Stands for a module whose code was not run yet, and answers with its names.

    The module itself is imported as any other, so that threads wait until its code has been run.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _SHOWN:
            raise AttributeError(name)  # Asked for by what looks through all modules.
        early = LATE[self.__name__].get(name)
        if early is not None and sys.modules.get(self.__name__) is self:
            return (
                getattr(importlib.import_module(early), name) if isinstance(early, str) else early
            )
        found = getattr(_import_real(self), name)
        self.__dict__[name] = found
        return found


def _import_real(late: ModuleType) -> Any:
    """The module that *late* stands for."""
    with _LOCK:
        if sys.modules.get(late.__name__) is late:
            _REAL.add(late.__name__)
            del sys.modules[late.__name__]
    real = importlib.import_module(late.__name__)
    for name, value in list(late.__dict__.items()):
        if isinstance(value, ModuleType):  # Its modules that were imported before it.
            real.__dict__.setdefault(name, value)
    return real


class _LateLoader:
    """Makes a module that stands for another; ``importlib.abc``, its base, takes 12 ms."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """One that knows where its own modules are."""
        return LateModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run."""


class LateFinder:
    """Finds the modules of :data:`LATE` where Python does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own, with a loader that waits; None for all others."""
        if fullname not in LATE or fullname in _REAL:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            loader: Any = _LateLoader()
            spec.loader = loader
        return spec


def put_off_imports() -> None:
    """From now on, run the code of the modules of :data:`LATE` when they are used."""
    if not any(isinstance(each, LateFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, LateFinder())
