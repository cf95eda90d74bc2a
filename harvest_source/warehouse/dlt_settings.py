"""
dlt's own settings: which may differ, which a sync overrides, and which it refuses.

They come from the environment, ``.dlt/config.toml`` and dlt's other providers, and are often meant
for another program: ``REFRESH`` and ``PROGRESS`` are common names. Some would break what a sync
promises. ``tests/unit/warehouse/test_dlt_settings.py`` compares :data:`SECTIONS` with the settings
of the installed dlt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Rule(Enum):
    """What a sync does about a setting of dlt."""

    FREE = "may differ"
    OVERRIDDEN = "overridden"
    REFUSED = "refused"


def _never(_: Any) -> bool:
    return False


def _is_on(value: Any) -> bool:
    return str(value).strip().lower() in {"1", "t", "true", "on", "y", "yes"}


def _is_count(value: Any) -> bool:
    text = str(value).strip()
    return text.isascii() and text.isdigit() and int(text) > 0


def _is_off(value: Any) -> bool:
    return not str(value).strip() or str(value).strip().lower() in {
        "0",
        "f",
        "false",
        "off",
        "n",
        "no",
    }


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting, or several that are alike, separated by commas.

    Attributes:
        why: What it would change, or why it changes nothing that a sync promises; a sentence
            without its capital and its full stop, for messages that go on.
        instead: What to use instead of a refused setting.
        is_harmless: Whether a value of a refused setting is accepted all the same.
    """

    names: str
    rule: Rule
    why: str
    instead: str = ""
    is_harmless: Callable[[Any], bool] = _never


@dataclass(frozen=True, slots=True)
class Section:
    """
    The settings of one section.

    Attributes:
        name: The section in ``config.toml``; ``NAME`` stands for the pipeline or destination.
        places: The most specific sections in which dlt looks; it then tries those above them.
        inner: Section that always follows; empty if there is none.
    """

    name: str
    settings: tuple[Setting, ...]
    places: tuple[tuple[str, ...], ...] = ()
    inner: str = ""


def _free(names: str, why: str) -> Setting:
    return Setting(names, Rule.FREE, why)


def _overridden(names: str, why: str) -> Setting:
    return Setting(names, Rule.OVERRIDDEN, why)


def _refused(
    names: str, why: str, instead: str, is_harmless: Callable[[Any], bool] = _never
) -> Setting:
    return Setting(names, Rule.REFUSED, why, instead, is_harmless)


_SPEED: Final = "this changes only how fast a run is"
_WORKERS: Final = _refused(
    "workers",
    "dlt needs a whole number of at least 1",
    "The defaults suit most machines.",
    _is_count,
)
_IMPORTED: Final = _refused(
    "import_schema_path",
    "an imported schema can change types, keys and how rows are merged",
    "Columns to leave out: exclude, under [sources.harvest].",
)
_EXPORTED: Final = _free("export_schema_path", "dlt writes a copy of the schema to a file")
_WRITERS: Final = (("normalize",), ("extract",), ("sources", "harvest"))

