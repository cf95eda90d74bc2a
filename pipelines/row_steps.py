"""Rows chosen and changed on their way: billable hours, without the people's names."""

from typing import Any

import dlt

from harvest_source import harvest

Row = dict[str, Any]


def hide_names(row: Row) -> Row:
    """The same row for people who may not see who worked."""
    return row | {"user__name": None, "is_long": row["hours"] > 8}


pipeline = dlt.pipeline(
    "harvest_billable",
    destination=dlt.destinations.duckdb("billable.duckdb"),
    dataset_name="harvest",
)

source = harvest().with_resources("time_entries")
source.time_entries.add_filter(lambda row: row["billable"]).add_map(hide_names)
print(pipeline.run(source))
