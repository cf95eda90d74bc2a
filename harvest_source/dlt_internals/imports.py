"""Large libraries that dlt imports and a command of ours can do without."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, Final

_COMPAT: Final = "dlt.common.libs.sql_alchemy_compat"
_REQUESTS: Final = "dlt.sources.helpers.requests"


def leave_out_sqlalchemy() -> None:
    """
    Have dlt parse addresses with its own code, also where SQLAlchemy is installed.

    dlt 1.31 imports SQLAlchemy, where it is there, to parse the address of any database, a file's
    too. That takes a tenth of a run without changes. Without SQLAlchemy it uses a part of it that
    it brings along, under the same names: that is put in its place. Call this only in a command's
    own process, for DuckDB: other sources, and dlt's destination ``sqlalchemy``, need SQLAlchemy's
    own class of addresses.
    Where SQLAlchemy has been imported already, nothing changes. Without this: a slower start.
    """
    if "sqlalchemy" in sys.modules or _COMPAT in sys.modules:
        return
    try:
        sys.modules[_COMPAT] = importlib.import_module("dlt.common.libs.sql_alchemy_shims")
    except ImportError:
        return  # An older or newer dlt, which has its own way.


class _Later(ModuleType):
    """Stands for dlt's client of HTTP until something is wanted of it: then that is imported."""

    def init(self, config: Any) -> None:
        """What dlt calls when it starts: the configuration of its client."""
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


def put_off_requests() -> None:
    """
    Have dlt import its client of HTTP, and with it requests, when that is first used.

    dlt 1.31 imports it whenever it starts, to configure it, and a run uses it for telemetry alone,
    which our commands switch off: a twentieth of a run without changes. Call this only in a
    command's own process. Without this: a slower start.
    """
    if _REQUESTS not in sys.modules:
        sys.modules[_REQUESTS] = _Later(_REQUESTS)
