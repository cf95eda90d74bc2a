"""
Every use of dlt's internal or undocumented API. No other package of the project may use it.

Each docstring says why we need that API; its "Without ...:" sentence says what to do when dlt
changes or removes it. ``tests/unit/test_dlt_internals.py`` checks each use against the installed
dlt within seconds; ``pyproject.toml`` admits only the minor versions of dlt that passed. Documented
API, such as ``dlt.source``, ``dlt.mark`` or ``Pipeline.get_local_state_val``, is used where it is
needed. Other packages import from this package, not from its modules.
"""

from __future__ import annotations

from harvest_source.dlt_internals.destinations import (
    INNER_ERRORS,
    ConfigurationException,
    DestinationException,
    DestinationTransientException,
    JobClient,
    MissingDependencyException,
    SqlClient,
    delaying_interrupts,
    failed_to_connect,
    find_destination,
    find_failed_table,
    find_merge_strategies,
    is_of_sqlalchemy,
    limit_clause,
    supports_merge,
)
from harvest_source.dlt_internals.duckdb_client import (
    NamingDuckDB,
    build_duckdb,
    find_catalog_name,
    is_ambiguous,
    use_naming_duckdb,
)
from harvest_source.dlt_internals.extraction import (
    build_load_id,
    compute_tables,
    contract_allows_table,
    find_active_destination,
    find_active_pipeline,
    find_load_id,
)
from harvest_source.dlt_internals.foreign_tables import (
    ForeignStaging,
    find_foreign_staging,
    find_foreign_table,
)
from harvest_source.dlt_internals.imports import avoid_sqlalchemy, defer_requests
from harvest_source.dlt_internals.loaded_packages import prune_loaded_packages
from harvest_source.dlt_internals.malformed import explain_malformed, find_unusable_runtime
from harvest_source.dlt_internals.mysql_texts import use_long_texts, widen_dlt_texts
from harvest_source.dlt_internals.names import normalize_name
from harvest_source.dlt_internals.open_tables import (
    OpenTables,
    find_open_table,
    find_row_key,
    find_table_format,
    is_open_tables,
)
from harvest_source.dlt_internals.private_files import (
    committing,
    create_duckdb_file,
    create_duckdb_log,
)
from harvest_source.dlt_internals.renaming import (
    find_stored_columns,
    rename_in_schema,
    spell_as_stored,
    store_schema,
)
from harvest_source.dlt_internals.row_steps import LastStep, has_row_steps
from harvest_source.dlt_internals.settings import (
    NAMING_ERRORS,
    FoundSetting,
    find_setting,
    find_unreadable_files,
    has_other_naming,
    is_secret_hint,
    iter_config_files,
    iter_config_sections,
    iter_config_values,
    log_warning,
)
from harvest_source.dlt_internals.source_settings import (
    ValueNotSecretException,
    fill_spec,
    find_source_section,
    find_source_setting,
    is_to_resolve,
)
from harvest_source.dlt_internals.staging import drop_staging
from harvest_source.dlt_internals.state import (
    FOLDER_ERRORS,
    NO_STATE,
    StatefulPipeline,
    StateVersion,
    find_last_pipeline,
    find_pipelines_folder,
    make_private,
    mark_restored,
    read_expected_version,
    read_other_state,
    read_pending_base,
    read_state,
    read_state_number,
    read_stored_version,
    remember_database,
)
from harvest_source.dlt_internals.stored_schemas import restore_schema
from harvest_source.dlt_internals.tables import (
    add_columns,
    create_tables,
    create_unrecorded,
    drop_dataset,
    find_root,
    find_table,
    has_any_dataset,
    has_dataset,
    has_received_rows,
    has_table,
    iter_array_tables,
    iter_incomplete_tables,
    name_dlt_tables,
    sql_client_of,
)

__all__ = [
    "FOLDER_ERRORS",
    "INNER_ERRORS",
    "NAMING_ERRORS",
    "NO_STATE",
    "ConfigurationException",
    "DestinationException",
    "DestinationTransientException",
    "ForeignStaging",
    "FoundSetting",
    "JobClient",
    "LastStep",
    "MissingDependencyException",
    "NamingDuckDB",
    "OpenTables",
    "SqlClient",
    "StateVersion",
    "StatefulPipeline",
    "ValueNotSecretException",
    "add_columns",
    "avoid_sqlalchemy",
    "build_duckdb",
    "build_load_id",
    "committing",
    "compute_tables",
    "contract_allows_table",
    "create_duckdb_file",
    "create_duckdb_log",
    "create_tables",
    "create_unrecorded",
    "defer_requests",
    "delaying_interrupts",
    "drop_dataset",
    "drop_staging",
    "explain_malformed",
    "failed_to_connect",
    "fill_spec",
    "find_active_destination",
    "find_active_pipeline",
    "find_catalog_name",
    "find_destination",
    "find_failed_table",
    "find_foreign_staging",
    "find_foreign_table",
    "find_last_pipeline",
    "find_load_id",
    "find_merge_strategies",
    "find_open_table",
    "find_pipelines_folder",
    "find_root",
    "find_row_key",
    "find_setting",
    "find_source_section",
    "find_source_setting",
    "find_stored_columns",
    "find_table",
    "find_table_format",
    "find_unreadable_files",
    "find_unusable_runtime",
    "has_any_dataset",
    "has_dataset",
    "has_other_naming",
    "has_received_rows",
    "has_row_steps",
    "has_table",
    "is_ambiguous",
    "is_of_sqlalchemy",
    "is_open_tables",
    "is_secret_hint",
    "is_to_resolve",
    "iter_array_tables",
    "iter_config_files",
    "iter_config_sections",
    "iter_config_values",
    "iter_incomplete_tables",
    "limit_clause",
    "log_warning",
    "make_private",
    "mark_restored",
    "name_dlt_tables",
    "normalize_name",
    "prune_loaded_packages",
    "read_expected_version",
    "read_other_state",
    "read_pending_base",
    "read_state",
    "read_state_number",
    "read_stored_version",
    "remember_database",
    "rename_in_schema",
    "restore_schema",
    "spell_as_stored",
    "sql_client_of",
    "store_schema",
    "supports_merge",
    "use_long_texts",
    "use_naming_duckdb",
    "widen_dlt_texts",
]
