"""Reading tables and loading what arrives, package by package."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from harvest_source.extract.options import Reread
from harvest_source.load.packages import PackageBuilder
from harvest_source.operations.workspace import Workspace


def load_tables(workspace: Workspace) -> list[str]:
    """
    Read every table of every account, load it, and create the tables that no row created.

    Returns:
        The ids of the load packages.

    Raises:
        DestinationError: The destination refused; the package stays pending.
    """
    builder = _create_builder(workspace)
    feeds = builder.build_feeds(workspace.sessions.account_ids())
    load_ids: list[str] = []
    with closing(workspace.extraction.iter_packages(feeds)) as packages:
        for batches in packages:
            load_ids += workspace.warehouse.load(builder.build_source(batches))
    if builder.has_unmade:
        load_ids += workspace.warehouse.load(builder.build_source([]))
    return load_ids


def load_rereads(workspace: Workspace, rereads: Mapping[tuple[str, int], Reread]) -> None:
    """
    Read *rereads* (by table and account) whatever the cursors say, which stay where they are.

    Raises:
        DestinationError: The destination refused; the package stays pending.
    """
    options = replace(workspace.extraction.options, rereads=rereads, full_refresh=False)
    extraction = replace(workspace.extraction, options=options)
    names = {name for name, _ in rereads}
    endpoints = tuple(each for each in workspace.endpoints if each.name in names)
    builder = _create_builder(replace(workspace, endpoints=endpoints))
    feeds = builder.build_feeds(workspace.sessions.account_ids())
    wanted = [feed for feed in feeds if (feed.endpoint.name, feed.account_id) in rereads]
    with closing(extraction.iter_packages(wanted)) as packages:
        for batches in packages:
            workspace.warehouse.load(builder.build_source(batches))


def _create_builder(workspace: Workspace) -> PackageBuilder:
    options, warehouse = workspace.extraction.options, workspace.warehouse
    return PackageBuilder(
        workspace.endpoints,
        options.exclude,
        warehouse.schema,
        warehouse.source_state,
        options.history,
    )
