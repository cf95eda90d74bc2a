"""Commands whose modules are imported only when they are called or looked up."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """
    A command that is not imported yet.

    Attributes:
        module, attribute: Where the command is defined.
        summary: The first sentence of its help.
    """

    module: str
    attribute: str
    summary: str

    def load(self) -> click.Command:
        """Import the command."""
        command: click.Command = getattr(importlib.import_module(self.module), self.attribute)
        return command


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name; a lazy one is imported when it is looked up."""

    def __init__(self, lazy: Mapping[str, LazyCommand]) -> None:
        self._known: dict[str, click.Command | LazyCommand] = dict(lazy)

    def __getitem__(self, name: str) -> click.Command:
        found = self._known[name]
        if isinstance(found, LazyCommand):
            found = self._known[name] = found.load()
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def list_summaries(self) -> list[tuple[str, str]]:
        """Name and summary of each command, by name, without importing it."""
        return [
            (name, each.summary if isinstance(each, LazyCommand) else each.get_short_help_str(80))
            for name, each in sorted(self._known.items())
        ]


class LazyGroup(click.Group):
    """A group whose ``--help`` imports no command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Format as click does, except that it need not skip hidden commands: there are none."""
        if not isinstance(self.commands, LazyCommands):
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl(self.commands.list_summaries())
