"""Large libraries that dlt imports and a command of ours can do without."""

from __future__ import annotations

import importlib
import sys

_COMPAT = "dlt.common.libs.sql_alchemy_compat"


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
