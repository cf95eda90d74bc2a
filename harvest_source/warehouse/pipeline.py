"""
dlt's pipeline and its working folder: attaching, starting anew, what waits there to be loaded.

The working folder keeps cursors, schemas and load packages. The destination keeps cursors and
schemas too, with the rows they belong to, so a folder can always be made anew from there. Where the
two differ the destination is right: the folder may be an old copy, or another machine has loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.pipeline.exceptions import CannotRestorePipelineException

from harvest_source.dlt_internals import (
    FOLDER_ERRORS,
    ConfigurationException,
    StatefulPipeline,
    build_duckdb,
    drop_staging,
    find_destination,
    find_pipelines_folder,
    prune_loaded_packages,
    read_state,
    read_state_number,
    remember_database,
    supports_merge,
)
from harvest_source.errors import BusyError, ConfigError, DestinationError, counted
from harvest_source.load.state import own_state
from harvest_source.memory import release_memory, spare_memory
from harvest_source.warehouse.failures import build_settings_error, may_pass
from harvest_source.warehouse.settings_checks import check_pipeline, check_settings
from harvest_source.warehouse.stored_state import is_known, read_local, read_stored
from harvest_source.warehouse.table_format import choose_table_format
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.working_folder import find_folder

UNTOUCHED: Final = "Nothing was read and nothing changed."

KEPT_PACKAGES: Final = 5
"""Loaded packages whose description dlt keeps in the working folder, 0.2 MB each."""

_STAGED: Final = "harvest_source_staged"
_OWED: Final = "harvest_source_owed"
_SETTLED: Final = "harvest_source_settled"
"""Number of the state that nothing is owed for."""
_IDENTITY: Final = "harvest_source_warehouse"
_ATTACHED: Final = "harvest_source_attached"
_MERGE: Final = "delete-insert"


class PipelineFolder:
    """
    The pipeline of one target, attached to its working folder.

    Attributes:
        pipeline: dlt's object; another one after :meth:`start_anew`.
    """

    def __init__(self, target: Target, on_warning: Callable[[str], None]) -> None:
        """
        Attach, unless the folder is damaged or belongs to another warehouse: then start anew.

        Raises:
            ConfigError: No such destination, or it lacks settings.
            DestinationError: The folder cannot be used.
        """
        self._target = target
        self._warn = on_warning
        self.pipeline = attach(self._target, self._warn)

    @property
    def has_pending(self) -> bool:
        """Whether packages of an earlier run wait to be loaded."""
        return bool(self.pipeline.has_pending_data)

    @property
    def owes(self) -> bool:
        """Whether a load still awaits what follows it, whichever run loaded, plain dlt's too."""
        number = read_state_number(read_state(self.pipeline))
        return (
            bool(read_local(self.pipeline, _OWED)) or read_local(self.pipeline, _SETTLED) != number
        )

    def owe(self, owes: bool) -> None:
        """Remember whether a load awaits what follows it."""
        if self.owes != owes:
            self.pipeline.set_local_state_val(_OWED, owes)
            if not owes:
                number = read_state_number(read_state(self.pipeline))
                self.pipeline.set_local_state_val(_SETTLED, number)

    @property
    def is_staged(self) -> bool:
        """Whether dlt's staging dataset may exist: so it is until it was dropped after a load."""
        return read_local(self.pipeline, _STAGED) is not False

    def _note_staged(self, is_staged: bool) -> None:
        if self.is_staged != is_staged:
            self.pipeline.set_local_state_val(_STAGED, is_staged)

    def drop_staging(self) -> None:
        """
        Drop dlt's staging dataset if it may exist, and no package waits that may need its rows.

        Raises:
            DestinationException: The destination refused. The next run tries again.
        """
        if not self.is_staged or self.has_pending or self.pipeline.default_schema_name is None:
            return
        with self.pipeline.destination_client() as client:
            drop_staging(client)
        self._note_staged(False)

    def describe_kept(self) -> str:
        """What a failure leaves behind: a sentence for a message."""
        if self.has_pending:
            return "What was read waits in dlt's working folder; the next run loads it first."
        return "Nothing is lost: the next run reads it again."

    def start_anew(self) -> None:
        """Empty the working folder. It is restored from the destination."""
        self.pipeline.drop()
        self.pipeline = attach(self._target, self._warn)

    def load(self, data: Any = None) -> list[str]:
        """
        Load *data*, or what waits in the folder when there is none. The only way to load.

        A load has happened when no job failed. dlt must not decide that: with its setting
        ``load.raise_on_failed_jobs`` off it notes a package with failed jobs as loaded, its cursors
        included.

        Args:
            data: A source or resource of dlt; None: the packages that are waiting.

        Returns:
            The ids of the load packages.

        Raises:
            BusyError: Another run has loaded since this one began. What was read is given up.
            DestinationError: A job failed, or packages of an earlier run wait to be loaded.
        """
        pipeline = self.pipeline
        if data is not None:
            if self.has_pending:
                msg = "Packages of an earlier load wait in dlt's working folder; they come first."
                raise DestinationError(msg)
            spare_memory()
            pipeline.extract(data)
            release_memory()  # Rows are in files now.
        pipeline.normalize()
        self._check_base()
        self._note_staged(True)
        if (info := pipeline.load()) is None:
            return []
        failed = [job for package in info.load_packages for job in package.jobs["failed_jobs"]]
        if failed:
            tables = ", ".join(sorted({job.job_file_info.table_name for job in failed}))
            msg = f"{counted(len(failed), 'job')} of a load failed: {tables}."
            raise DestinationError(msg)
        prune_loaded_packages(pipeline, KEPT_PACKAGES)
        return list(info.loads_ids)

    def _check_base(self) -> None:
        """Refuse to load onto a state that another run has stored meanwhile."""
        if not self.has_pending or is_known(self.pipeline, read_stored(self.pipeline)):
            return
        self.start_anew()
        msg = (
            f"Another run has loaded into {self._target} while this one read, from another machine "
            "or another working folder. What this run has not loaded yet was given up; the next "
            "run reads it again. Let only one run at a time load into a warehouse."
        )
        raise BusyError(msg)

    def write_state(self, change: Callable[[dict[str, Any]], None]) -> None:
        """
        Store a change of our source's state in the folder and at the destination, in one load.

        Nothing is loaded when *change* changes nothing.

        Args:
            change: Gets the state of our source, to be changed in place.

        Raises:
            DestinationError: The destination refused. The change waits to be loaded.
        """
        if self.pipeline.default_schema_name is None:
            msg = "Nothing was loaded yet, so there is no state that could be changed."
            raise DestinationError(msg)
        with self.pipeline.managed_state(extract_state=True) as state:
            change(own_state(state))
        if self.has_pending:
            self.load()

    def finish_pending(self) -> list[str]:
        """
        Load what an earlier run left behind; give it up if it can never load.

        Rows of a package that is given up are read again: dlt restores the cursors with it.

        Returns:
            Warnings for the user.
        """
        if not self.has_pending:
            return []
        try:
            if self._was_killed_while_loading():
                self.pipeline.abort_packages()
                return ["An earlier run was killed while it loaded; its rows are read again."]
            self.owe(True)
            self.load()
        except BusyError:
            raise
        except Exception as error:
            if may_pass(self._target, error):
                raise
            self.give_up_pending()
            return [
                "An unfinished load of an earlier run could not be completed and was given up; "
                "its rows are read again."
            ]
        return []

    def give_up_pending(self) -> None:
        """Abort what is pending; start anew if dlt cannot even read it."""
        try:
            self.pipeline.abort_packages()
        except Exception as error:
            if may_pass(self._target, error):
                raise
            self.start_anew()

    def _was_killed_while_loading(self) -> bool:
        """
        Whether files were being copied when the run ended.

        A copy may have been complete without dlt knowing. dlt would copy it to the staging table a
        second time, and its merge of tables with children then keeps both of each row.
        """
        pipeline = self.pipeline
        return any(
            pipeline.get_load_package_info(load_id).jobs["started_jobs"]
            for load_id in pipeline.list_normalized_load_packages()
        )


