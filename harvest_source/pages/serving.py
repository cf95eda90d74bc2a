"""The server of the app: for this machine alone, protected by a token in its address."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harvest_source.errors import ConfigError
from harvest_source.pages import live

HOST: Final = "127.0.0.1"
_NOTEBOOK: Final = Path(__file__).with_name("app.py")
_TOKEN_BYTES: Final = 18


def bind(port: int) -> socket.socket:
    """
    Listen on a port of this machine; 0 takes a free one.

    Raises:
        ConfigError: The port is taken, or not allowed.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
        taken.listen()  # A browser that is opened now waits until the server has started.
    except OSError as error:
        taken.close()
        msg = f"Cannot listen on {HOST}:{port}: {error.strerror}. Name another port with --port."
        raise ConfigError(msg) from error
    return taken


def serve(shown: live.Shown, taken: socket.socket, on_ready: Callable[[str], None]) -> None:
    """
    Serve the app until it is interrupted.

    The token keeps out other users of this machine, and pages of other sites: the warehouse may
    contain rates that they must not see.

    Args:
        taken: The socket from :func:`bind`.
        on_ready: Called with the address, including the token, before the first request is served.
    """
    import marimo
    import uvicorn

    from harvest_source.pages.drawing import warm_up

    # Start the renderer now, so that the first page does not wait for it and its imports.
    warm_up()
    live.show(shown)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    builder = marimo.create_asgi_app(quiet=True, include_code=False, token=token)
    asgi = builder.with_app(path="", root=str(_NOTEBOOK)).build()
    # Access logs would contain the token.
    config = uvicorn.Config(asgi, log_level="error", access_log=False)
    with taken:
        on_ready(f"http://{HOST}:{taken.getsockname()[1]}/?access_token={token}")
        uvicorn.Server(config).run(sockets=[taken])
