"""Default settings and fixed limits that more than one module needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, TypeAlias

API_URL: Final = "https://api.harvestapp.com/v2"
"""Harvest's API."""

ID_URL: Final = "https://id.getharvest.com"
"""Harvest's identity host: browser sign-in, tokens and the list of accounts."""

TOKEN_PATH: Final = "/api/v2/oauth2/token"  # noqa: S105 - a path
"""Path of the token endpoint on the identity host. ``/api/v1/oauth2/token`` works too."""

PROFILE: Final = "default"
"""Name of the sign-in that is used when no profile is named."""
SECTION: Final = "sources.harvest"
"""The section of the settings, unless a dlt source is cloned with another name."""

TableFormat: TypeAlias = Literal["delta", "iceberg"]
"""Table format for dlt's ``filesystem`` destination."""

TABLE_FORMATS: Final[tuple[TableFormat, ...]] = ("delta", "iceberg")
"""All values of :data:`TableFormat`."""

PAGE_ROWS: Final = 2000
"""Harvest's largest page. A list that fits in one page is read atomically."""

OVERLAP_S: Final = 300
"""Seconds before each cursor that are read again."""

LEAST_OVERLAP_S: Final = 60
"""Smallest overlap allowed: Harvest dates changes in whole seconds, and replicas lag."""

SWEEP_EVERY: Final = timedelta(days=7)
"""
How often the children of all parents are read: deleting a child may leave its parent's
``updated_at`` unchanged.
"""

AUDIT_REQUESTS: Final = 20
"""Pages read again per day and account: 200,000 rows in five days, 1,200,000 in thirty."""

KEEP_RUNS_DAYS: Final = 90
"""How long the warehouse keeps a row for each run, and for each load no other row refers to."""

PACKAGE_ROWS: Final = 100_000
"""Approximate rows per load package: dlt and DuckDB need memory in proportion to it."""

SMALL_PACKAGE_ROWS: Final = 59_000
"""
:data:`PACKAGE_ROWS` when memory is scarce: saves about 40 MB. Two such packages, each of which may
run over by part of a page, fill one DuckDB row group of 122,880 rows. A first load takes two at
once.
"""

WINDOW_WORKERS: Final = 8
"""Windows of one list read in parallel: at 300 ms a request, eight exhaust the rate limit."""

DESTINATION_WAIT_S: Final = 60
"""Seconds to wait for a DuckDB file that another process has open."""

MAX_DELETES: Final = "20%"
"""Largest share of a table that one run may remove, beyond 25 rows."""

DUCKDB: Final = "duckdb"
"""The default destination, and the only one whose database is a file."""

SCOPE_KEYS: Final = frozenset({"tools", "tables", "columns", "rows", "accounts", "sql"})
"""Keys of ``[sources.harvest.scopes.NAME]``, which defines what a caller may ask for."""

ISSUER_SCOPE_CLAIM: Final = "scope"
"""Claim in a company's tokens that lists what the caller may ask for, separated by spaces."""

ISSUER_PROFILE_CLAIM: Final = "sub"
"""Claim in a company's tokens that identifies the caller; the issuer never reuses a value."""

DATASET: Final = "harvest"
"""Database schema that holds the tables."""

PIPELINE: Final = "harvest"
"""dlt pipeline that keeps the cursors."""

SANDBOX_PIPELINE: Final = "harvest_sandbox"
"""dlt pipeline of a sandbox run, which would otherwise empty the real account's working folder."""

DATABASE: Final = "harvest_data.duckdb"
"""DuckDB file, in the current folder. Its stem must not be the dataset's name: DuckDB names the
catalog after the file, and ``harvest.time_entries`` would be ambiguous."""

SANDBOX_DATABASE: Final = "harvest_sandbox.duckdb"
"""DuckDB file of a sandbox run."""

EARLIER_DATABASE: Final = "harvest.duckdb"
"""The former default; used as long as it holds the dataset and :data:`DATABASE` is absent."""
SANDBOX_DAYS_OFF: Final = {
    "harvest_time_off_task_ids": [8083449, 8083456],
    "harvest_holiday_task_ids": [8083463],
}
"""Tasks on which the simulated consultancy records days off, as variables for the models."""
