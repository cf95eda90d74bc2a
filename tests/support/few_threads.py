"""A process that can start one thread of a pool but no second one, as with too little memory."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any, Final

_TOO_LARGE: Final = 1 << 46
"""A stack size in bytes that no process gets."""


def main() -> None:
    """Run ``harvest-source`` under that limit; in a forked child."""
    threading.setprofile(_refuse_more)
    from harvest_source.__main__ import main as run

    run()


def _refuse_more(_frame: FrameType, _event: str, _argument: Any) -> None:
    """Called first in each new thread: once one thread of a pool runs, no other can start."""
    sys.setprofile(None)
    if threading.current_thread().name.startswith("harvest-job"):
        threading.stack_size(_TOO_LARGE)
