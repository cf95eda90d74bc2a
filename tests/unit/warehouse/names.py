"""Names as a destination quotes them."""

from __future__ import annotations


class Quoted:
    """Quotes names as DuckDB and PostgreSQL do."""

    def table(self, name: str) -> str:
        return f'"harvest"."{name}"'

    def column(self, name: str) -> str:
        return f'"{name}"'
