"""Default settings and fixed limits that more than one module needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, TypeAlias

API_URL: Final = "https://api.harvestapp.com/v2"
"""Harvest's API."""

ID_URL: Final = "https://id.getharvest.com"
"""Harvest's identity host: browser sign-in, tokens, list of accounts."""

TOKEN_PATH: Final = "/api/v2/oauth2/token"  # noqa: S105 - a path
"""Path of the token endpoint on the identity host. ``/api/v1/oauth2/token`` answers too."""

PROFILE: Final = "default"
"""Name of the sign-in that is used when no profile is named."""

TableFormat: TypeAlias = Literal["delta", "iceberg"]
"""Formats of tables in files, for dlt's destination ``filesystem``."""

TABLE_FORMATS: Final[tuple[TableFormat, ...]] = ("delta", "iceberg")
"""All of them."""

PAGE_ROWS: Final = 2000
"""Harvest's largest page. A list that fits in one page is read atomically."""

OVERLAP_S: Final = 300
"""Seconds that are read again before each cursor."""

LEAST_OVERLAP_S: Final = 60
"""Smallest overlap: Harvest dates changes in whole seconds, and replicas lag."""

SWEEP_EVERY: Final = timedelta(days=7)
"""How often the children of all parents are read: deleting a child may not move its parent."""

AUDIT_REQUESTS: Final = 20
"""Pages read again per day and account: 200,000 rows in five days, 1,200,000 in thirty."""

KEEP_RUNS_DAYS: Final = 90
"""How long the warehouse keeps a row for each run and each load that changed nothing else."""

PACKAGE_ROWS: Final = 100_000
"""Approximate rows per load package: dlt and DuckDB need memory in proportion."""

SMALL_PACKAGE_ROWS: Final = 59_000
"""
The same in little memory: some 40 MB less. Two such packages, each with part of a page more, fill
one of DuckDB's groups of 122,880 rows. A first load takes two at once.
"""

WINDOW_WORKERS: Final = 8
"""Windows of one list read in parallel: at 300 ms a request, eight use Harvest's limit fully."""

DESTINATION_WAIT_S: Final = 60
"""Seconds to wait for a DuckDB file that another process has open."""

MAX_DELETES: Final = "20%"
"""Largest share of a table that one run may remove, beyond 25 rows."""

DUCKDB: Final = "duckdb"
"""The default destination, and the only one whose database is a file."""

SCOPE_KEYS: Final = frozenset({"tools", "tables", "columns", "rows", "accounts", "sql"})
"""Keys of ``[sources.harvest.scopes.NAME]``, which says what a caller may ask for."""

ISSUER_SCOPE_CLAIM: Final = "scope"
"""Claim of a company's tokens that says what the caller may ask for; words with blanks between."""

ISSUER_PROFILE_CLAIM: Final = "sub"
"""Claim of a company's tokens that says who the caller is; the issuer never gives it twice."""

DATASET: Final = "harvest"
"""Schema that holds the tables."""

PIPELINE: Final = "harvest"
"""dlt pipeline that keeps the cursors."""

SANDBOX_PIPELINE: Final = "harvest_sandbox"
"""dlt pipeline of a run against the sandbox: it would empty the working folder of the account's."""

DATABASE: Final = "harvest_data.duckdb"
"""DuckDB file, in the current folder. Its stem must not be the dataset's name: DuckDB names the
catalog after the file, and ``harvest.time_entries`` would be ambiguous."""

SANDBOX_DATABASE: Final = "harvest_sandbox.duckdb"
"""DuckDB file of a run against the sandbox."""

EARLIER_DATABASE: Final = "harvest.duckdb"
"""The default before; used as long as it holds the dataset and :data:`DATABASE` is absent."""
SANDBOX_DAYS_OFF: Final = {
    "harvest_time_off_task_ids": [8083449, 8083456],
    "harvest_holiday_task_ids": [8083463],
}
"""The tasks on which the simulated consultancy records days off, as variables of the models."""
