"""dlt's working folder, and the state that dlt keeps there and in the destination."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.pipeline import StateInjectableContext, get_dlt_pipelines_dir
from dlt.common.schema.exceptions import SchemaException
from dlt.common.schema.utils import normalize_schema_name
from dlt.common.storages.exceptions import StorageException
from dlt.common.versioned_state import decompress_state, json_decode_state
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.state_sync import migrate_state_to_current

from harvest_source.dlt_internals.destinations import JobClient
from harvest_source.dlt_internals.open_tables import is_open_tables
from harvest_source.dlt_internals.read_schemas import read_schemas_once
from harvest_source.dlt_internals.state_files import find_last_in_files, read_state_in_files
from harvest_source.dlt_internals.stored_schemas import DltNames, find_stored_schema
from harvest_source.sql import statements
from harvest_source.sql.conditions import AllOf, Condition, Equals, InTable

FOLDER_ERRORS: Final = (ValueError, KeyError, TypeError, SchemaException, StorageException)
"""
What dlt raises on a working folder with empty, truncated or missing files.

Found by damaging each file (``tests/integration/test_healing.py``); dlt has no own error for it.
"""


_PRIVATE: Final = 0o700
_DATABASE: Final = "duckdb_database"
"""The key in dlt's state that holds the path of a DuckDB file."""


def find_pipelines_folder() -> Path:
    """
    The folder that holds the working folder of each pipeline.

    Needed to place the lock beside a working folder, and to remove a folder that dlt cannot open.
    Without it: ``dlt.pipeline(...).pipelines_dir``, which needs a folder that dlt can open.
    """
    return Path(get_dlt_pipelines_dir())


def remember_database(pipeline: dlt.Pipeline, path: str) -> None:
    """
    Let ``dlt.attach`` and dlt's command line find the DuckDB file of *pipeline*.

    dlt does not store a path that it was given: ``dlt.attach("harvest")``, and with it dlt's
    dashboard, would open or create ``harvest.duckdb`` in the folder of the first run. This key
    comes from an earlier dlt; dlt still reads it (``legacy_db_path``). Without it: document that
    users set ``DESTINATION__DUCKDB__CREDENTIALS``.
    """
    try:
        known = pipeline.get_local_state_val(_DATABASE)
    except KeyError:
        known = None
    if known != path:
        pipeline.set_local_state_val(_DATABASE, path)


def mark_restored(pipeline: dlt.Pipeline) -> None:
    """
    Mark the state of *pipeline* as already compared with the destination's.

    ``Pipeline.run`` would ask the destination again. Without the flag: leave it out; a run costs
    one more query.
    """
    pipeline._state_restored = True


def read_state(pipeline: dlt.Pipeline) -> Any:
    """The state of *pipeline*; do not change it. Read again only if its file has changed."""
    return pipeline.read_state() if isinstance(pipeline, StatefulPipeline) else pipeline.state


@dataclass(frozen=True, slots=True)
class StateVersion:
    """
    Identifies a pipeline's state in the destination.

    Attributes:
        digest: dlt's hash of the state's content; empty if the destination holds no state.
        number: Increases with each load package that has a state; None if not known.
    """

    digest: str = ""
    number: int | None = None

    def is_same(self, other: StateVersion) -> bool:
        """Whether both are the same state, as far as is known."""
        numbers = {self.number, other.number} - {None}
        return self.digest == other.digest and (not self.digest or len(numbers) < 2)


NO_STATE: Final = StateVersion()
"""Version of a destination into which no package with a state was loaded."""


def read_state_number(state: Any) -> int:
    """
    Number of a pipeline's state; each load package with a changed state increases it.

    The key is part of dlt's stored format. Without it: count the rows of ``_dlt_pipeline_state``.
    """
    return int(state["_state_version"])


def read_expected_version(state: Any) -> StateVersion:
    """
    The state that the destination should hold according to *state* of a working folder.

    Packages that wait in the folder count as loaded. dlt keeps the hash of the state that it last
    put into a package or took from the destination. The keys are internal. Without them: store
    version and hash in our own local value, after each load and each restoration.
    """
    digest = state["_local"].get("_last_extracted_hash") or ""
    is_current = digest == state.get("_version_hash")
    return StateVersion(digest, read_state_number(state) if is_current else None)


