"""One table with plain dlt, then a question to it."""

import dlt

from harvest_source import harvest

pipeline = dlt.pipeline(
    "harvest_hours",
    destination=dlt.destinations.duckdb("hours.duckdb"),
    dataset_name="harvest",
)
print(pipeline.run(harvest().with_resources("time_entries")))

query = "SELECT user__name, SUM(hours) FROM time_entries GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3"
for name, hours in pipeline.dataset()(query).fetchall():
    print(f"{name:20} {hours:>10.2f} h")
