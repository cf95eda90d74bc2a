"""Where the tables go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvest_source.errors import ConfigError

DUCKDB: Final = "duckdb"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the tables go."""

    destination: str = DUCKDB
    database: Path | None = None
    """File of an embedded destination (DuckDB only)."""
    dataset: str = "harvest"
    pipeline: str = "harvest"

    @property
    def identity(self) -> str:
        """Two targets with different identities never share a cursor."""
        place = str(self.database.absolute()) if self.database else ""
        return "|".join((self.destination, place, self.dataset))

    def __str__(self) -> str:
        return str(self.database) if self.database else f"{self.destination}, {self.dataset}"


def build_target(
    destination: str, database: str | Path | None, dataset: str, pipeline: str
) -> Target:
    """
    Check where the tables are to go.

    Raises:
        ConfigError: A file for a destination that has none.
    """
    if destination != DUCKDB:
        if database is not None:
            msg = (
                f"--database names a DuckDB file; the destination is {destination[:80]}. Leave it "
                "out, and put that destination's credentials into .dlt/secrets.toml."
            )
            raise ConfigError(msg)
        return Target(destination, None, dataset, pipeline)
    return Target(destination, Path(database or "harvest.duckdb"), dataset, pipeline)
