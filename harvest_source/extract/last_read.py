"""What is remembered, in place of its rows, of a list that was read as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from harvest_source.decode.coerce import loads
from harvest_source.extract.schedule import parse_instant
from harvest_source.schema.endpoint import Endpoint

UNTRUSTED: Final = ""
"""Stored in place of a digest; no list has this digest."""


@dataclass(frozen=True, slots=True)
class LastRead:
    """What is remembered, in place of its rows, of the last read of a list."""

    at: datetime
    by: str
    """``Owner.visibility`` of the token that read it."""
    rows: int
    digest: str
    """The :func:`fingerprint` of its rows."""
    elements: Mapping[str, int] = field(default_factory=dict)
    """By child table, how many rows the list has in it; excluded child tables are missing."""

    @property
    def is_trusted(self) -> bool:
        """Whether, as far as is known, the warehouse has the list as it was read."""
        return self.digest != UNTRUSTED

    def without_trust(self) -> LastRead:
        """The same, so that the list is loaded again even if it has not changed."""
        return replace(self, digest=UNTRUSTED)

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        stored = {
            "at": self.at.isoformat(),
            "by": self.by,
            "rows": self.rows,
            "digest": self.digest,
        }
        return stored | ({"elements": dict(self.elements)} if self.elements else {})

    @classmethod
    def load(cls, stored: Any) -> LastRead | None:
        """Parse what was stored; None when it is missing or malformed."""
        try:
            at = parse_instant(stored["at"])
            elements = {str(name): int(n) for name, n in stored.get("elements", {}).items()}
            return cls(at, str(stored["by"]), int(stored["rows"]), str(stored["digest"]), elements)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def fingerprint(table: pa.Table) -> str:
    """A digest of a table's content, whatever the order of its columns."""
    names = sorted(table.column_names)
    content = repr([names, table.select(names).to_pylist()])
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()


def count_elements(endpoint: Endpoint, table: pa.Table) -> Mapping[str, int]:
    """By child table of *endpoint*, how many rows the arrays of *table* hold, which are JSON."""
    tables = zip(endpoint.record.children, endpoint.child_tables, strict=True)
    return {
        name: sum(
            len(loads(each.encode())) for each in table.column(child.name).to_pylist() if each
        )
        for child, name in tables
        if child.name in table.column_names
    }
