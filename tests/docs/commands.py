"""Whether a command that a document shows can be typed as it stands."""

from __future__ import annotations

from collections.abc import Sequence

import click

from harvest_source.cli import main as cli


def check_ours(words: Sequence[str]) -> None:
    """The command is there and takes these options."""
    command: click.Command = cli.main
    for word in (each.partition("=")[0] if each.startswith("--") else each for each in words):
        if word.startswith("-"):
            options = [name for p in command.params for name in (*p.opts, *p.secondary_opts)]
            assert word in {*options, "--help"}, " ".join(words)
        elif isinstance(command, click.Group):
            assert word in command.commands, " ".join(words)
            command = command.commands[word]
