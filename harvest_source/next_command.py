"""The command that a message names as its next step, with the options that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from harvest_source.defaults import (
    DATABASE,
    DATASET,
    DUCKDB,
    PIPELINE,
    SANDBOX_DATABASE,
    SANDBOX_PIPELINE,
)


def build_command(
    name: str,
    *,
    destination: str = DUCKDB,
    database: Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    further: Iterable[tuple[str, object]] = (),
) -> str:
    """
    Build the command *name* with options for everything that is not the default.

    Args:
        further: Names and values of further options; one without a value is left out.
    """
    file = database.absolute() if database else None
    is_sandbox = is_of_sandbox(database, pipeline)
    usual_file = Path(SANDBOX_DATABASE if is_sandbox else DATABASE).absolute()
    options = {
        "destination": "" if destination == DUCKDB else destination,
        "database": "" if file in (None, usual_file) else str(database),
        "dataset": "" if dataset == DATASET else dataset,
        "pipeline": "" if pipeline in _usual_pipelines(is_sandbox=is_sandbox) else pipeline,
    }
    given = [
        f"--{option} {quote(str(value))}" for option, value in (*options.items(), *further) if value
    ]
    return " ".join(("harvest-source", name, *["--sandbox"] * is_sandbox, *given))


def is_of_sandbox(database: Path | None, pipeline: str) -> bool:
    """Whether this warehouse is filled with ``--sandbox``, by its file or its pipeline."""
    is_usual = database is not None and database.absolute() == Path(SANDBOX_DATABASE).absolute()
    return is_usual or pipeline == SANDBOX_PIPELINE


def suggest_sandbox(database: Path) -> str:
    """
    Build the sentence that names ``--sandbox``; empty unless it helps.

    It helps if *database* is the usual file, which is missing, and a sandbox run left its own.
    """
    is_usual = database.absolute() == Path(DATABASE).absolute()
    if not is_usual or database.exists() or not Path(SANDBOX_DATABASE).exists():
        return ""
    return f" For {SANDBOX_DATABASE}, which is here: add --sandbox."


def _usual_pipelines(*, is_sandbox: bool) -> tuple[str, ...]:
    """The pipelines that need no option: for the sandbox also the usual one, as in questions."""
    return (PIPELINE, SANDBOX_PIPELINE) if is_sandbox else (PIPELINE,)
