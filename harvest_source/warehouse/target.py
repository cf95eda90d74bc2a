"""Where the tables go: a destination, a dataset and, for DuckDB, a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from harvest_source.config.paths import check_database
from harvest_source.defaults import (
    DATABASE,
    DATASET,
    DUCKDB,
    EARLIER_DATABASE,
    PIPELINE,
    PROFILE,
    TableFormat,
)
from harvest_source.dlt_internals import (
    ForeignStaging,
    find_catalog_name,
    is_ambiguous,
    normalize_name,
)
from harvest_source.errors import ConfigError, printable
from harvest_source.next_command import build_command, is_of_sandbox, suggest_sandbox

_INFORMATION_SCHEMA: Final = "information_schema"
_SYSTEM_SCHEMAS: Final = frozenset({_INFORMATION_SCHEMA, "pg_catalog"})
_POSTGRES: Final = frozenset({"postgres", "redshift"})
"""Destinations that reserve all names that begin with pg_."""

_DESTINATION_LENGTH: Final = 200
_PIPELINE_BYTES: Final = 200
"""File systems allow 255; dlt and the lock add endings."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where the tables go.

    Attributes:
        database: File of an embedded destination (DuckDB only).
        warnings: What people should know about the choice.
        takes_over: Whether the pipeline may take the warehouse over from another.
        only_reads: Whether a file is opened for reading, beside other readers.
        table_format: Format of the tables, if the destination is files.
        profile: The sign-in that fills it, for the commands that messages name.
        accounts: The accounts that the caller named in place of the configured ones, for the same.
    """

    destination: str = DUCKDB
    database: Path | None = None
    dataset: str = DATASET
    pipeline: str = PIPELINE
    warnings: tuple[str, ...] = ()
    takes_over: bool = False
    only_reads: bool = False
    table_format: TableFormat | None = None
    profile: str = PROFILE
    accounts: tuple[int, ...] = ()

    @property
    def identity(self) -> str:
        """Two targets with different identities never share a cursor."""
        place = str(self.database.absolute()) if self.database else ""
        return "|".join((self.destination, place, self.dataset))

    @property
    def short_name(self) -> str:
        """The identity as part of a file's or folder's name."""
        return sha256(self.identity.encode()).hexdigest()[:12]

    def check_exists(self, purpose: str = "") -> None:
        """
        Check that the file is there, if the destination is one.

        Args:
            purpose: What the file is for, for the message: ``to verify``.

        Raises:
            ConfigError: It is not.
        """
        if self.database is not None and not self.database.exists():
            what = f"{self.database} {purpose}".rstrip()
            instead = suggest_sandbox(self.database)
            msg = f"There is no warehouse {what}.{instead} Make it: {self.build_command('sync')}"
            raise ConfigError(msg)

    def build_command(self, name: str) -> str:
        """
        Build the command *name* with the options that make it use this target.

        Args:
            name: With options of its own, if it has any: ``verify --fix``.
        """
        # The sandbox has a sign-in and an account of its own.
        is_asked = not is_of_sandbox(self.database, self.pipeline)
        return build_command(
            name,
            destination=self.destination,
            database=self.database,
            dataset=self.dataset,
            pipeline=self.pipeline,
            further=(
                ("table-format", self.table_format if self.destination != DUCKDB else None),
                ("profile", self.profile if is_asked and self.profile != PROFILE else None),
                *(("account", each) for each in self.accounts if is_asked),
            ),
        )

    def __str__(self) -> str:
        return str(self.database) if self.database else f"{self.destination}, {self.dataset}"


def build_target(
    destination: str, database: str | Path | None, dataset: str, pipeline: str
) -> Target:
    """
    Check where the tables are to go, and choose the DuckDB file if none is named.

    Opens a file only to check whether it is an earlier warehouse; creates none.

    Raises:
        ConfigError: A file is given for a destination that has none, or a name cannot be used.
    """
    check_names(destination, database, dataset, pipeline)
    if destination != DUCKDB:
        if database is not None:
            msg = (
                f"--database names a DuckDB file; the destination is {destination[:80]}. Leave it "
                "out, and put that destination's credentials into .dlt/secrets.toml."
            )
            raise ConfigError(msg)
        return Target(destination, None, dataset, pipeline)
    if database is None and _is_earlier_warehouse(dataset):
        warnings = (_describe_earlier(dataset),)
        return Target(destination, Path(EARLIER_DATABASE), dataset, pipeline, warnings)
    path = check_database(DATABASE if database is None else database)
    _check_catalog(path)
    return Target(destination, path, dataset, pipeline, _describe_ambiguity(path, dataset))


def check_names(destination: object, database: object, dataset: object, pipeline: object) -> None:
    """
    Refuse names that are not text, or that a destination or a folder cannot have.

    Raises:
        ConfigError: Says what to write instead.
    """
    _check_types(destination, database, dataset, pipeline)
    _check_names(str(destination), str(dataset), str(pipeline))


def _check_types(destination: object, database: object, dataset: object, pipeline: object) -> None:
    """
    Refuse what a Python caller passes instead of a name, such as dlt's own objects.

    Raises:
        ConfigError: Says what to write instead.
    """
    if not isinstance(destination, str):
        msg = (
            'destination must be the name of a dlt destination as text, such as "duckdb" or '
            f'"postgres", not {type(destination).__name__}. Name a DuckDB file with database=..., '
            "and put other destinations' credentials into .dlt/secrets.toml."
        )
        raise ConfigError(msg)
    if not isinstance(database, str | Path | None):
        msg = f"database must be the path of a DuckDB file, not {type(database).__name__}."
        raise ConfigError(msg)
    for name, value in (("dataset", dataset), ("pipeline", pipeline)):
        if not isinstance(value, str):
            msg = f"{name} must be a name as text, not {type(value).__name__}. Write {name}=NAME."
            raise ConfigError(msg)


def _check_names(destination: str, dataset: str, pipeline: str) -> None:
    """
    Refuse the name of a database's own schema as dataset, and a pipeline name unfit for a folder.

    Raises:
        ConfigError: Names it, and what to choose.
    """
    if not destination.isprintable() or len(destination) > _DESTINATION_LENGTH:
        raise ConfigError(explain_unknown(destination))
    if not re.fullmatch(r"[\w-]+", pipeline):
        msg = (
            f"--pipeline is {pipeline[:80]!a}. It names a folder: letters, digits, - and _ only. "
            "Nothing was read and nothing changed."
        )
        raise ConfigError(msg)
    if not dataset.strip():
        msg = f"--dataset is empty. Give it a name, or leave it out to use {DATASET}."
        raise ConfigError(msg)
    size = len(pipeline.encode())
    if size > _PIPELINE_BYTES:
        msg = (
            f"--pipeline is a name of {size} bytes ({pipeline[:20]}...), too long for the folder "
            "that dlt names after it. Nothing was read and nothing changed. Choose a name of at "
            f"most {_PIPELINE_BYTES} bytes."
        )
        raise ConfigError(msg)
    if not dataset.isprintable():
        msg = (
            f"--dataset is {dataset[:80]!a}, with characters that a name cannot have. Choose "
            "another name."
        )
        raise ConfigError(msg)
    name = re.sub(r"\W", "_", dataset.lower())  # As dlt normalizes it.
    is_postgres = destination in _POSTGRES and name.startswith("pg_")
    if name in _SYSTEM_SCHEMAS or is_postgres:
        msg = (
            f"--dataset {printable(dataset, limit=80)} is a system schema of {destination}, in "
            "which no table can be made. Nothing was read and nothing changed. Choose another "
            f"name; the default is {DATASET}."
        )
        raise ConfigError(msg)


def _check_catalog(path: Path) -> None:
    """
    Refuse a file whose name DuckDB would confuse with its own schema, because it names the
    catalog after the file.

    Raises:
        ConfigError: Names it, and what to choose.
    """
    if find_catalog_name(str(path)).lower() == _INFORMATION_SCHEMA:
        msg = (
            f"--database is {printable(path, limit=80)}. DuckDB cannot distinguish a catalog of "
            f"that name from its schema {_INFORMATION_SCHEMA}. Nothing was read and nothing "
            f"changed. Name another file, such as {DATABASE}."
        )
        raise ConfigError(msg)


def explain_unknown(destination: str) -> str:
    """The message for a name that no destination of dlt has."""
    return (
        f"There is no dlt destination {destination[:80]!r}. The default is duckdb; others are "
        "named as dlt names them: postgres, bigquery, snowflake, ... See docs/destinations.md"
    )


def refuse_other_pipeline(target: Target, owner: str | None) -> None:
    """
    Refuse a warehouse that another pipeline loads into: each would remove the other's rows.

    Args:
        owner: The pipeline to which the warehouse belongs; None if it belongs to none.

    Raises:
        ConfigError: Names both pipelines, and the command to take the warehouse over.
    """
    if owner in (None, target.pipeline) or target.takes_over:
        return
    msg = (
        f"{target} belongs to pipeline {printable(owner, limit=80)}, and this run uses pipeline "
        f"{target.pipeline}. Each would remove rows that the other has loaded. No table was read "
        f"and nothing changed. Run it with --pipeline {printable(owner, limit=80)}, or choose "
        "another --dataset. To hand the warehouse over permanently, after which every table is "
        f"read again: {target.build_command('sync --take-over')}"
    )
    raise ConfigError(msg)


def refuse_foreign_table(target: Target, name: str | None) -> None:
    """
    Refuse to load for the first time into a dataset with a table of others in place of one of ours.

    Args:
        name: A table or view that this pipeline did not create; None if nothing is in the way.

    Raises:
        ConfigError: Names it, and what to choose.
    """
    if name is None:
        return
    name = printable(name, limit=80)
    msg = (
        f"Dataset {target.dataset} of {target.database or target.destination} has a table or view "
        f"{name}, and no sync into it has been recorded. The rows of Harvest's {name} would be "
        "mixed with what is there. No table was read and nothing changed. Choose another "
        f"--dataset; or move or drop {name}, then run again."
    )
    raise ConfigError(msg)


def refuse_foreign_staging(target: Target, foreign: ForeignStaging | None) -> None:
    """
    Refuse to use as dlt's staging dataset one that holds what is not dlt's: rows would be lost.

    Args:
        foreign: What it holds; None if nothing is in the way.

    Raises:
        ConfigError: Names it, and the setting that chooses another staging dataset.
    """
    if foreign is None:
        return
    staging = printable(foreign.dataset, limit=80)
    setting = f"DESTINATION__{target.destination.upper()}__STAGING_DATASET_NAME_LAYOUT=%s_loading"
    found = "another pipeline has loaded its own tables into that one. They"
    remedy = "Choose another --dataset for one of the two"
    if foreign.table is not None:
        name = printable(foreign.table, limit=80)
        found = f"that one has a table or view {name} that dlt did not create. It"
        remedy = f"Move {name} into another schema"
    msg = (
        f"dlt merges rows into dataset {target.dataset} through a staging dataset, {staging}, and "
        f"{found} would be emptied and dropped. No table was read and nothing changed. {remedy}, "
        f"or choose another staging dataset: {setting}"
    )
    raise ConfigError(msg)


def _is_earlier_warehouse(dataset: str) -> bool:
    """Whether the current folder has a warehouse only under the earlier default name."""
    earlier = Path(EARLIER_DATABASE)
    if Path(DATABASE).exists() or not earlier.exists():
        return False
    # This imports DuckDB, which a run postpones until it has asked Harvest whose token it has.
    from harvest_source.warehouse.duckdb_file import may_hold_dataset

    return may_hold_dataset(earlier, dataset)


def _describe_earlier(dataset: str) -> str:
    return (
        f"{EARLIER_DATABASE} is used: it holds dataset {dataset}, and there is no {DATABASE} "
        f"here. Close it everywhere and rename it to {DATABASE}, together with "
        f"{EARLIER_DATABASE}.wal if that exists. DuckDB names the catalog after the file and "
        "cannot distinguish it from a dataset of the same name: in a file with another name, "
        f"{dataset}.time_entries works as written."
    )


def _describe_ambiguity(path: Path, dataset: str) -> tuple[str, ...]:
    catalog = find_catalog_name(str(path))
    if not is_ambiguous(catalog, dataset):
        return ()
    dataset = normalize_name(dataset)
    return (
        f"DuckDB names the catalog of {path} {catalog}, and it cannot distinguish dataset "
        f"{dataset} from a catalog of that name: queries have to say "
        f"{catalog}.{dataset}.time_entries, and views may not work. Name another file with "
        "--database, or another --dataset.",
    )
