"""A process with too little memory or too few threads: a short error, and no hang."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from harvest_source.cli.main import explain_error
from harvest_source.process_limits import ADDRESS_SPACE
from tests.support.command import (
    Start,
    build_environment,
    build_settings,
    clean_environment,
    start_command,
)

pytestmark = pytest.mark.thorough

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems set no such limit")


@linux
@pytest.mark.parametrize("limit", [400_000, 700_000])
def test_too_little_memory_is_reported_before_anything_is_read(folder: Path, limit: int) -> None:
    """The sync exits with 2, the limit in units of ``ulimit``, and a remedy: no hang, no bug."""
    command = f"ulimit -v {limit}; exec {sys.executable} -m harvest_source sync --sandbox"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done
    assert f"may use {limit:,} kB of address space" in done.stderr
    assert f"at least {ADDRESS_SPACE // 1024:,} kB" in done.stderr
    assert "ulimit -v unlimited" in done.stderr
    assert "bug" not in done.stderr
    assert not list(folder.glob("*.duckdb")), "nothing was made"


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libarrow.so.2600: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_running_out_of_resources_later_is_not_reported_as_a_bug(error: Exception) -> None:
    """Whatever runs out first, and however often the error was wrapped."""
    wrapped = LookupError()
    wrapped.__cause__ = error
    code, message = explain_error(wrapped)
    assert code == 2
    assert message.startswith("Not enough memory or threads for this process")
    assert "address space" in message
    assert explain_error(RuntimeError("another"))[0] == 1


@linux
def test_a_run_that_cannot_start_its_threads_ends(start: Start, folder: Path) -> None:
    """The run does not wait for its started threads, which wait for Harvest."""
    server = start()
    server.fault("slow_body")
    settings = {**build_settings(server), "COLUMNS": "1000"}
    child = start_command(
        "sync", folder=folder, settings=settings, call="tests.support.few_threads:main"
    )
    _, err = child.communicate(timeout=60)
    assert child.returncode == 2, err
    assert "can't start new thread" in err
    assert "same command goes on" in err
    assert "bug" not in err
