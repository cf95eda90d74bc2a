"""Copy everything the token may read into harvest.duckdb, table by table."""

import sys

from harvest_source import sync

report = sync()

for name, count in report.tables.items():
    print(f"{name:26} {count.rows:>8} read {count.deleted:>6} deleted")
for skip in report.run_log.skipped:
    print(f"{skip.table} was skipped: {skip.reason}")
for failure in report.run_log.failures:
    print(f"{failure.table} failed: {failure.error}")

sys.exit(report.exit_code)
