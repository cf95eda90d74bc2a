"""
Run dbt on the package of models that is part of this one.

dbt runs in a process of its own: it is an extra, takes seconds to import, and changes how its
process logs and warns. Its two result files have a documented format.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from harvest_source.errors import ConfigError, DestinationError, describe_os_error, printable
from harvest_source.installation import build_extra_command

PACKAGE: Final = Path(__file__).parents[1] / "dbt"
"""The folder with the package's ``dbt_project.yml``."""

_MAIN: Final = """
import os, threading

def follow():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=follow, daemon=True).start()
from dbt.cli.main import cli
cli()
"""
"""dbt, which ends with this process, however that ends: its stdin closes then. Otherwise dbt would
keep the warehouse open and go on building without the lock."""
_PROFILE: Final = "harvest_source"
_COUNT: Final = re.compile(r"(\d+) of (\d+) ")
_SECRET: Final = "DBT_ENV_SECRET_HARVEST_PASSWORD"  # noqa: S105 - the name of a variable
_SAID: Final = 12
"""Lines of dbt's output that an error message repeats."""


@dataclass(frozen=True, slots=True)
class DbtConnection:
    """
    How dbt reaches the destination.

    Attributes:
        output: One output of a dbt profile, without the password.
        password: Given to dbt in the environment, so that no file has it.
    """

    adapter: str
    output: Mapping[str, Any]
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """What became of one model or test."""

    name: str
    kind: str
    """``model``, ``test``, ``unit_test``, ``seed``."""
    status: str
    """``success``, ``pass``, ``warn``, ``fail``, ``error``, ``skipped``."""
    message: str
    models: tuple[str, ...]
    """The model itself, or those that a test is about."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """
    How dbt ended.

    Attributes:
        code: Its exit code; below zero, the signal that ended it.
        begun: The last model or test that began, of *total*; 0 for none.
    """

    code: int
    lines: list[str]
    begun: int
    total: int


def check_installed(adapter: str) -> None:
    """
    Check that dbt and its *adapter* are installed.

    Raises:
        ConfigError: One is not.
    """
    try:
        version("dbt-core")
        version(f"dbt-{adapter}")
    except PackageNotFoundError as error:
        msg = (
            f"Building the models needs dbt, and {error.name} is not installed. Install the "
            f"extra: {build_extra_command('dbt')}"
        )
        raise ConfigError(msg) from error


def copy_package(folder: Path) -> None:
    """
    Copy the package into a new *folder*.

    Raises:
        ConfigError: The folder is not empty, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            msg = (
                f"{folder} already exists and is not empty. Nothing was copied. Name a new folder."
            )
            raise ConfigError(msg)
        shutil.copytree(PACKAGE, folder, dirs_exist_ok=True)
    except OSError as error:
        msg = (
            f"The dbt package cannot be copied to {printable(folder)} ({_explain_copy(error)}). "
            "Name another folder."
        )
        raise ConfigError(msg) from error


def _explain_copy(error: OSError) -> str:
    """Why the system refused; :class:`shutil.Error` lists files with a reason for each."""
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        return printable(error.args[0][0][2])
    return describe_os_error(error)


