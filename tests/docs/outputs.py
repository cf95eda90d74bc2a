"""
The real output of the commands that the documents show.

The commands run in one folder, against a sandbox whose clock stands still: the same rows every day.
A part ``output`` shows what the ``sh`` block before it prints; ``output 6..1`` its first six lines
and its last one. ``<!-- run: COMMAND -->`` runs a command that is not shown.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from harvest_source.api.rate_limit import build_unlimited_limiter
from harvest_source.cli import main as cli
from harvest_source.defaults import SANDBOX_DATABASE, SANDBOX_PIPELINE
from harvest_source.sandbox import ManualClock, Sandbox, agency_settings
from tests.support.command import build_environment, build_settings, clean_environment
from tests.support.dlt_project import enter_project

_STEP: Final = re.compile(
    r"^ *```sh\n(?P<commands>.*?)^ *```$|^<!-- begin (?P<output>output[^\n]*) -->$"
    r"|^<!-- run: (?P<hidden>[^\n]+) -->$",
    re.MULTILINE | re.DOTALL,
)
_BIN: Final = ".venv/bin/"
"""The README's place of the command; elsewhere it is on the path."""
_WIDTH: Final = "120"
"""Width of the terminal."""
_MASKS: Final = (
    (re.compile(r"\d+ requests"), "N requests"),
    (re.compile(r"\b[\d.]+ s\b"), "N s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:N"),
    (re.compile(r"as of [\d: -]+ UTC"), "as of T UTC"),
    (
        re.compile(r"Rows of lists +[\d,]+ +[\d,]+ +(-?\d+) +(\d+ of \d+), [\d.]+ % +"),
        r"Rows of lists N N \1 \2, N % ",
    ),
)
_SHOWN_CODES: Final = frozenset({0, 5})
"""5 means that ``verify`` found the difference that a page shows."""


@dataclass(frozen=True, slots=True)
class Session:
    """A folder in which a person types commands."""

    home: Path
    server: Sandbox
    first_syncs: Mapping[str, str] = field(default_factory=dict)
    """The output of the commands that make a warehouse."""

    @property
    def _saved(self) -> Path:
        return self.home.with_name("saved")

    def save(self) -> None:
        """Save the folder for :meth:`restore`."""
        shutil.copytree(self.home, self._saved)

    def restore(self) -> None:
        """Restore the folder as it was saved."""
        shutil.rmtree(self.home)
        shutil.copytree(self._saved, self.home)

    @contextlib.contextmanager
    def entered(self, **more: str | None) -> Iterator[None]:
        """Enter the folder with the person's settings and *more*; None removes one."""
        before = dict(os.environ)
        settings = {
            **clean_environment(),
            **build_environment(self.home),
            **build_settings(self.server),
            "COLUMNS": _WIDTH,
            **more,
        }
        os.environ.clear()
        os.environ.update({name: value for name, value in settings.items() if value is not None})
        try:
            with enter_project(self.home):
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def run(self, command: str) -> str:
        """Run *command*; return its stdout."""
        if command in self.first_syncs:
            return self.first_syncs[command]
        program, *arguments = shlex.split(command)
        if program == "harvest-source":
            return self._run_ours(arguments)
        program = sys.executable if program == "python" else program
        with self.entered():
            done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def _run_ours(self, arguments: list[str]) -> str:
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            self.entered(),
        ):
            # The sandbox has no limit, and the examples should not wait for Harvest's limit.
            status = cli.run(arguments, build_limiter=build_unlimited_limiter)
        assert status in _SHOWN_CODES, f"{arguments}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue()


@contextlib.contextmanager
def open_session(folder: Path) -> Iterator[Session]:
    """A new session in the empty *folder*, with the warehouses of the README's commands."""
    home = folder / "home"
    home.mkdir()
    with Sandbox(agency_settings(clock=ManualClock(), limit=False)).start() as server:
        session = Session(home, server)
        first = session.run("harvest-source sync")
        session.run("harvest-source sync --all-children")
        # As --sandbox does it, but with the running sandbox.
        sandbox = session.run(
            f"harvest-source sync --all-children --database {SANDBOX_DATABASE} "
            f"--pipeline {SANDBOX_PIPELINE}"
        )
        made = {"harvest-source sync": first, "harvest-source sync --sandbox": sandbox}
        session = replace(session, first_syncs=made)
        session.save()
        yield session


Outputs = Mapping[Path, Sequence[str]]
"""Bodies of the output parts of each document, in order."""


def collect(documents: Mapping[Path, str], session: Session) -> Outputs:
    """Run the commands of *documents* whose output is shown, each document in a new folder."""
    found = {}
    for document, text in documents.items():
        session.restore()
        found[document] = list(_iter_outputs(text, session))
    return found


def _iter_outputs(text: str, session: Session) -> Iterator[str]:
    command = ""
    for step in _STEP.finditer(text):
        if step["commands"]:
            command = last_command(step["commands"])
        elif step["hidden"]:
            session.run(step["hidden"])
        else:
            yield _build_block(session.run(command), step["output"].removeprefix("output").strip())


def last_command(block: str) -> str:
    """The last command of an ``sh`` block, without the folder of the command."""
    return block.strip().splitlines()[-1].split("&&")[-1].strip().removeprefix(_BIN)


def _build_block(printed: str, wanted: str) -> str:
    """A fenced block of the lines *wanted*: ``6..1``, or empty for all."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    if wanted:
        first, last = map(int, wanted.split(".."))
        lines = [*lines[:first], "...", *filter(None, lines[len(lines) - last :])]
    return "\n".join(("```text", *lines, "```"))


def mask(text: str) -> str:
    """*text* without what differs between runs: times, ports, requests, lists of the day."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text