SECTIONS: Final = (
    Section(
        "pipelines.NAME",
        (
            _refused(
                "refresh",
                "dlt would empty or drop every table that a run reads",
                "To read everything again: harvest-source sync --full-refresh.",
            ),
            _refused(
                "dev_mode, full_refresh",
                "every run would begin anew, in a dataset of its own",
                "To load into another dataset: --dataset NAME.",
                _is_off,
            ),
            _refused(
                "dataset_name_layout",
                "the tables would be in another dataset than the one asked for",
                "To name the dataset: --dataset NAME.",
                lambda value: value == "%s",
            ),
            _refused(
                "use_single_dataset",
                "the tables could be in another dataset than the one asked for",
                "To name the dataset: --dataset NAME.",
                _is_on,
            ),
            _refused(
                "progress",
                "dlt would print its progress among the output of the command",
                "A sync shows its own progress, unless --quiet.",
                _is_off,
            ),
            _IMPORTED,
            _overridden(
                "restore_from_destination",
                "it is always on, because the cursors are stored with the rows",
            ),
            _overridden("pipeline_name", "`--pipeline` names the pipeline"),
            _overridden("pipelines_dir", "`DLT_DATA_DIR` decides where working folders are"),
            _overridden(
                "destination_type, destination_name", "`--destination` names the destination"
            ),
            _overridden("dataset_name", "`--dataset` names the dataset"),
            _free("staging_type, staging_name", "the files of a load may pass through a bucket"),
            _EXPORTED,
            _free("pipeline_salt", "a sync does not use this"),
            _free("enable_runtime_trace", "dlt may record its own steps"),
        ),
        (("pipelines", "NAME"),),
    ),
    Section(
        "load",
        (
            _refused(
                "raise_on_failed_jobs",
                "dlt would count a load as done although rows of it are missing",
                "Leave it out: a sync fails when a job fails, and reads those rows again.",
                _is_on,
            ),
            _WORKERS,
            _free("parallelism_strategy, pool_type, start_method, run_sleep", _SPEED),
            _free("raise_on_max_retries", "it is how often dlt tries a job"),
            _free("auto_abort_on_terminal_error", "a sync gives up such a package in any case"),
            _free(
                "start_new_jobs_on_signal",
                "on Ctrl-C a run may end only after the whole load",
            ),
            _free(
                "truncate_staging_dataset, delete_completed_jobs",
                "they change only how much of the disk a load takes",
            ),
            _overridden("load_volume_path", "its place is the working folder of the pipeline"),
        ),
        (("load",),),
    ),
    Section(
        "extract",
        (
            _free(
                "workers, max_parallel_items, futures_poll_interval, copy_on_fork, next_item_mode",
                "they change only how fast plain dlt reads: `sync` reads with threads of its own",
            ),
        ),
        (("sources", "harvest"),),
        "extract",
    ),
    Section(
        "normalize",
        (
            _WORKERS,
            _free("pool_type, start_method, run_sleep", _SPEED),
            _overridden("normalize_volume_path", "its place is the working folder of the pipeline"),
        ),
        (("normalize",),),
    ),
    Section(
        "normalize.json_normalizer",
        (
            _refused(
                "add_dlt_id, add_dlt_load_id",
                "rows would lack the columns that child rows and loads are found by",
                "Leave it out.",
                _is_on,
            ),
        ),
        (("normalize",),),
        "json_normalizer",
    ),
    Section(
        "normalize.parquet_normalizer",
        (
            _refused(
                "add_dlt_id, add_dlt_load_id",
                "dlt would add columns that existing tables lack, and could not load them",
                "Leave it out: every row has its _dlt_load_id.",
                _is_off,
            ),
        ),
        (("normalize",),),
        "parquet_normalizer",
    ),
    Section(
        "normalize.model_normalizer",
        (_free("add_dlt_id, add_dlt_load_id", "a sync does not use this"),),
    ),
    Section(
        "schema",
        (
            _free(
                "naming",
                "a new warehouse may have another naming that keeps our names; an existing one "
                "keeps its own, and a run with another is refused",
            ),
            _refused(
                "json_normalizer",
                "another normalizer can name or nest child tables otherwise",
                "Leave it out.",
            ),
            _refused(
                "use_break_path_on_normalize",
                "columns such as client__id would get other names",
                "Leave it out.",
                _is_on,
            ),
            _IMPORTED,
            _EXPORTED,
            _free(
                "allow_identifier_change_on_table_with_data",
                "the names of our tables and columns never change",
            ),
            _free(
                "external_schema_format, external_schema_format_remove_defaults",
                "they are about an exported schema",
            ),
            _overridden("schema_volume_path", "its place is the working folder of the pipeline"),
        ),
        (("sources", "harvest"),),
        "schema",
    ),
    Section(
        "data_writer",
        (
            _refused(
                "coerce_timestamps",
                "instants would lose fractions of a second",
                "Leave it out.",
                lambda value: str(value) in {"us", "ns"},
            ),
            _refused(
                "timestamp_timezone, flavor",
                "instants would be stored without their zone or in another one",
                "Leave it out: a client chooses the zone in which it shows them.",
            ),
            _free(
                "buffer_max_items, file_max_items, file_max_bytes, disable_compression",
                "they change only the size of the files that are loaded",
            ),
            _free(
                "version, compression, data_page_size, row_group_size, allow_truncated_timestamps, "
                "use_compliant_nested_type, write_page_index, use_content_defined_chunking, "
                "supports_dictionary_encoding, arrow_concat_promote_options",
                "they change only how the parquet files that are loaded are written",
            ),
            _free(
                "delimiter, include_header, quoting, lineterminator, encoding, encoding_errors, "
                "on_error_continue",
                "no csv file is loaded, because csv cannot tell empty text from null",
            ),
        ),
        _WRITERS,
        "data_writer",
    ),
    Section(
        "destination.NAME",
        (
            _free(
                "credentials, environment, destination_name",
                "they say where the destination is and how to connect to it",
            ),
            _overridden("destination_type", "`--destination` names the destination"),
            _free(
                "staging_dataset_name_layout",
                "any name will do, except for that of the dataset itself, which is refused",
            ),
            _free(
                "enable_dataset_name_normalization",
                "the last line of a run names the dataset as the destination spells it",
            ),
            _free("replace_strategy", "a sync never has dlt replace a table"),
            _free("info_tables_query_threshold", _SPEED),
            _free(
                "staging_config, truncate_tables_on_staging_destination_before_load",
                "they are about files that pass through a bucket",
            ),
        ),
    ),
    Section(
        "runtime",
        (
            _free("dlthub_telemetry, dlthub_telemetry_endpoint", "they are about dlt's telemetry"),
            _free(
                "dlthub_telemetry_segment_write_key, sentry_dsn, dlthub_dsn",
                "they are about dlt's telemetry",
            ),
            _free(
                "log_level, log_format",
                "they are about dlt's log, of which `--debug` sets the level",
            ),
            _free("slack_incoming_hook", "a sync does not use this"),
            _free("intercept_signals", "a sync ends in order on Ctrl-C in any case"),
            _free(
                "request_timeout, request_max_attempts, request_backoff_factor, "
                "request_max_retry_delay, http_show_error_body, http_max_error_body_length",
                "no request to Harvest is sent through dlt",
            ),
            _free(
                "pipeline_name, run_id, config_files_storage_path", "they are names in dlt's log"
            ),
        ),
    ),
    Section(
        "providers",
        (
            _free(
                "enable_airflow_secrets, enable_google_secrets, enable_aws_secrets, "
                "airflow_secrets, google_secrets, aws_secrets",
                "they say where settings come from",
            ),
        ),
    ),
)
"""dlt's settings by section. Settings of single destinations are not listed; they may differ."""


def iter_refused() -> Iterator[tuple[Section, Setting]]:
    """Yield the settings that are refused, each with its section."""
    for section in SECTIONS:
        for setting in section.settings:
            if setting.rule is Rule.REFUSED:
                yield section, setting
