"""Avoid importing large libraries that dlt imports and our commands do not need."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, Final

_COMPAT: Final = "dlt.common.libs.sql_alchemy_compat"
_REQUESTS: Final = "dlt.sources.helpers.requests"


def avoid_sqlalchemy() -> None:
    """
    Make dlt parse URLs with its own code, even if SQLAlchemy is installed.

    dlt 1.31 imports SQLAlchemy, if it is installed, to parse the URL of any database, even of a
    file. That takes a tenth of a run without changes. If SQLAlchemy is not installed, dlt uses its
    bundled copy of a part of it, with the same names: this function puts that copy in place. Call
    it only in a command's own process, for DuckDB: other sources, and dlt's destination
    ``sqlalchemy``, need SQLAlchemy's own URL class. If SQLAlchemy has been imported already,
    nothing changes. Without this: a slower start.
    """
    if "sqlalchemy" in sys.modules or _COMPAT in sys.modules:
        return
    try:
        sys.modules[_COMPAT] = importlib.import_module("dlt.common.libs.sql_alchemy_shims")
    except ImportError:
        return  # An older or newer dlt, which does it differently.


class _LazyRequests(ModuleType):
    """Placeholder for dlt's HTTP client, which is imported on first use of an attribute."""

    def init(self, config: Any) -> None:
        """Store the client's configuration, which dlt passes when it starts."""
        self.__dict__["_config"] = config

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(_REQUESTS) is self:
            del sys.modules[_REQUESTS]
        found = importlib.import_module(_REQUESTS)
        if (config := self.__dict__.pop("_config", None)) is not None:
            found.init(config)
        return getattr(found, name)


def defer_requests() -> None:
    """
    Make dlt import its HTTP client, and with it requests, on first use.

    dlt 1.31 imports the client whenever it starts, to configure it. That takes a twentieth of a run
    without changes, although a run uses the client only for telemetry, which our commands switch
    off. Call this only in a command's own process. Without this: a slower start.
    """
    if _REQUESTS not in sys.modules:
        sys.modules[_REQUESTS] = _LazyRequests(_REQUESTS)
