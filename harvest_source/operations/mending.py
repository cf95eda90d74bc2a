"""Mend what a verification found: read it again, and remove what Harvest no longer has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harvest_source.auth.sessions import Session
from harvest_source.extract.options import Reread
from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import Slice
from harvest_source.operations.audit import mend_account
from harvest_source.operations.comparisons import COUNTED, Comparison, find_root_table, find_windows
from harvest_source.operations.exclusion_marks import exclude_lacking_columns
from harvest_source.operations.loading import load_rereads
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import ReadStrategy
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.removal import end_versions_of_removed


def mend(workspace: Workspace, differing: Sequence[Comparison]) -> None:
    """
    Read what *differing* names again, and remove what is gone, account by account.

    The rows of one account keep the columns that those of another lack.

    Raises:
        DestinationError: The destination refused.
    """
    for session in workspace.open_sessions():
        ours = [each for each in differing if each.account_id == session.account_id]
        if ours:
            _mend_account(exclude_lacking_columns(workspace, session.account_id), session, ours)


def _mend_account(workspace: Workspace, session: Session, differing: Sequence[Comparison]) -> None:
    whole = [each for each in differing if _is_whole(each)]
    if others := [each for each in differing if each not in whole]:
        _mend_slices(workspace, session, others)
        _mend_children(workspace, others)
    # After array elements without a row were removed: the row brings its own.
    if whole:
        places = [(find_root_table(each), each.account_id) for each in whole]
        load_rereads(workspace, {place: Reread() for place in places})


def _is_whole(each: Comparison) -> bool:
    """Whether the comparison is of a table that is read whole, or of an array of its rows."""
    endpoint = BY_NAME.get(find_root_table(each))
    return endpoint is not None and endpoint.strategy is ReadStrategy.WHOLE


def _mend_slices(workspace: Workspace, session: Session, ours: Sequence[Comparison]) -> None:
    slices: dict[str, list[Slice]] = defaultdict(list)
    counted: dict[str, list[Comparison]] = defaultdict(list)
    for each in ours:
        if each.check in COUNTED:
            counted[each.table].append(each)
        # A row that has another day here is neither extra nor missing, so it is read again.
        is_dated = each.check == "ids" and BY_NAME[each.table].window is not None
        if is_dated or each.check not in COUNTED | {"orphans"}:
            table = each.table.removesuffix("_history")
            slices[table] += [part for part in each.slices if part not in slices[table]]
    orphaned = [each.table for each in ours if each.check == "orphans"]
    windows = {table: find_windows(some) for table, some in counted.items()}
    mend_account(workspace, session, slices, windows, orphaned)
    for each in ours:
        if each.check == "open versions":
            endpoint = BY_NAME[each.table.removesuffix("_history")]
            with workspace.warehouse.sql() as sql:
                end_versions_of_removed(sql, endpoint, session.account_id, now=workspace.now())


def _mend_children(workspace: Workspace, differing: Sequence[Comparison]) -> None:
    parents: dict[Place, list[int]] = defaultdict(list)
    for each in differing:
        for table, parent in each.children:
            parents[table, each.account_id].append(parent)
    if parents:
        rereads = {place: Reread(parents=tuple(ids)) for place, ids in parents.items()}
        load_rereads(workspace, rereads)
