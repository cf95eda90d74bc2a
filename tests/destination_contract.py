"""
Tells the contract's story to destinations, and prints one line for each destination and step.

Usage::

    python -m tests.destination_contract [--write] [NAME...]

Names are those of :data:`tests.support.destinations.SERVERS`; without any, all that can be tried
here. ``duckdb@2.0.1`` is that version of DuckDB, in an environment that is created for it, which
needs a package index; so does ``ducklake@1.5.5``. ``--write`` puts the lines into
``tests/CONTRACT.md``. The exit code is 1 if a step failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.children import REPOSITORY
from tests.support.contract_results import HEAD, NOT_REACHED, OK, Result, parse, today, write
from tests.support.destination_story import STEPS, name_of, tell
from tests.support.destinations import BY_NAME, Server

SURROUNDINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "NO_PROXY": "127.0.0.1",
}
FAILED = "FAILED"
NOT_TRIED = "not tried"


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code."""
    warnings.simplefilter("ignore")
    os.environ.update(SURROUNDINGS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the lines into tests/CONTRACT.md")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BY_NAME)}")
    given = parser.parse_args(arguments)
    if unknown := [each for each in given.names if each.partition("@")[0] not in BY_NAME]:
        parser.error(f"no such destination: {', '.join(unknown)}")
    print("\n".join(HEAD), flush=True)
    results = []
    for result in iter_results(given.names or BY_NAME):
        print(result, flush=True)
        results.append(result)
    if given.write:
        tried = (each for each in results if not each.result.startswith(NOT_TRIED))
        write(tried, list(BY_NAME))
    return int(any(each.result == FAILED for each in results))


def iter_results(names: Iterable[str]) -> Iterator[Result]:
    """Every line of every named destination."""
    for name in names:
        if "@" in name:
            yield from tell_in_version(name)
        elif why := BY_NAME[name].why_not():
            yield Result(name, "all", f"{NOT_TRIED}: {why}")
        else:
            yield from tell_here(BY_NAME[name])


def tell_here(server: Server) -> Iterator[Result]:
    """Tell the whole story to one destination."""
    told = set()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLT_PROJECT_DIR"] = folder
        for each in tell(server, Path(folder)):
            told.add(each.step)
            result = FAILED if each.error else OK
            yield Result(server.name, each.step, result, f"{each.seconds:.1f}", today())
            if each.error:
                traceback.print_exception(each.error, file=sys.stderr)
    for step in map(name_of, STEPS):
        if step not in told:
            yield Result(server.name, step, NOT_REACHED, "", today())


def tell_in_version(name: str) -> Iterator[Result]:
    """Tell the same story in an environment with that version of DuckDB."""
    destination, _, version = name.partition("@")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "environment"
        python = place / "bin" / "python"
        extensions = [f"{each}=={version}" for each in BY_NAME[destination].extensions]
        packages = [f"duckdb=={version}", "pytest", str(REPOSITORY), *extensions]
        make = [sys.executable, "-m", "venv", str(place)]
        install = [str(python), "-m", "pip", "install", "-q", *packages]
        if uv := shutil.which("uv"):  # Takes seconds instead of a minute.
            make = [uv, "venv", "-q", "--python", sys.executable, str(place)]
            install = [uv, "pip", "install", "-q", "--python", str(python), *packages]
        subprocess.run(make, check=True)
        subprocess.run(install, check=True)
        command = [str(python), "-u", "-m", "tests.destination_contract", destination]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if found := parse(line.rstrip()):
                    yield Result(f"{destination} {version}", *str(found)[2:-2].split(" | ")[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
