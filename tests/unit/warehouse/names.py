"""Names as a destination spells them."""

from __future__ import annotations


class Quoted:
    """As DuckDB and PostgreSQL spell them."""

    def table(self, name: str) -> str:
        return f'"harvest"."{name}"'

    def column(self, name: str) -> str:
        return f'"{name}"'
