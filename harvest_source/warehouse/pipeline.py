"""
dlt's pipeline and its working folder: attach to it, start anew, and load what waits there.

The working folder keeps cursors, schemas and load packages. The destination keeps cursors and
schemas too, with the rows they belong to, so a folder can always be restored from there. Where the
two differ the destination is right: the folder may be an old copy, or another machine has loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.pipeline.exceptions import CannotRestorePipelineException, PipelineStepFailed

from harvest_source.dlt_internals import (
    FOLDER_ERRORS,
    ConfigurationException,
    StatefulPipeline,
    build_duckdb,
    drop_staging,
    find_destination,
    find_pipelines_folder,
    make_private,
    prune_loaded_packages,
    read_state,
    read_state_number,
    remember_database,
)
from harvest_source.errors import BusyError, DestinationError, counted
from harvest_source.load.state import own_state
from harvest_source.memory import release_memory, release_memory_if_scarce
from harvest_source.warehouse.destination import build_destination
from harvest_source.warehouse.failures import (
    as_destination_error,
    build_settings_error,
    is_temporary,
)
from harvest_source.warehouse.settings_checks import check_pipeline, check_settings
from harvest_source.warehouse.stored_state import is_known, read_local, read_stored
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.working_folder import (
    empty_folder,
    explain_unusable,
    find_folder,
    protect_folder,
)

UNTOUCHED: Final = "Nothing was read and nothing changed."

KEPT_PACKAGES: Final = 5
"""Loaded packages whose folders are kept in the working folder, 0.2 MB each."""

_STAGED: Final = "harvest_source_staged"
_FOLLOW_UP: Final = "harvest_source_owed"
_SETTLED: Final = "harvest_source_settled"
"""Number of the state whose load needs no more follow-up."""
_IDENTITY: Final = "harvest_source_warehouse"
_ATTACHED: Final = "harvest_source_attached"


class PipelineFolder:
    """
    The pipeline of one target, attached to its working folder.

    Attributes:
        pipeline: dlt's pipeline object; :meth:`start_anew` replaces it.
    """

    def __init__(self, target: Target, on_warning: Callable[[str], None]) -> None:
        """
        Attach to the folder. Start anew if it is damaged or belongs to another warehouse.

        Raises:
            ConfigError: There is no such destination, or it lacks settings.
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
    def needs_follow_up(self) -> bool:
        """Whether a load of any run, also of plain dlt, still needs its follow-up work."""
        number = read_state_number(read_state(self.pipeline))
        return (
            bool(read_local(self.pipeline, _FOLLOW_UP))
            or read_local(self.pipeline, _SETTLED) != number
        )

    def note_follow_up(self, is_needed: bool) -> None:
        """Record whether a load needs follow-up work."""
        if self.needs_follow_up != is_needed:
            self.pipeline.set_local_state_val(_FOLLOW_UP, is_needed)
            if not is_needed:
                number = read_state_number(read_state(self.pipeline))
                self.pipeline.set_local_state_val(_SETTLED, number)

    @property
    def is_staged(self) -> bool:
        """Whether dlt's staging dataset may exist: true until it was dropped after a load."""
        return read_local(self.pipeline, _STAGED) is not False

    def _note_staged(self, is_staged: bool) -> None:
        if self.is_staged != is_staged:
            self.pipeline.set_local_state_val(_STAGED, is_staged)

    def drop_staging(self) -> None:
        """
        Drop dlt's staging dataset if it may exist, unless a package waits that may need its rows.

        Raises:
            DestinationException: The destination refused. The next run tries again.
        """
        if not self.is_staged or self.has_pending or self.pipeline.default_schema_name is None:
            return
        with self.pipeline.destination_client() as client:
            drop_staging(client)
        self._note_staged(False)

    def describe_kept(self) -> str:
        """Say what became of the data after a failure: a sentence for a message."""
        if self.has_pending:
            return "The rows wait in dlt's working folder; the next run loads them first."
        return "Nothing is lost: the next run reads it again."

    def start_anew(self) -> None:
        """Empty the working folder, which is then restored from the destination."""
        self.pipeline.drop()
        self.pipeline = attach(self._target, self._warn)

    def load(self, data: Any = None) -> list[str]:
        """
        Load *data*, or what waits in the folder if there is none. All loads go through this method.

        A load succeeds only if no job failed. dlt must not decide that: with its setting
        ``load.raise_on_failed_jobs`` off it marks a package with failed jobs as loaded, including
        its cursors.

        Args:
            data: A dlt source or resource; None: the packages that are waiting.

        Returns:
            The ids of the load packages.

        Raises:
            BusyError: Another run has loaded since this one began. What was read is discarded.
            DestinationError: A job failed, or packages of an earlier run wait to be loaded.
        """
        pipeline = self.pipeline
        if data is not None:
            if self.has_pending:
                msg = "Packages of an earlier load in dlt's working folder are loaded first."
                raise DestinationError(msg)
            release_memory_if_scarce()
            pipeline.extract(data)
            release_memory()  # The rows are in files now.
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
        """Refuse to load if another run has stored a state meanwhile."""
        if not self.has_pending or is_known(self.pipeline, read_stored(self.pipeline)):
            return
        self.start_anew()
        is_file = self._target.database is not None
        or_else = ", or the file was deleted, moved or replaced" if is_file else ""
        msg = (
            f"Another run has loaded into {self._target} while this one was reading, from another "
            f"machine or another working folder{or_else}. The rows that this run had not loaded "
            "yet were discarded; the next run reads them again. Let only one run at a time load "
            "into a warehouse."
        )
        raise BusyError(msg)

    def write_state(self, change: Callable[[dict[str, Any]], None]) -> None:
        """
        Store a change of our source's state in the folder and the destination, in one load.

        Nothing is loaded if *change* changes nothing.

        Args:
            change: Called with the state of our source; changes it in place.

        Raises:
            DestinationError: The destination refused. The change waits to be loaded.
        """
        if self.pipeline.default_schema_name is None:
            msg = "Nothing has been loaded yet, so there is no state to change."
            raise DestinationError(msg)
        with self.pipeline.managed_state(extract_state=True) as state:
            change(own_state(state))
        if self.has_pending:
            self.load()

    def finish_pending(self) -> list[str]:
        """
        Load what an earlier run left behind; discard it if it can never be loaded.

        The rows of a discarded package are read again, because dlt restores the cursors too.

        Returns:
            Warnings for the user.
        """
        if not self.has_pending:
            return []
        try:
            if self._was_killed_while_loading():
                self.pipeline.abort_packages()
                return ["An earlier run was killed while it loaded; its rows are read again."]
            self.note_follow_up(True)
            self.load()
        except BusyError:
            raise
        except Exception as error:
            if is_temporary(self._target, error):
                raise
            self.give_up_pending()
            return [
                "An unfinished load of an earlier run could not be completed and was discarded; "
                "its rows are read again."
            ]
        return []

    def give_up_pending(self) -> None:
        """Abort pending packages; start anew if dlt cannot even read them."""
        try:
            self.pipeline.abort_packages()
        except Exception as error:
            if is_temporary(self._target, error):
                raise
            self.start_anew()

    def _was_killed_while_loading(self) -> bool:
        """
        Whether files were being copied when the run ended.

        Such a copy may be complete without dlt's knowledge. dlt would copy the file into the
        staging table again, and its merge of tables with children would then duplicate each row.
        """
        pipeline = self.pipeline
        return any(
            pipeline.get_load_package_info(load_id).jobs["started_jobs"]
            for load_id in pipeline.list_normalized_load_packages()
        )