def build(
    connection: DbtConnection,
    schema: str,
    variables: Mapping[str, Any],
    folder: Path,
    *,
    kept: Path,
    on_progress: Callable[[int, int], None] = lambda _, __: None,
) -> list[Node]:
    """
    Build every model and run every test, each after those that it depends on.

    Args:
        schema: Where the models go.
        variables: Variables of the package.
        folder: For the profile; made here if need be, and needed only during the build.
        kept: For dbt's own files. With those of the last build, dbt parses only what has changed.
        on_progress: Called with how many nodes have begun, and how many there are.

    Returns:
        What became of each model and test.

    Raises:
        DestinationError: dbt ended before it built anything, or before it built everything.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = {**connection.output, "type": connection.adapter, "schema": schema}
    if connection.password is not None:
        output["password"] = f"{{{{ env_var('{_SECRET}') }}}}"
    profile = {_PROFILE: {"target": "warehouse", "outputs": {"warehouse": output}}}
    # JSON is YAML.
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    target = kept / "target"
    results = target / "run_results.json"
    # Results of the last build must not be taken for this one's.
    results.unlink(missing_ok=True)
    arguments = _list_arguments(folder, target, variables)
    ended = _run(arguments, _build_environment(connection), on_progress)
    if not results.exists():
        raise DestinationError(_explain_end(ended))
    nodes = _read_nodes(results, target / "manifest.json")
    # A dbt that is interrupted writes the results that it has, and none of them is a failure.
    if ended.code and not any(each.status in ("error", "fail") for each in nodes):
        raise DestinationError(_explain_end(ended))
    return nodes


def _explain_end(ended: _Ended) -> str:
    """Why dbt left models unbuilt, and what became of them."""
    said = "It said: " + " / ".join(line for line in ended.lines[-_SAID:] if line)
    if not ended.begun:
        return printable(
            f"dbt could not start to build the models, and nothing changed. {said}", limit=2000
        )
    how = f"with code {ended.code}" if ended.code >= 0 else f"on {_name_signal(-ended.code)}"
    msg = (
        f"dbt ended {how} after it had begun {ended.begun} of {ended.total} models and tests: "
        "some models are new, the others are as the last build left them. The tables of sync did "
        "not change. Run the same command again: it builds all models"
    )
    if ended.code == -signal.SIGKILL:
        msg += ". Systems end a process in this way if memory runs out"
    return printable(f"{msg}. {said}", limit=2000)


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal.
        return f"signal {number}"


def _list_arguments(folder: Path, target: Path, variables: Mapping[str, Any]) -> list[str]:
    return [
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "build",
        "--project-dir",
        str(PACKAGE),
        "--profiles-dir",
        str(folder),
        "--target",
        "warehouse",
        "--target-path",
        str(target),
        "--log-path",
        str(folder / "logs"),
        "--vars",
        json.dumps(variables, default=str),
    ]


def _build_environment(connection: DbtConnection) -> dict[str, str]:
    """The process's environment, without settings of dbt that are meant for other projects."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    # dbt sends usage statistics to its makers unless told otherwise.
    kept |= {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    if connection.password is not None:
        kept[_SECRET] = connection.password
    return kept


def _run(
    arguments: list[str], environment: dict[str, str], on_progress: Callable[[int, int], None]
) -> _Ended:
    """Run dbt to its end."""
    lines = []
    begun = total = 0
    with subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-c", _MAIN, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if found := _COUNT.search(line):
                    begun, total = max(begun, int(found[1])), int(found[2])
                    on_progress(begun, total)
        except BaseException:
            # Ctrl-C at a terminal reaches dbt, too; other signals do not.
            process.terminate()
            raise
    return _Ended(process.returncode, lines, begun, total)


def _read_nodes(results: Path, manifest: Path) -> list[Node]:
    nodes = json.loads(manifest.read_text(encoding="utf-8"))
    known = {**nodes["nodes"], **nodes.get("unit_tests", {})}
    found = json.loads(results.read_text(encoding="utf-8"))["results"]
    return [_read_node(each, known) for each in found]


def _read_node(result: Mapping[str, Any], known: Mapping[str, Any]) -> Node:
    unique_id = result["unique_id"]
    kind = unique_id.partition(".")[0]
    node = known.get(unique_id, {})
    name = node.get("name") or unique_id.rpartition(".")[2]
    if kind == "model":
        models = (name,)
    else:
        needs = node.get("depends_on", {}).get("nodes", [])
        attached = node.get("attached_node")
        about = [attached] if attached else needs
        models = tuple(each.rpartition(".")[2] for each in about if each.startswith("model."))
    return Node(name, kind, result["status"], result.get("message") or "", models)
