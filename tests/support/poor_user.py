"""A process of a user whom the system does not know: no passwd entry, no home folder."""

from __future__ import annotations

import ctypes
import os
from typing import Final

UID: Final = 12345
_KEEP_CAPABILITIES: Final = 8
_READ_EVERYTHING: Final = 1 << 2
_VERSION_3: Final = 0x20080522


def main() -> None:
    """Become that user permanently and run ``harvest-source``, in a child that root forked."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    # The interpreter and the test's folder may be root's own: readable, but not writable.
    _keep(_READ_EVERYTHING)
    _run()


def without_privileges() -> None:
    """Stay root, but subject to file permissions like any user; run ``harvest-source``."""
    _keep(0)
    _run()


def _keep(capabilities: int) -> None:
    """Drop all capabilities except these."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(capabilities, capabilities, 0, 0, 0, 0)
    if libc.capset(ctypes.byref(header), ctypes.byref(sets)):
        raise OSError(ctypes.get_errno(), "capset")


def _run() -> None:
    from harvest_source.__main__ import main as run

    run()
