"""What the state of another pipeline proves about rows that this one takes over."""

from __future__ import annotations

from datetime import UTC, datetime

from harvest_source.extract.cursor import Cursor, load_cursor
from harvest_source.extract.last_read import LastRead
from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.extract.taken_over import keep_evidence

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADMIN = "1:administrator"
READ = LastRead(NOW, ADMIN, 5, "digest").dump()


def test_only_what_is_known_of_the_rows_is_kept() -> None:
    """Who read them, how many there were, what they lack: but no digest, progress or audit."""
    kept = keep_evidence(
        {
            "cursor": Cursor(NOW, None, ADMIN, NOW).dump(),
            "seen": READ,
            "parents": {"1": READ, "2": "damaged"},
            "windows": {},
            "excluded": ["notes"],
            "audit": {"counted_at": NOW.isoformat()},
            "backfill": {"slices": []},
            SWEEP_KEY: ParentSweep(began=NOW, is_first=True, left=3).dump(),
        }
    )
    assert kept.keys() == {"cursor", "seen", "parents", "excluded", SWEEP_KEY}
    cursor = load_cursor(kept["cursor"])
    assert cursor is not None
    assert (cursor.visibility, cursor.taken_over) == (ADMIN, True)
    assert kept["parents"].keys() == {"1"}
    for stored in (kept["seen"], kept["parents"]["1"]):
        read = LastRead.load(stored)
        assert read is not None
        assert (read.by, read.rows, read.is_trusted, read.at < NOW) == (ADMIN, 5, False, True)
    assert kept["excluded"] == ["notes"]
    assert ParentSweep.load(kept[SWEEP_KEY]) == ParentSweep()


def test_a_damaged_state_proves_nothing() -> None:
    """Each value that cannot be read is left out."""
    assert keep_evidence({"cursor": 1, "seen": [], "parents": None, "windows": "x"}) == {}
