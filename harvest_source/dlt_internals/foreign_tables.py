"""Tables and views of others in place of those that a load would create, change or drop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dlt.common.destination.client import WithStagingDataset
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.dlt_internals.destinations import JobClient
from harvest_source.dlt_internals.staging import (
    SQLALCHEMY,
    count_rows,
    find_tables,
    list_tables,
    spell,
)
from harvest_source.dlt_internals.stored_schemas import find_stored_schema


def find_foreign_table(client: JobClient, source: str, names: Iterable[str]) -> str | None:
    """
    A table or view in the dataset in place of one that a first load would create; None if none is.

    dlt would add columns to it and merge rows into it, also if it is another pipeline's.

    Args:
        source: Name of our schema. If the destination stores it, this is not the first load.
        names: The tables that are loaded next.

    Without the methods of dlt's clients: our own list of tables, by dlt's names.
    """
    if not isinstance(client, SqlJobClientBase):
        return None
    found = find_tables(client)
    taken = _find_taken(client, found, names)
    try:
        if not taken or find_stored_schema(client, source) is not None:
            return None
    except DatabaseException:
        return None  # dlt's own tables are there, and lack columns: a run adds them.
    for name in taken:
        is_ours = found[name] and _has_dlts_columns(client, name) and _may_be_left(client, name)
        if not is_ours:
            return name
    return None


@dataclass(frozen=True, slots=True)
class ForeignStaging:
    """
    What dlt's staging dataset holds of others, and a load would empty and drop.

    Attributes:
        dataset: The staging dataset.
        table: A table or view that dlt did not create; None if another pipeline has loaded into
            the whole dataset.
    """

    dataset: str
    table: str | None = None


def find_foreign_staging(
    client: JobClient, source: str, names: Iterable[str]
) -> ForeignStaging | None:
    """
    What others have in dlt's staging dataset in place of our tables; None if nothing.

    Every load of ours empties tables of the staging dataset, and :func:`drop_staging` drops them.
    dlt creates its table of loads only in datasets that a pipeline loads into.

    Args:
        source: Name of our schema. The tables of the one that the destination stores count too: a
            new working folder does not know them yet.
        names: The tables that are loaded next, beside those that the working folder knows.

    Without the methods of dlt's clients: our own list of tables, by dlt's names.
    """
    if not (isinstance(client, SqlJobClientBase) and isinstance(client, WithStagingDataset)):
        return None
    with client.with_staging_dataset():
        found = find_tables(client)
    if not found:
        return None
    tables = {*names, *list_tables(client.schema)}
    with suppress(DatabaseException):  # Until a run adds columns that dlt's own tables lack.
        stored = find_stored_schema(client, source)
        tables |= {*(list_tables(stored) if stored else ())}
    with client.with_staging_dataset():
        dataset = client.sql_client.dataset_name
        (loads,) = spell(client, client.schema.loads_table_name)
        if loads in found:
            return ForeignStaging(dataset)
        for name in _find_taken(client, found, tables):
            if not _is_made_by_dlt(client, found, name):
                return ForeignStaging(dataset, name)
    return None


def _find_taken(
    client: SqlJobClientBase, found: Iterable[str], names: Iterable[str]
) -> Sequence[str]:
    """Those *found* that stand in the place of the tables *names*, in alphabetical order."""
    # SQLite and MariaDB do not distinguish cases either, and dlt does not say so.
    is_exact = (
        client.capabilities.has_case_sensitive_identifiers
        and client.config.destination_type != SQLALCHEMY
    )
    fold = str if is_exact else str.lower
    normalized = {client.schema.naming.normalize_tables_path(name) for name in names}
    spelled = {fold(name) for name in spell(client, *normalized)} if normalized else set()
    return [name for name in sorted(found) if fold(name) in spelled]


def _is_made_by_dlt(client: SqlJobClientBase, found: Mapping[str, bool], name: str) -> bool:
    """Whether dlt has created the table or view *name*."""
    if not (found[name] and _has_dlts_columns(client, name)):
        return False
    (version,) = spell(client, client.schema.version_table_name)
    return version in found or _may_be_left(client, name)


def _may_be_left(client: SqlJobClientBase, name: str) -> bool:
    """
    Whether a killed load may have left the table *name*, without rows.

    Where each ``CREATE TABLE`` is committed by itself, it can leave tables without
    ``_dlt_version``. SQLite and MariaDB are such databases, whatever dlt says.
    """
    is_sqlalchemy = client.config.destination_type == SQLALCHEMY
    if client.capabilities.supports_ddl_transactions and not is_sqlalchemy:
        return False
    return not count_rows(client, name)


def _has_dlts_columns(client: SqlJobClientBase, name: str) -> bool:
    """Whether a table has columns of dlt's, as all tables of ours have."""
    _, columns = next(iter(client.get_storage_tables([name])))
    return any(column.lower().startswith("_dlt") for column in columns)