def read_pending_base(pipeline: dlt.Pipeline) -> StateVersion | None:
    """
    The state on which the oldest waiting package is based: the destination's at that time.

    Returns:
        The version; None if it is not known, or no package waits.

    dlt keeps a copy of the state in each package, to restore it when the package is aborted.
    Without it: abort every package of an earlier run, and read its rows again.
    """
    stores = (
        pipeline._get_load_storage().normalized_packages,
        pipeline._get_normalize_storage().extracted_packages,
    )
    waiting = [*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()]
    oldest = min(waiting, default="")
    for store in stores:
        if oldest and store.can_restore_pipeline_state(oldest):
            copy, _ = store.load_pipeline_state(oldest)
            return NO_STATE if copy is None else read_expected_version(json_decode_state(copy))
    return None


def read_stored_version(pipeline: dlt.Pipeline, client: JobClient) -> StateVersion | None:
    """
    The state of *pipeline* in the destination; None if the destination cannot hold states.

    ``Pipeline.sync_destination`` reads it too, but replaces the local state with it.
    """
    if not isinstance(client, WithStateSync):
        return None
    try:
        stored = _read_stored_state(pipeline.pipeline_name, client)
    except DestinationUndefinedEntity:
        return NO_STATE
    if stored is None:
        return NO_STATE
    return StateVersion(stored["_version_hash"], read_state_number(stored))


def read_other_state(client: JobClient, pipeline: str) -> Mapping[str, Any]:
    """
    The state that a *pipeline* of another name has in the destination; empty if it has none.

    Without ``decompress_state``: take nothing over, and read all tables as if they were new.
    """
    if not isinstance(client, WithStateSync):
        return {}
    try:
        return _read_stored_state(pipeline, client) or {}
    except DestinationUndefinedEntity:
        return {}


def find_last_pipeline(client: JobClient, schema: str) -> str | None:
    """
    Name of the pipeline that last loaded a state together with rows of *schema*.

    Returns:
        The name; None if there is none, or the destination has neither SQL nor open tables.

    Without dlt's tables ``_dlt_pipeline_state`` and ``_dlt_loads``: our own table.
    """
    if is_open_tables(client):
        return find_last_in_files(client, schema)
    if not isinstance(client, SqlJobClientBase):
        return None
    try:
        row = _select_state(client, "pipeline_name", "schema_name", schema, "_dlt_load_id")
    except DestinationUndefinedEntity:
        return None
    return None if row is None else str(row[0])


def make_private(folder: Path) -> None:
    """Let only its owner enter the working folder at *folder*: its packages hold rows."""
    with suppress(OSError):  # Some file systems have no permissions.
        folder.chmod(_PRIVATE)


