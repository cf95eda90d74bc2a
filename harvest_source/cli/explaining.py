"""Commands that explain an option which they lack, where click would only call it unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click


class ExplainingCommand(click.Command):
    """
    A command that says why it lacks an option that others have.

    Attributes:
        lacks: Reason by option, with what to do instead.
    """

    lacks: ClassVar[Mapping[str, str]] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Parse the arguments as click does.

        Raises:
            click.UsageError: An option is unknown; the message has the reason if there is one.
        """
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if (why := self.lacks.get(error.option_name)) is None:
                raise
            msg = f"{ctx.info_name} has no {error.option_name}: {why}"
            raise click.UsageError(msg, ctx) from error


class ModelsCommand(ExplainingCommand):
    """A command that builds or shows the models."""

    lacks: ClassVar[Mapping[str, str]] = {
        "--table-format": "the models are built in DuckDB or PostgreSQL, which have one format of "
        "their own. Leave it out."
    }
