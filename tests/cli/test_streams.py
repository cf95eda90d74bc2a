"""Closed, full and narrow standard streams: the command does its work and keeps its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pytest

from tests.support.command import run_shell

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("command", ["tables", "tables --json", "--help"])
def test_an_answer_that_cannot_be_printed_is_a_failure(tmp_path: Path, command: str) -> None:
    """The answer is the command's only purpose: a script must not go on with half of it."""
    done = run_shell(tmp_path, f"harvest {command} > /dev/full")
    assert done.returncode == 2
    assert "answer could not be printed (No space left on device)" in done.stderr
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("to", ["> /dev/full", "| true"])
def test_a_sandbox_that_cannot_say_its_address_ends(tmp_path: Path, to: str) -> None:
    """The sandbox ends without a traceback if it cannot print its address; it once served on."""
    done = run_shell(tmp_path, f"harvest sandbox --port 0 --entries 20 {to}")
    assert "Traceback" not in done.stderr
    if to.startswith(">"):
        assert done.returncode == 2
        assert "answer could not be printed" in done.stderr
    else:
        assert done.stderr == ""


def test_a_report_that_cannot_be_printed_is_no_failure(tmp_path: Path) -> None:
    """A sync's result is in the warehouse; a query's result is only its answer."""
    done = run_shell(
        tmp_path,
        "harvest sync --sandbox --table clients > /dev/full; echo $?; "
        'harvest query "SELECT 1" --csv --database harvest_sandbox.duckdb > /dev/full; echo $?',
    )
    assert done.stdout.split() == ["0", "2"]
    assert "report could not be printed (No space left on device)" in done.stderr
    assert "answer could not be printed (No space left on device)" in done.stderr


def test_an_error_is_printed_although_its_report_cannot_be(tmp_path: Path) -> None:
    """If ``--json`` goes to a full disk, a failed command still prints its error."""
    done = run_shell(tmp_path, "harvest sync --nowhere --json > /dev/full")
    assert done.returncode == 2
    assert "--nowhere" in done.stderr


def test_a_full_stderr_loses_only_the_messages(tmp_path: Path) -> None:
    """The exit code and stdout stay the same."""
    done = run_shell(tmp_path, "harvest sync --nowhere --json 2> /dev/full")
    assert done.returncode == 2
    assert '"status": "error"' in done.stdout


def test_closed_streams_do_not_corrupt_files_opened_later(tmp_path: Path) -> None:
    """No file opened meanwhile gets the number of a closed stream."""
    done = run_shell(tmp_path, "harvest sync --sandbox --table clients <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with duckdb.connect(str(tmp_path / "harvest_sandbox.duckdb"), read_only=True) as connection:
        assert connection.sql("SELECT count(*) > 0 FROM harvest.clients").fetchall() == [(True,)]


def test_an_ascii_terminal_gets_escapes(tmp_path: Path) -> None:
    """A terminal that supports only ASCII gets escapes."""
    text = "print('\\u96ea')"
    code = f"from harvest_source.cli.streams import prepare_streams; prepare_streams(); {text}"
    done = run_shell(tmp_path, f'"{sys.executable}" -c "{code}"', PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "\\u96ea\n"), done.stderr


def test_a_deleted_current_folder_is_reported(tmp_path: Path) -> None:
    """The user has to change to another folder: no bug, and no traceback."""
    (tmp_path / "gone").mkdir()
    done = run_shell(tmp_path, 'cd gone && rmdir ../gone && harvest query "SELECT 1"')
    assert done.returncode == 2
    assert "The current folder does not exist any more" in done.stderr
