"""Choose the format of tables if the destination is files, and refuse plain files."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

import dlt

from harvest_source.dlt_internals import OpenTables, find_table_format
from harvest_source.errors import ConfigError
from harvest_source.installation import build_extra_command
from harvest_source.warehouse.target import Target

_UNCHANGED: Final = "Nothing was read and nothing changed."
_LIBRARIES: Final = {"delta": "deltalake", "iceberg": "pyiceberg"}


def choose_table_format(destination: Any, target: Target) -> None:
    """
    Check that a destination of files has a table format that can be written, and others have none.

    Raises:
        ConfigError: Says what to choose or to install.
    """
    table_format = target.table_format
    if not isinstance(destination, OpenTables):
        if table_format is not None:
            msg = (
                f"--table-format {table_format} is for the destination filesystem; the destination "
                f"is {target.destination[:80]}. {_UNCHANGED} Leave it out, or table_format under "
                "[sources.harvest]."
            )
            raise ConfigError(msg)
        return
    if table_format is None:
        msg = (
            f"Destination {target.destination[:80]} writes plain files, in which no row can be "
            f"replaced: a row that is read again would be duplicated. {_UNCHANGED} Choose a table "
            "format: --table-format delta (or iceberg), or table_format under [sources.harvest]. "
            "For a whole copy in plain files after each sync: harvest-source export."
        )
        raise ConfigError(msg)
    if find_spec(_LIBRARIES[table_format]) is None:
        msg = (
            f"Tables in {table_format} format need a library that is not installed here. "
            f"{_UNCHANGED} Install it: {build_extra_command(table_format)}"
        )
        raise ConfigError(msg)


def check_table_format(schema: dlt.Schema, target: Target) -> None:
    """
    Refuse a format that differs from that of the existing tables.

    Raises:
        ConfigError: Names both formats.
    """
    stored = find_table_format(schema)
    if target.table_format is not None and stored not in (None, target.table_format):
        msg = (
            f"The tables of {target} are {stored}, and --table-format (or table_format) says "
            f"{target.table_format}. {_UNCHANGED} Use {stored}, or another --dataset."
        )
        raise ConfigError(msg)
