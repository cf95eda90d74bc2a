"""Names as dlt writes them."""

from __future__ import annotations

from dlt.common.normalizers.naming.snake_case import NamingConvention


def normalize_name(name: str) -> str:
    """
    Rewrite a name as dlt's default naming convention does, without shortening it.

    Without ``NamingConvention``: underscores before capitals and for other characters.
    """
    return str(NamingConvention().normalize_table_identifier(name))
