"""SIGTERM, with which systemd, Docker, Kubernetes and Airflow end a command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, Final

from harvest_source.exit_codes import ExitCode

_AGAIN_S: Final = 0.05
"""Seconds until an ignored SIGTERM is sent again."""


@dataclass(slots=True)
class _State:
    is_ending: bool = False
    """Whether a first SIGTERM came."""


_STATE: Final = _State()


class Terminated(KeyboardInterrupt):
    """SIGTERM came. A subclass, so that whatever Ctrl-C cleans up is cleaned up here too."""


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """
    Raise :class:`Terminated` in the block on SIGTERM; a second SIGTERM ends the process at once.

    For commands, which own their process. It has no effect on another thread than the main one, or
    if the process already handles or ignores the signal.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    _STATE.is_ending = False
    signal.signal(signal.SIGTERM, _end)
    before, sys.unraisablehook = sys.unraisablehook, partial(_repeat_if_ignored, sys.unraisablehook)
    try:
        yield
    finally:
        sys.unraisablehook = before
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _repeat_if_ignored(report: Callable[[Any], object], ignored: Any) -> None:
    """
    Send SIGTERM again if Python has ignored the exception that the first one raised.

    Python ignores what a destructor or a callback of a weak reference raises, and runs both at any
    time: many of the latter while it imports modules.

    Args:
        report: Reports other exceptions that Python has ignored.
        ignored: As Python passes it to ``sys.unraisablehook``.
    """
    if ignored.exc_type is not Terminated:
        report(ignored)
        return
    _STATE.is_ending = False
    again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), signal.SIGTERM))
    again.daemon = True
    again.start()  # A signal sent at once would be handled in this function, and ignored too.


def build_interrupt(number: int) -> KeyboardInterrupt:
    """What to raise for a signal that another handler has taken."""
    if number != signal.SIGTERM:
        return KeyboardInterrupt()
    _STATE.is_ending = True
    return Terminated()


def _end(number: int, _: FrameType | None) -> None:
    # While dlt delays signals, this is called for the second one only.
    is_delayed = signal.getsignal(number) is not _end
    if is_delayed or _STATE.is_ending:
        # Not the signal's default action: the system ignores that in a container's first process.
        os._exit(ExitCode.TERMINATED)
    _STATE.is_ending = True
    raise Terminated
