"""What every command takes: ``--json``, ``--quiet``, ``--debug`` and ``--profile``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from harvest_source.auth.saved_login import check_profile
from harvest_source.cli import console as show

F = TypeVar("F", bound=Callable[..., Any])


class Context:
    """What ``--json``, ``--quiet``, ``--debug`` and ``--profile`` ask for."""

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False
        self.debug = False
        self.profile: str | None = None
        """The named sign-in; None: what the configuration says."""
        self.exit_code = 0
        """What to end with if nobody reads on."""
        self.console = show.Console(self)

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of ``[sources.harvest]`` that the command line says."""
        return {} if self.profile is None else {"auth_profile": self.profile}

    def take(self, options: dict[str, Any]) -> None:
        """Move the options that every command takes out of *options*."""
        self.as_json |= options.pop("as_json")
        self.quiet |= options.pop("quiet")
        self.debug |= options.pop("debug")
        profile = options.pop("profile")
        if profile is not None:
            self.profile = check_profile(profile)
        if self.debug:
            show.open_log()


def everywhere(function: F) -> F:
    """Add the options that every command takes, and that may stand before the command too."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
    @click.option("--quiet", is_flag=True, help="Say nothing but the result and errors.")
    @click.option("--debug", is_flag=True, help="Show tracebacks and dlt's log.")
    @click.option("--profile", metavar="NAME", help="Named sign-in, as of auth login.")
    @click.pass_obj
    @functools.wraps(function)
    def wrapped(context: Context, /, **options: Any) -> Any:
        context.take(options)
        try:
            return function(context, **options)
        except KeyboardInterrupt as error:
            raise click.Abort from error  # click would print an empty line on its way.

    return wrapped  # type: ignore[return-value]
