"""Unexpected events: our own bugs, an interrupt, a closed pipe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from harvest_source.cli import main as cli
from harvest_source.cli.options import Context, common_options
from tests.support.command import (
    Result,
    Run,
    Start,
    build_environment,
    build_settings,
    clean_environment,
    run_interpreter,
    start_command,
)

pytestmark = pytest.mark.thorough


@pytest.fixture
def broken(bare: Run) -> Iterator[Run]:
    """The command line with one more command, which has a bug."""

    @cli.main.command("broken")
    @common_options
    def divide(context: Context) -> float:
        return 1 // 0

    yield partial(bare, "broken")
    del cli.main.commands["broken"]


def test_a_bug_is_reported_as_a_bug(broken: Run) -> None:
    """A bug exits with 1, is called a bug, and says how to get the traceback."""
    done = broken()
    assert done.code == 1
    assert "bug in harvest-source: ZeroDivisionError" in done.err
    assert "--debug" in done.err
    assert "Traceback" not in done.err


def test_debug_shows_where_the_bug_is(broken: Run) -> None:
    """``--debug`` adds the traceback on stderr; the exit code stays the same."""
    done = broken("--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "1 // 0" in done.err


def test_a_bug_is_json_too(broken: Run) -> None:
    """With ``--json`` even a bug is one object on stdout."""
    done = broken("--json")
    assert done.code == 1
    assert done.json["errors"][0]["type"] == "ZeroDivisionError"
    assert done.err == ""


@pytest.mark.parametrize("level", ["info", "20", "VERBOSE"])
def test_a_log_level_that_dlt_lacks_is_refused(folder: Path, level: str) -> None:
    """dlt raises a ``ValueError``, which was reported as a bug; the message has the levels."""
    done = run_interpreter("status", folder=folder, settings={"RUNTIME__LOG_LEVEL": level})
    assert done.code == 2
    assert f"RUNTIME__LOG_LEVEL is '{level}'" in done.err
    assert "WARNING" in done.err


def test_an_empty_log_level_counts_as_not_set(folder: Path) -> None:
    """Templates of deployments set variables that are not used to an empty text."""
    done = run_interpreter("status", folder=folder, settings={"RUNTIME__LOG_LEVEL": ""})
    assert done.code == 2
    assert "There is no warehouse" in done.err


@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupt_exits_with_130_and_one_line(
    start: Start, folder: Path, as_json: bool
) -> None:
    """Ctrl-C while Harvest is asked: exit code 130, one line, and what was loaded stays."""
    server = start()
    asked = threading.Event()
    server.before_request(lambda request: asked.set() if request.table == "invoices" else None)
    server.fault("slow_body", table="invoices")
    options = ["--json"] if as_json else []
    child = start_command("sync", *options, folder=folder, settings=build_settings(server))
    assert asked.wait(60)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    assert child.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert "Interrupted" in (out if as_json else err)
    assert ('"type": "KeyboardInterrupt"' in out) is as_json
    assert len(Result(130, out, err).complaints.splitlines()) <= 1


def test_an_interrupt_while_modules_are_imported_is_one_line(folder: Path) -> None:
    """Ctrl-C right after the command was typed prints no traceback."""
    code = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from harvest_source.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: Interrupted.\n")


def test_a_closed_pipe_is_not_reported_as_a_bug(folder: Path) -> None:
    """``harvest-source tables | head -1``: one line, no complaint, exit code 0."""
    piped = f"{sys.executable} -m harvest_source tables | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", piped],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_gets_a_progress_bar(start: Start, folder: Path) -> None:
    """On a terminal stderr shows phase, requests and rows; stdout is unchanged."""
    server = start(entries=2500, latency_ms=400)
    ours, theirs = os.openpty()
    settings = build_settings(server) | {"TERM": "xterm"}
    command = ("sync", "--table", "time_entries")
    child = start_command(*command, folder=folder, settings=settings, stderr=theirs)
    os.close(theirs)
    shown = b"".join(iter(lambda: read_terminal(ours), b""))
    out, _ = child.communicate()
    os.close(ours)
    assert child.returncode == 0, shown
    line = re.sub(r"\x1b\[[\d;?]*\w", "", shown.decode())
    assert re.search(r"(reading|writing) +\d+ of about \d+ requests +[\d,]+ rows", line), line
    assert "time_entries" in out
    assert "\x1b" not in out


def read_terminal(descriptor: int) -> bytes:
    """The bytes that a pseudo-terminal has; none once the other side is closed."""
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports EIO where a pipe would report end of file.
        return b""


def test_an_interrupt_is_no_bug(bare: Run) -> None:
    """A command that is interrupted anywhere counts as interrupted."""

    @cli.main.command("interrupted")
    def interrupted() -> None:
        raise KeyboardInterrupt

    try:
        result = bare("interrupted")
    finally:
        del cli.main.commands["interrupted"]
    assert result.code == 130
    assert "the same command goes on" in result.err
