"""
Bring a working folder up to date with the destination, at the beginning of a run.

The destination's state is authoritative. What the folder holds beyond it is discarded and read
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dlt

from harvest_source.dlt_internals import (
    FOLDER_ERRORS,
    JobClient,
    StateVersion,
    find_foreign_staging,
    find_foreign_table,
    find_last_pipeline,
    iter_incomplete_tables,
    name_dlt_tables,
    read_other_state,
    read_state,
    read_stored_version,
    restore_schema,
    widen_dlt_texts,
)
from harvest_source.errors import DestinationError, printable
from harvest_source.load.state import SOURCE, source_state, take_over_state
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.own_tables import OWN_BY_NAME
from harvest_source.warehouse.own_repair import mend_dlt_tables
from harvest_source.warehouse.pipeline import PipelineFolder
from harvest_source.warehouse.repair import (
    extend_child_tables,
    recreate_own_tables,
    recreate_tables,
)
from harvest_source.warehouse.settings_checks import check_naming
from harvest_source.warehouse.stored_state import is_known, is_overtaken, read_stored
from harvest_source.warehouse.table_format import check_table_format
from harvest_source.warehouse.target import (
    Target,
    refuse_foreign_staging,
    refuse_foreign_table,
    refuse_other_pipeline,
)
from harvest_source.warehouse.upgrade import upgrade


@dataclass(frozen=True, slots=True)
class Found:
    """
    What the destination holds.

    Attributes:
        owner: The pipeline that last loaded our tables there; None if none did.
        stored: The state of this pipeline; None if the destination cannot hold states.
        missing: Harvest's tables that are missing, or lack columns.
    """

    owner: str | None
    stored: StateVersion | None
    missing: Sequence[str]


def restore(
    folder: PipelineFolder, target: Target, endpoints: Sequence[Endpoint] = ()
) -> list[str]:
    """
    Bring *folder* up to date with the destination, and load what an earlier run left behind.

    Args:
        endpoints: The tables that the run loads next.

    Returns:
        Warnings for the user.

    Raises:
        ConfigError: The warehouse belongs to another pipeline, or something of others is in place
            of a table. Nothing changed.
    """
    state, pending = read_state(folder.pipeline), folder.has_pending
    found = _read_destination(folder, target, endpoints)
    warnings = _give_up_unknown(folder, target, found.stored)
    is_anew = bool(warnings)
    warnings += folder.finish_pending()
    if pending:
        # What dlt noted as copied may have been in a DuckDB log that is lost.
        warnings += _give_up_unknown(folder, target, read_stored(folder.pipeline))
    if folder.pipeline.default_schema_name is None:
        restore_schema(folder.pipeline, SOURCE)
    folder.pipeline.sync_destination()
    if is_anew or pending or read_state(folder.pipeline) != state:
        found = _read_destination(folder, target)
    if renamed := upgrade(folder):
        warnings += renamed
        found = _read_destination(folder, target)
    warnings += _take_over(folder, target, found.owner)
    if recreated := recreate_tables(folder, found.missing):
        warnings.append(
            f"Tables or some of their columns are no longer in {target}: {', '.join(recreated)}. "
            "They are created again and read from the beginning."
        )
    if folder.pipeline.default_schema_name is not None:
        extend_child_tables(folder)
    return warnings


def check_owner(
    pipeline: dlt.Pipeline, target: Target, loads: Sequence[Endpoint] | None = None
) -> None:
    """
    Check that the warehouse belongs to this pipeline, or to none yet.

    Args:
        loads: Tables that will be loaded; check also that nothing of others is in their place, or
            in dlt's staging dataset. None: nothing will be loaded.

    Raises:
        ConfigError: It belongs to another pipeline.
    """
    with pipeline.destination_client() as client:
        refuse_other_pipeline(target, find_last_pipeline(client, SOURCE))
        if loads is not None:
            _check_places(pipeline, client, target, loads)


def _check_places(
    pipeline: dlt.Pipeline, client: JobClient, target: Target, endpoints: Sequence[Endpoint]
) -> None:
    """Refuse a dataset with something of others in place of a table that is or will be loaded."""
    names = {*OWN_BY_NAME}
    for each in endpoints:
        names |= {each.name, *each.child_tables}
    if pipeline.default_schema_name is None:
        refuse_foreign_table(target, find_foreign_table(client, SOURCE, names))
    refuse_foreign_staging(target, find_foreign_staging(client, SOURCE, names))


def read_schema(pipeline: dlt.Pipeline) -> dlt.Schema:
    """
    The tables as dlt knows them; an empty schema before the first load.

    Raises:
        DestinationError: The working folder lost its schema after the run began.
    """
    if pipeline.default_schema_name is None:
        return dlt.Schema(SOURCE)
    try:
        return pipeline.default_schema
    except FOLDER_ERRORS as error:
        msg = (
            f"dlt's working folder was removed or damaged while it was in use: {printable(error)}. "
            "What was loaded stays; the next run rebuilds the folder from the destination and goes "
            "on from there."
        )
        raise DestinationError(msg) from error


def _read_destination(
    folder: PipelineFolder, target: Target, loads: Sequence[Endpoint] | None = None
) -> Found:
    """
    Read what the destination holds; create our own tables again if they are missing.

    Args:
        loads: As for :func:`check_owner`.
    """
    pipeline = folder.pipeline
    with pipeline.destination_client() as client:
        widen_dlt_texts(client)
        has_loaded = pipeline.default_schema_name is not None
        schema = read_schema(pipeline) if has_loaded else client.schema
        if has_loaded:
            check_table_format(schema, target)
        names = None if has_loaded else name_dlt_tables(schema)
        incomplete = dict(iter_incomplete_tables(schema, client, names))
        mend_dlt_tables(client, incomplete)
        if loads is not None:  # It reads dlt's tables, which may have lacked columns.
            _check_places(pipeline, client, target, loads)
        owner = find_last_pipeline(client, SOURCE)
        refuse_other_pipeline(target, owner)
        missing: list[str] = []
        if has_loaded:
            check_naming(schema)
            missing = recreate_own_tables(folder, schema, client, incomplete)
        return Found(owner, read_stored_version(pipeline, client), missing)


def _give_up_unknown(
    folder: PipelineFolder, target: Target, stored: StateVersion | None
) -> list[str]:
    """Start anew if what the folder holds is not based on the state *stored*."""
    if stored is None or is_known(folder.pipeline, stored):
        return []
    is_late = folder.has_pending and is_overtaken(folder.pipeline, stored)
    folder.start_anew()
    folder.note_follow_up(True)
    if is_late:
        return [
            "An earlier run on this machine ended before it had loaded the rows that it read, and "
            "another run has loaded since. Those rows were discarded and are read again."
        ]
    return [
        f"{target} is not as the last run left it: it is an older copy, or new. The rows that it "
        "lacks are read again."
    ]


def _take_over(folder: PipelineFolder, target: Target, owner: str | None) -> list[str]:
    """
    Forget this pipeline's cursors, which are out of date, if the warehouse belongs to another.

    What that one's state proves about its rows replaces them. With the load of this state, or the
    next one that stores a state, the warehouse belongs to this pipeline.
    """
    if owner in (None, target.pipeline):
        return []
    if folder.pipeline.default_schema_name is not None:
        with folder.pipeline.destination_client() as client:
            other = source_state(read_other_state(client, owner))
        folder.write_state(lambda state: take_over_state(state, other))
    return [
        f"{target} belonged to pipeline {owner}, and was taken over by {target.pipeline}. Every "
        "table is read again from the beginning, unless this token sees less than the one before."
    ]
