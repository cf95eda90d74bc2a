"""
dlt's own settings: which may differ, which a sync overrides, and which it refuses.

They come from the environment, ``.dlt/config.toml`` and dlt's other providers, and are often meant
for another program: ``REFRESH`` and ``PROGRESS`` are common names. Some would break what a sync
promises. ``tests/unit/warehouse/test_dlt_settings.py`` compares :data:`SECTIONS` with the settings
of the installed dlt.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import get_all_start_methods
from typing import Final

from harvest_source.warehouse.setting_rules import (
    Rule,
    SectionRules,
    SettingRule,
    free,
    is_count,
    is_off,
    is_on,
    overridden,
    refused,
)

_SPEED: Final = "this changes only how fast a run is"
_WORKERS: Final = refused(
    "workers",
    "dlt needs a whole number of at least 1",
    "The defaults suit most machines.",
    is_count,
)
_START_METHOD: Final = refused(
    "start_method",
    "Python has no such way to start processes on this system",
    f"It can be {' or '.join(get_all_start_methods())}.",
    lambda value: str(value) in get_all_start_methods(),
)
_IMPORTED: Final = refused(
    "import_schema_path",
    "an imported schema can change types, keys and how rows are merged",
    "Columns to leave out: exclude, under [sources.harvest].",
)
_EXPORTED: Final = free("export_schema_path", "dlt writes a copy of the schema to a file")
_PARQUET_VERSIONS: Final = ("1.0", "2.4", "2.6")
_WRITERS: Final = (("normalize",), ("extract",), ("sources", "harvest"))

SECTIONS: Final = (
    SectionRules(
        "pipelines.NAME",
        (
            refused(
                "refresh",
                "dlt would empty or drop every table that a run reads",
                "To read everything again: {reread}",
            ),
            refused(
                "dev_mode, full_refresh",
                "every run would begin anew, in a dataset of its own",
                "To load into another dataset: --dataset NAME.",
                is_off,
            ),
            refused(
                "dataset_name_layout",
                "the tables would be in another dataset than the one asked for",
                "To name the dataset: --dataset NAME.",
                lambda value: value == "%s",
            ),
            refused(
                "use_single_dataset",
                "the tables could be in another dataset than the one asked for",
                "To name the dataset: --dataset NAME.",
                is_on,
            ),
            refused(
                "progress",
                "dlt would print its progress among the output of the command",
                "A sync shows its own progress, unless --quiet.",
                is_off,
            ),
            _IMPORTED,
            overridden(
                "restore_from_destination",
                "it is always on, because the cursors are stored with the rows",
            ),
            overridden("pipeline_name", "`--pipeline` names the pipeline"),
            overridden("pipelines_dir", "`DLT_DATA_DIR` decides where working folders are"),
            overridden(
                "destination_type, destination_name", "`--destination` names the destination"
            ),
            overridden("dataset_name", "`--dataset` names the dataset"),
            free("staging_type, staging_name", "the files of a load may pass through a bucket"),
            _EXPORTED,
            free("pipeline_salt", "a sync does not use this"),
            free("enable_runtime_trace", "dlt may record its own steps"),
        ),
        (("pipelines", "NAME"),),
    ),
    SectionRules(
        "load",
        (
            refused(
                "raise_on_failed_jobs",
                "dlt would count a load as done although rows of it are missing",
                "Leave it out: a sync fails when a job fails, and reads those rows again.",
                is_on,
            ),
            _WORKERS,
            _START_METHOD,
            free("parallelism_strategy, pool_type, run_sleep", _SPEED),
            free("raise_on_max_retries", "it is how often dlt tries a job"),
            free("auto_abort_on_terminal_error", "a sync gives up such a package in any case"),
            free(
                "start_new_jobs_on_signal",
                "on Ctrl-C a run may end only after the whole load",
            ),
            free(
                "truncate_staging_dataset, delete_completed_jobs",
                "they change only how much of the disk a load takes",
            ),
            overridden("load_volume_path", "its place is the working folder of the pipeline"),
        ),
        (("load",),),
    ),
    SectionRules(
        "extract",
        (
            free(
                "workers, max_parallel_items, futures_poll_interval, copy_on_fork, next_item_mode",
                "they change only how fast plain dlt reads: `sync` reads with threads of its own",
            ),
        ),
        (("sources", "harvest"),),
        "extract",
    ),
    SectionRules(
        "normalize",
        (
            _WORKERS,
            _START_METHOD,
            free("pool_type, run_sleep", _SPEED),
            overridden("normalize_volume_path", "its place is the working folder of the pipeline"),
        ),
        (("normalize",),),
    ),
    SectionRules(
        "normalize.json_normalizer",
        (
            refused(
                "add_dlt_id, add_dlt_load_id",
                "rows would lack the columns that child rows and loads are found by",
                "Leave it out.",
                is_on,
            ),
        ),
        (("normalize",),),
        "json_normalizer",
    ),
    SectionRules(
        "normalize.parquet_normalizer",
        (
            refused(
                "add_dlt_id, add_dlt_load_id",
                "dlt would add columns that existing tables lack, and could not load them",
                "Leave it out: every row has its _dlt_load_id.",
                is_off,
            ),
        ),
        (("normalize",),),
        "parquet_normalizer",
    ),
    SectionRules(
        "normalize.model_normalizer",
        (free("add_dlt_id, add_dlt_load_id", "a sync does not use this"),),
        (("normalize",),),
        "model_normalizer",
    ),
    SectionRules(
        "schema",
        (
            free(
                "naming",
                "a new warehouse may have another naming that keeps our names; an existing one "
                "keeps its own, and a run with another is refused",
            ),
            refused(
                "json_normalizer",
                "another normalizer can name or nest child tables otherwise",
                "Leave it out.",
            ),
            refused(
                "use_break_path_on_normalize",
                "columns such as client__id would get other names",
                "Leave it out.",
                is_on,
            ),
            _IMPORTED,
            _EXPORTED,
            free(
                "allow_identifier_change_on_table_with_data",
                "the names of our tables and columns never change",
            ),
            free(
                "external_schema_format, external_schema_format_remove_defaults",
                "they are about an exported schema",
            ),
            overridden("schema_volume_path", "its place is the working folder of the pipeline"),
        ),
        (("sources", "harvest"),),
        "schema",
    ),
    SectionRules(
        "data_writer",
        (
            refused(
                "coerce_timestamps",
                "instants would lose fractions of a second",
                "Leave it out.",
                lambda value: str(value) in {"us", "ns"},
            ),
            refused(
                "timestamp_timezone, flavor",
                "instants would be stored without their zone or in another one",
                "Leave it out: a client chooses the zone in which it shows them.",
            ),
            free(
                "buffer_max_items, file_max_items, file_max_bytes, disable_compression",
                "they change only the size of the files that are loaded",
            ),
            refused(
                "version",
                "parquet has no such version",
                f"It can be {' or '.join(_PARQUET_VERSIONS)}.",
                lambda value: str(value) in _PARQUET_VERSIONS,
            ),
            refused(
                "row_group_size",
                "dlt needs a whole number of at least 1",
                "The default suits most machines.",
                is_count,
            ),
            free(
                "compression, data_page_size, allow_truncated_timestamps, "
                "use_compliant_nested_type, write_page_index, use_content_defined_chunking, "
                "supports_dictionary_encoding, arrow_concat_promote_options",
                "they change only how the parquet files that are loaded are written",
            ),
            free(
                "delimiter, include_header, quoting, lineterminator, encoding, encoding_errors, "
                "on_error_continue",
                "no csv file is loaded, because csv cannot tell empty text from null",
            ),
        ),
        _WRITERS,
        "data_writer",
    ),
    SectionRules(
        "destination.NAME",
        (
            free(
                "credentials, environment, destination_name",
                "they say where the destination is and how to connect to it",
            ),
            overridden("destination_type", "`--destination` names the destination"),
            free(
                "staging_dataset_name_layout",
                "any name will do, except that of a dataset with loaded tables, which is refused",
            ),
            free(
                "enable_dataset_name_normalization",
                "the last line of a run names the dataset as the destination spells it",
            ),
            free("replace_strategy", "a sync never has dlt replace a table"),
            free("info_tables_query_threshold", _SPEED),
            free(
                "staging_config, truncate_tables_on_staging_destination_before_load",
                "they are about files that pass through a bucket",
            ),
        ),
        (("destination", "NAME"),),
    ),
    SectionRules(
        "runtime",
        (
            free("dlthub_telemetry, dlthub_telemetry_endpoint", "they are about dlt's telemetry"),
            free(
                "dlthub_telemetry_segment_write_key, sentry_dsn, dlthub_dsn",
                "they are about dlt's telemetry",
            ),
            free(
                "log_level, log_format",
                "they are about dlt's log, of which `--debug` sets the level",
            ),
            free("slack_incoming_hook", "a sync does not use this"),
            free("intercept_signals", "a sync ends in order on Ctrl-C in any case"),
            free(
                "request_timeout, request_max_attempts, request_backoff_factor, "
                "request_max_retry_delay, http_show_error_body, http_max_error_body_length",
                "no request to Harvest is sent through dlt",
            ),
            free("pipeline_name, run_id, config_files_storage_path", "they are names in dlt's log"),
        ),
        ((),),
        "runtime",
    ),
    SectionRules(
        "providers",
        (
            free(
                "enable_airflow_secrets, enable_google_secrets, enable_aws_secrets, "
                "airflow_secrets, google_secrets, aws_secrets",
                "they say where settings come from",
            ),
        ),
    ),
)
"""dlt's settings by section. Settings of single destinations are not listed; they may differ."""


def iter_settings() -> Iterator[tuple[SectionRules, str]]:
    """Yield the name of every setting that dlt looks for, with its section."""
    for section in SECTIONS:
        for setting in section.settings if section.places else ():
            for name in setting.names.split(", "):
                yield section, name


def iter_refused() -> Iterator[tuple[SectionRules, SettingRule]]:
    """Yield the settings that are refused, each with its section."""
    for section in SECTIONS:
        for setting in section.settings:
            if setting.rule is Rule.REFUSED:
                yield section, setting
