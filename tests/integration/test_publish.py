"""``sync`` with a copy for readers."""

from __future__ import annotations

import duckdb

from tests.support.labs import OpenLab


def test_the_published_copy_is_replaced_only_after_a_complete_read(open_lab: OpenLab) -> None:
    """After a complete read the copy has the new rows; if a table failed, the old copy stays."""
    lab = open_lab()
    place = lab.folder / "readers.duckdb"
    report = lab.sync(publish=place)
    assert (report.status, report.published) == ("ok", place)
    assert report.as_dict()["published"] == str(place)
    with duckdb.connect(str(place), read_only=True) as reader:
        counted = reader.execute("SELECT COUNT(*) FROM harvest.time_entries").fetchall()
    assert counted == [(len(lab.table("time_entries")),)]
    before = place.stat().st_ino
    lab.rest()
    lab.server.fault("server_error", table="clients")
    report = lab.sync(publish=place)
    assert (report.status, report.published) == ("partial", None)
    assert place.stat().st_ino == before