def attach(target: Target, on_warning: Callable[[str], None]) -> dlt.Pipeline:
    """
    Attach to the folder if it was made for this very target; empty it otherwise.

    Cursors of one database must never be used for another: dlt would find the older database
    behind and trust the folder. A folder that plain dlt used does not say which database it was
    made for.

    Raises:
        ConfigError: No such destination, or it lacks settings.
        DestinationError: The folder cannot be used.
    """
    check_settings(target)
    destination = build_destination(target)
    try:
        pipeline = _attach_if_whole(target, destination)
        if pipeline is None:
            shutil.rmtree(find_folder(target) / target.pipeline)
            on_warning(
                "dlt's working folder was damaged, by a full disk perhaps. It is made anew from "
                "what the destination holds."
            )
            pipeline = _attach(target, destination)
        if read_local(pipeline, _IDENTITY) != target.identity:
            pipeline.drop()
            pipeline = _attach(target, destination)
            # What the last load was followed by is not known here.
            pipeline.set_local_state_val(_OWED, True)
        check_pipeline(pipeline, target)
        pipeline.set_local_state_val(_IDENTITY, target.identity)
        if target.database is not None:
            remember_database(pipeline, str(target.database.absolute()))
        return pipeline
    except ConfigurationException as error:
        raise build_settings_error(target, error) from error
    except OSError as error:
        msg = (
            f"dlt's working folder cannot be used: {error}. {UNTOUCHED} Make it writable, or name "
            "another folder for all of dlt's files with DLT_DATA_DIR."
        )
        raise DestinationError(msg) from error


