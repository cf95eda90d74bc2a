"""
Tells the contract's story to destinations, and prints one line for each of them and each step.

Usage::

    python -m tests.destination_contract [NAME...]

Names are those of :data:`tests.support.destinations.SERVERS`; without any, all that can be tried
here. Ends with 1 if a step failed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from tests.support.destination_story import STEPS, name_of, tell
from tests.support.destinations import BY_NAME

SURROUNDINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "NO_PROXY": "127.0.0.1",
}


def main(names: list[str]) -> int:
    """The exit code."""
    warnings.simplefilter("ignore")
    os.environ.update(SURROUNDINGS)
    print("| Destination | Step | Result | Seconds |")
    print("|---|---|---|---|")
    failed = False
    for name in names or BY_NAME:
        server = BY_NAME[name]
        if why := server.why_not():
            print(f"| {name} | all | not tried: {why} | |", flush=True)
            continue
        told = set()
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DLT_PROJECT_DIR"] = folder
            for each in tell(server, Path(folder)):
                told.add(each.step)
                result = "FAILED" if each.error else "ok"
                print(f"| {name} | {each.step} | {result} | {each.seconds:.1f} |", flush=True)
                if each.error:
                    failed = True
                    traceback.print_exception(each.error, file=sys.stderr)
        for step in map(name_of, STEPS):
            if step not in told:
                print(f"| {name} | {step} | not reached | |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
