"""
Tells the contract's story to destinations, and prints one line for each of them and each step.

Usage::

    python -m tests.destination_contract [NAME...]

Names are those of :data:`tests.support.destinations.SERVERS`; without any, all that can be tried
here. ``duckdb@2.0.1`` is that version of DuckDB, in an environment that is made for it, which needs
a package index. Ends with 1 if a step failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from tests.support.children import REPOSITORY
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
        if "@" in name:
            failed |= tell_in_version(name)
            continue
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


def tell_in_version(name: str) -> bool:
    """Tell it in an environment with that version; whether a step failed."""
    destination, _, version = name.partition("@")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "environment"
        python = place / "bin" / "python"
        packages = [f"duckdb=={version}", "pytest", str(REPOSITORY)]
        make = [sys.executable, "-m", "venv", str(place)]
        install = [str(python), "-m", "pip", "install", "-q", *packages]
        if uv := shutil.which("uv"):  # Seconds instead of a minute.
            make = [uv, "venv", "-q", "--python", sys.executable, str(place)]
            install = [uv, "pip", "install", "-q", "--python", str(python), *packages]
        subprocess.run(make, check=True)
        subprocess.run(install, check=True)
        command = [str(python), "-u", "-m", "tests.destination_contract", destination]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in list(child.stdout)[2:]:
                print(line.replace(f"| {destination} |", f"| {destination} {version} |"), end="")
        return child.returncode != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
