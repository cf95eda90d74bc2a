"""What a command does without when it starts."""

from __future__ import annotations

import subprocess
import sys


def test_httpx_goes_without_its_own_command_line() -> None:
    """As where rich is not installed: everything else of it is there."""
    code = (
        "import sys; from harvest_source.startup import leave_out_httpx_command;"
        "leave_out_httpx_command();"
        "import httpx; httpx.Client(transport=httpx.MockTransport(lambda _: None)).close();"
        "print('rich' in sys.modules, httpx.main.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "httpx"]
