"""Ask harvest_data.duckdb: records, sums and SQL. Run harvest-source sync before."""

from harvest_source import ask

for project in ask.list_records("projects", where=["is_active=true"], limit=3).records():
    print(project["id"], project["name"])
for month in ask.sum_time(["month"]).records():
    print(month["month"], month["currency"], month["hours"], month["amount"])
print(ask.query("SELECT COUNT(*) FROM time_entries").rows)