def attach(target: Target, on_warning: Callable[[str], None]) -> dlt.Pipeline:
    """
    Attach to the folder if it was made for exactly this target; otherwise empty it.

    Cursors of one database must never be used for another: dlt would take the older database for
    outdated and trust the folder. A folder that plain dlt used does not record its database.

    Raises:
        ConfigError: There is no such destination, or it lacks settings.
        DestinationError: The folder cannot be used.
    """
    check_settings(target)
    destination = build_destination(target)
    protect_folder(target)
    try:
        pipeline = _attach_if_whole(target, destination)
        if pipeline is None:
            empty_folder(target)
            on_warning(
                "dlt's working folder was damaged, perhaps by a full disk. It is rebuilt from the "
                "destination."
            )
            pipeline = _attach(target, destination)
        if read_local(pipeline, _IDENTITY) != target.identity:
            pipeline.drop()
            pipeline = _attach(target, destination)
            # It is unknown whether the last load's follow-up work was done.
            pipeline.set_local_state_val(_FOLLOW_UP, True)
        check_pipeline(pipeline, target)
        pipeline.set_local_state_val(_IDENTITY, target.identity)
        if target.database is not None:
            remember_database(pipeline, str(target.database.absolute()))
        return pipeline
    except ConfigurationException as error:
        raise build_settings_error(target, error) from error
    except OSError as error:
        raise DestinationError(explain_unusable(error)) from error


def _attach_if_whole(target: Target, destination: Any) -> dlt.Pipeline | None:
    """Attach; None if the working folder's state or schemas cannot be read."""
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
    # Otherwise dlt stores no state in the destination, and nothing would show whether rows and
    # cursors belong together.
    pipeline.config.restore_from_destination = True
    return pipeline


def attach_existing(target: Target, *, read_only: bool) -> dlt.Pipeline | None:
    """
    Attach to the pipeline of an existing warehouse, for reading; None if it loaded nothing there.

    A working folder that this creates records the DuckDB file, so that dlt's own ``attach`` and its
    dashboard find it. A sync does the same for the folder from which it loads.

    Args:
        read_only: Open a DuckDB file for reading only.

    Raises:
        ConfigError: The destination lacks settings.
        DestinationError: The destination cannot be reached, or the working folder cannot be used;
            it may be another user's.
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
    except PipelineStepFailed:  # A new folder: dlt asks the destination for the state.
        with as_destination_error(target, lambda: UNTOUCHED):
            raise
    except CannotRestorePipelineException:
        return None
    except ConfigurationException as error:
        raise build_settings_error(target, error) from error
    except OSError as error:
        raise DestinationError(explain_unusable(error)) from error
    if is_new:
        make_private(folder / target.pipeline)
    if target.database is not None and (is_new or read_local(pipeline, _ATTACHED)):
        pipeline.set_local_state_val(_ATTACHED, True)
        remember_database(pipeline, str(target.database.absolute()))
    return pipeline


def read_identity(pipeline: str) -> Target | None:
    """Where a sync of this *pipeline* on this machine last loaded; None if unknown."""
    if not (find_pipelines_folder() / pipeline).is_dir():
        return None
    try:
        known = dlt.attach(pipeline, pipelines_dir=str(find_pipelines_folder()))
        destination, _, rest = read_local(known, _IDENTITY).partition("|")
    except (CannotRestorePipelineException, AttributeError, OSError, *FOLDER_ERRORS):
        return None  # The folder is one of plain dlt, another user's, or damaged.
    place, _, dataset = rest.rpartition("|")
    return Target(destination, Path(place) if place else None, dataset, pipeline)
