"""A sandbox in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harvest_source.sandbox.data.values import dumps

PROJECT = Path(__file__).parents[3]
"""The folder that holds the package."""


class SandboxProcess:
    """A sandbox in a process of its own; see `start_process`."""

    def __init__(self, child: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self._child = child
        self.pid = child.pid
        self.api_url: str = said["api_url"]
        self.id_url: str = said["id_url"]
        self.token: str = said["token"]
        self.tokens: dict[str, str] = said["tokens"]
        self.client_id: str = said["client_id"]
        self.client_secret: str = said["client_secret"]
        self.account_ids: list[int] = said["account_ids"]
        self.account_id = self.account_ids[0]

    def control(self, command: str, **arguments: Any) -> Any:
        """
        Call a method of `World` by name, over HTTP; returns its JSON result.

        Raises:
            urllib.error.HTTPError: 400 for an unknown command or a refused edit.
        """
        request = urllib.request.Request(  # noqa: S310 - our own child on loopback
            f"{self.id_url}/_sandbox/{command}",
            data=dumps(arguments),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        # A proxy from the environment would be used for loopback addresses too.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        """End the process and wait for it."""
        if self._child.poll() is None:
            self._child.terminate()
        self._child.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_process(*options: str) -> SandboxProcess:
    """
    Start ``python -m harvest_source.sandbox`` with *options*; returns once it listens.

    Raises:
        RuntimeError: The process ended before it listened.
    """
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "harvest_source.sandbox", "--json", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        child.communicate()
        msg = f"The sandbox ended with exit code {child.returncode} before it listened"
        raise RuntimeError(msg)
    return SandboxProcess(child, json.loads(line))
