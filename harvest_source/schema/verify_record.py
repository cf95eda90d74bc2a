"""What ``verify_runs`` says about the last verification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from harvest_source.schema.run_record import parse_time

VERIFY_COLUMNS: Final = ("started_at", "status", "compared", "differing")
"""The columns of ``verify_runs`` that :func:`find_last` reads."""


@dataclass(frozen=True, slots=True)
class VerifyRecord:
    """
    One row of ``verify_runs``.

    Attributes:
        as_of: When it began.
        last_ok: When the last one that found everything equal began; None: none did.
    """

    as_of: datetime
    status: str
    compared: int
    differing: int
    last_ok: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "as_of": self.as_of.isoformat(),
            "status": self.status,
            "compared": self.compared,
            "differing": self.differing,
            "last_ok": self.last_ok.isoformat() if self.last_ok else None,
        }


def find_last(rows: Iterable[Mapping[str, Any]]) -> VerifyRecord | None:
    """The last of *rows* with :data:`VERIFY_COLUMNS`, as any destination returns them."""
    known = sorted(((parse_time(row["started_at"]), row) for row in rows), key=lambda each: each[0])
    if not known:
        return None
    fine = [at for at, row in known if row["status"] == "ok"]
    as_of, last = known[-1]
    return VerifyRecord(
        as_of,
        str(last["status"]),
        int(last["compared"] or 0),
        int(last["differing"] or 0),
        fine[-1] if fine else None,
    )