def _attach_if_whole(target: Target, destination: Any) -> dlt.Pipeline | None:
    """The pipeline; None when state or schemas of the working folder cannot be read."""
    try:
        pipeline = _attach(target, destination)
        for name in pipeline.schema_names:
            _ = pipeline.schemas[name]
        _ = pipeline.has_pending_data
    except FOLDER_ERRORS:
        return None
    return pipeline


def _attach(target: Target, destination: Any) -> dlt.Pipeline:
    pipeline = dlt.pipeline(
        target.pipeline,
        pipelines_dir=str(find_folder(target)),
        destination=destination,
        dataset_name=target.dataset,
        _impl_cls=StatefulPipeline,
    )
    # Otherwise dlt stores no state at the destination, and nothing would tell whether rows and
    # cursors belong together.
    pipeline.config.restore_from_destination = True
    return pipeline


def build_destination(target: Target) -> Any:
    """
    dlt's destination of *target*.

    Raises:
        ConfigError: dlt has no such destination, or it cannot merge.
    """
    if target.database is not None:
        # dlt would take a relative path from the folder its pipeline was first run in.
        return build_duckdb(str(target.database.absolute()), read_only=target.only_reads)
    if (found := find_destination(target.destination)) is None:
        msg = (
            f"There is no dlt destination {target.destination[:80]!r}. The default is duckdb; "
            "others are named as dlt names them: postgres, bigquery, snowflake, ... "
            "See docs/destinations.md"
        )
        raise ConfigError(msg)
    choose_table_format(found, target)
    if not supports_merge(found, _MERGE):
        msg = (
            f"Destination {target.destination[:80]} cannot replace rows: dlt would append each one "
            "again whenever it is read. Sync to a database (duckdb is the default), or write files "
            "from Python, where you say how: pipeline.run(harvest(), ...)."
        )
        raise ConfigError(msg)
    return found


def attach_existing(target: Target, *, read_only: bool) -> dlt.Pipeline | None:
    """
    The pipeline of a warehouse that exists, for reading; None: it has loaded nothing there.

    A working folder that this makes remembers the DuckDB file, so that dlt's own ``attach`` and its
    dashboard find it; one that loads was told by what loads.

    Args:
        read_only: Open a DuckDB file for reading.

    Raises:
        ConfigError: The destination lacks settings.
    """
    destination = find_destination(target.destination)
    if target.database is not None:
        destination = build_duckdb(str(target.database.absolute()), read_only=read_only)
    folder = find_folder(target)
    is_new = not (folder / target.pipeline).is_dir()
    try:
        pipeline = dlt.attach(
            target.pipeline,
            pipelines_dir=str(folder),
            destination=destination,
            dataset_name=target.dataset,
        )
    except CannotRestorePipelineException:
        return None
    except ConfigurationException as error:
        raise build_settings_error(target, error) from error
    if target.database is not None and (is_new or read_local(pipeline, _ATTACHED)):
        pipeline.set_local_state_val(_ATTACHED, True)
        remember_database(pipeline, str(target.database.absolute()))
    return pipeline


def read_identity(pipeline: str) -> Target | None:
    """Where a sync of this *pipeline* on this machine loaded last; None: it is not known."""
    if not (find_pipelines_folder() / pipeline).is_dir():
        return None
    try:
        known = dlt.attach(pipeline, pipelines_dir=str(find_pipelines_folder()))
        destination, _, rest = read_local(known, _IDENTITY).partition("|")
    except (CannotRestorePipelineException, AttributeError, *FOLDER_ERRORS):
        return None  # A folder of plain dlt, or a damaged one.
    place, _, dataset = rest.rpartition("|")
    return Target(destination, Path(place) if place else None, dataset, pipeline)
