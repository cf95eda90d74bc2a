"""The standard streams: always open, able to print any text, and never why a run fails."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO, cast


class OutputError(Exception):
    """A command's output could not be written to stdout; the message says why."""


def prepare_streams() -> None:
    """
    Make stdin, stdout and stderr usable, however the process was started.

    A closed stream (``>&-``) is replaced by the null device. Otherwise a file that is opened later,
    such as the warehouse, would get the free descriptor and printed text would be written into it.
    Characters that the stream's encoding lacks are printed as escapes.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = cast(TextIO, _Output(sys.stdout))
    sys.stderr = cast(TextIO, _Messages(sys.stderr))


def discard_stdout() -> None:
    """Redirect stdout to the null device, so that Python's flush at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Stream:
    """A stream that decides in :meth:`_refuse` what happens when a write fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._refuse(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._refuse(error)

    def _refuse(self, error: OSError) -> None:
        raise NotImplementedError


class _Output(_Stream):
    """Stdout: a failed write ends the command, which reports it on stderr."""

    def _refuse(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error
        raise OutputError(error.strerror or type(error).__name__) from error


class _Messages(_Stream):
    """Stderr: a message that cannot be printed is dropped, as there is nowhere else to print it."""

    def _refuse(self, error: OSError) -> None:
        del error
