"""Copy everything the token may read into harvest_data.duckdb, table by table."""

import sys

from harvest_source import sync

report = sync()
for name, count in report.tables.items():
    print(f"{name:26} {count.rows:>8} read {count.deleted:>6} deleted")
for failure in report.run_log.failures:
    print(f"{failure.table} failed: {failure.error}")
sys.exit(report.exit_code)