class StatefulPipeline(dlt.Pipeline):
    """
    dlt's pipeline, but it restores the newest state and schemas, may have any name, and its working
    folder is private.

    dlt 1.31 takes the state of the load with the highest id, and the schema that was stored last.
    Both are timestamps: if two machines load in turn, the one whose clock is ahead would hide what
    the other has loaded since. This class takes the highest number of each. Also, a client
    requested before the first load gets a schema with the pipeline's name, but ``my-pipe``,
    ``2026`` and names of more than 64 letters are invalid schema names. ``_impl_cls`` of
    ``dlt.pipeline`` and the methods are internal. Without them: what dlt restores, only letters in
    names, and a folder that is made private after dlt has opened it.
    """

    _known: tuple[tuple[int, int, int], Any] | None = None
    """What identifies the content of the state file, and the state that was read from it."""

    def _configure(self, *given: Any, **named: Any) -> None:
        super()._configure(*given, **named)
        read_schemas_once(self)

    def _create_pipeline(self) -> None:
        """
        Create the working folder, in which nothing is yet, for its owner alone.

        dlt removes and creates it again whenever it starts anew. A folder that is there passes on
        its permissions, if it can pass on its group too.
        """
        folder = Path(self.working_dir)
        before = folder.stat() if folder.is_dir() else None
        super()._create_pipeline()
        make_private(folder)
        if before is not None and os.name == "posix":
            with suppress(OSError):  # The user is not a member of the group.
                os.chown(folder, -1, before.st_gid)
                folder.chmod(stat.S_IMODE(before.st_mode))

    def _get_schema_or_create(self, schema_name: str | None = None) -> dlt.Schema:
        if schema_name or self.default_schema_name:
            return super()._get_schema_or_create(schema_name)
        with self._maybe_destination_capabilities():
            return dlt.Schema(normalize_schema_name(self.pipeline_name))

    def get_local_state_val(self, key: str) -> Any:
        """Return a value of the state that is being changed, or else of the state file."""
        if StateInjectableContext in self._container:
            return super().get_local_state_val(key)
        return self.read_state()["_local"][key]

    def read_state(self) -> Any:
        """
        Return the state as the file has it. All callers share it and must not change it.

        dlt 1.31 reads, parses and migrates the whole file for each value of it: sixty times in a
        run, and the file grows with the number of accounts. dlt writes a new file beside the old
        one and renames it, so that changed content has a new inode. Without the attributes:
        :attr:`state`.
        """
        try:
            found = Path(self._pipeline_storage.make_full_path(self.STATE_FILE)).stat()
        except FileNotFoundError:
            return self.state
        mark, known = (found.st_ino, found.st_mtime_ns, found.st_size), self._known
        if known is None or known[0] != mark:
            self._known = known = mark, self.state
        return known[1]

    def _save_state(self, state: Any) -> None:
        # If the file changes twice within one clock tick, the second may reuse the first's inode.
        self._known = None
        super()._save_state(state)
        self._known = None

    def _restore_state_from_destination(self) -> Any:
        with self._maybe_destination_capabilities():
            schema = dlt.Schema(normalize_schema_name(self.pipeline_name))
        with self._get_destination_clients(schema)[0] as client:
            if not isinstance(client, WithStateSync):
                return None
            return _read_stored_state(self.pipeline_name, client)

    def _get_schemas_from_destination(self, *given: Any, **named: Any) -> list[dlt.Schema]:
        restored = list(super()._get_schemas_from_destination(*given, **named))
        if not restored:
            return restored
        with self._get_destination_clients(restored[0])[0] as client:
            return [find_stored_schema(client, each.name) or each for each in restored]


def _read_stored_state(pipeline: str, client: Any) -> Any | None:
    """Read the state with the highest number among completed loads; None if there is none."""
    if is_open_tables(client):
        text = read_state_in_files(client, pipeline)
    elif not isinstance(client, SqlJobClientBase):
        stored = client.get_stored_state(pipeline)
        text = stored.state if stored else None
    else:
        row = _select_state(client, "state", "pipeline_name", pipeline, "version")
        text = row[0] if row else None
    return None if text is None else migrate_state_to_current(pipeline, decompress_state(text))


def _select_state(
    client: SqlJobClientBase, column: str, key: str, value: str, newest: str
) -> Any | None:
    """
    Select *column* of the newest row of dlt's state table whose load is complete.

    Args:
        key: Column that must equal *value*.
        newest: Column whose highest value makes a row the newest.
    """
    sql, schema = client.sql_client, client.schema
    is_complete: list[Condition] = [Equals("status", 0)]
    conditions: list[Condition] = []
    (is_complete if key == "schema_name" else conditions).append(Equals(key, value))
    loads = InTable("_dlt_load_id", schema.loads_table_name, "load_id", AllOf(*is_complete))
    query, parameters = statements.select(
        DltNames(client),
        schema.state_table_name,
        AllOf(*conditions, loads),
        (column,),
        order_by=dict.fromkeys((newest, "_dlt_load_id")),
        descending=True,
        limit=sql._limit_clause_sql(1),
    )
    with sql.execute_query(query, *parameters) as cursor:
        return cursor.fetchone()
